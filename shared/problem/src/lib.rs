#![doc = include_str!("../README.md")]

mod constraint;
mod extract;
mod fallback;
mod fields;
mod internal_error;
mod response;
mod schema;
pub mod timestamp;

pub use constraint::{ConstraintViolation, OnConstraint};
pub use extract::{ETag, IdempotencyKey, IfMatch, Json, Path, Query, unreadable_body};
pub use fallback::{method_not_allowed, not_found};
pub use fields::{Fields, MAX_FIELD_ERRORS};
pub use internal_error::chain;
pub use response::{FieldError, Problem};
