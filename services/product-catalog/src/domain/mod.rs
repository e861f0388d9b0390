//! Decisions about products, as functions of data and time: no I/O, no waiting.

mod category;
mod change;
mod content;
mod draft;
mod import;
mod merge_patch;
mod product;
mod rows;
mod spreadsheet;

pub(crate) use category::{CategoryNode, tree};
pub(crate) use change::{Change, DOWNSTREAM, Downstream, DownstreamStatus, Receipt, downstream};
pub(crate) use content::{Attribute, Content, Status, Variant};
pub(crate) use draft::{Draft, Flaw};
pub(crate) use import::{Current, ImportRow, Known, Plan, Refusal, plan};
pub(crate) use merge_patch::merge;
pub(crate) use product::{Product, Write};
pub(crate) use rows::{Row, Rows};
pub(crate) use spreadsheet::{Columns, Groups};
