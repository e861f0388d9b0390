//! Validation that lists every field that is wrong, not only the first.

use std::fmt::Display;

use crate::{FieldError, Problem};

/// How many errors an answer lists at most: a body of a megabyte must not be answered by ten.
pub const MAX_FIELD_ERRORS: usize = 100;

/// Collects what is wrong with the fields of a request.
///
/// ```
/// # use problem::{Fields, Problem};
/// # fn parse(request: (&str, i64)) -> Result<(u16, u8), Problem> {
/// let mut fields = Fields::new();
/// let port = fields.check("port", request.0.parse::<u16>());
/// let weight = fields.check("weight", u8::try_from(request.1));
/// fields.finish_with(|| Some((port?, weight?)))
/// # }
/// # assert_eq!(parse(("80", 7)).unwrap(), (80, 7));
/// # assert_eq!(parse(("eighty", 700)).unwrap_err().field_errors().len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Fields {
    errors: Vec<FieldError>,
    more: usize,
}

impl Fields {
    /// Nothing is wrong yet.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// The value, or `None` and an error with the code `invalid` that says what the error says.
    pub fn check<T, E: Display>(
        &mut self,
        field: impl Into<String>,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(field, "invalid", error.to_string());
                None
            }
        }
    }

    /// The value, or `None` and an error with the code `required`.
    pub fn require<T>(&mut self, field: impl Into<String>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.refuse(field, "required", "is required");
        }
        value
    }

    /// Notes that `field` is wrong, with a code of the caller's own.
    pub fn refuse(
        &mut self,
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) {
        if self.errors.len() < MAX_FIELD_ERRORS {
            self.errors.push(FieldError::new(field, code, message));
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing is wrong so far.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// 422 `validation_failed` if anything was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        match (self.errors.is_empty(), self.more) {
            (true, _) => Ok(()),
            (false, 0) => Err(Problem::validation(self.errors)),
            (false, more) => Err(Problem::validation(self.errors).detail(format!(
                "{} fields are not valid; the first {MAX_FIELD_ERRORS} are in `errors`.",
                MAX_FIELD_ERRORS + more
            ))),
        }
    }

    /// What the checked values make, or 422 `validation_failed` if anything was wrong.
    ///
    /// `make` may use `?` on every value that [`check`](Fields::check) and [`require`](Fields::require) gave.
    pub fn finish_with<T>(self, make: impl FnOnce() -> Option<T>) -> Result<T, Problem> {
        self.finish()?;
        make().ok_or_else(|| {
            tracing::error!("a value was missing though every field was found valid");
            Problem::internal()
        })
    }
}
