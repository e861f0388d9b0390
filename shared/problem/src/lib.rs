#![doc = include_str!("../README.md")]

mod answer;
mod constraint;
mod extract;
mod failure;
mod fallback;
mod fields;
mod schema;

pub use answer::{FieldError, Problem};
pub use constraint::{ConstraintViolation, OnConstraint};
pub use extract::{ETag, IdempotencyKey, IfMatch, Json, Path, Query};
pub use failure::chain;
pub use fallback::{method_not_allowed, not_found};
pub use fields::{Fields, MAX_FIELD_ERRORS};
