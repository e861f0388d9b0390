//! Validation that lists every invalid field, not only the first.

use std::fmt::Display;

use crate::response::{FieldError, Problem};

/// The maximum number of errors in a response, so that a large request does not cause a larger response.
pub const MAX_FIELD_ERRORS: usize = 100;

/// Collects the field errors of a request.
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
    omitted: usize,
}

impl Fields {
    /// Starts without errors.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// Returns the value, or records the error with the code `invalid` and returns `None`.
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

    /// Returns the value, or records an error with the code `required` and returns `None`.
    pub fn require<T>(&mut self, field: impl Into<String>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.refuse(field, "required", "is required");
        }
        value
    }

    /// Records an error of `field` with a code of the caller.
    pub fn refuse(
        &mut self,
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) {
        if self.errors.len() < MAX_FIELD_ERRORS {
            self.errors.push(FieldError::new(field, code, message));
        } else {
            self.omitted += 1;
        }
    }

    /// Whether no error was recorded so far.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// Returns 422 `validation_failed` if any error was recorded.
    pub fn finish(self) -> Result<(), Problem> {
        match (self.errors.is_empty(), self.omitted) {
            (true, _) => Ok(()),
            (false, 0) => Err(Problem::validation(self.errors)),
            (false, omitted) => Err(Problem::validation(self.errors).detail(format!(
                "{} fields are not valid; the first {MAX_FIELD_ERRORS} are in `errors`.",
                MAX_FIELD_ERRORS + omitted
            ))),
        }
    }

    /// Returns what `make` builds from the checked values, or 422 `validation_failed` if any error was recorded.
    ///
    /// `make` may use `?` on every value that [`check`](Fields::check) and [`require`](Fields::require) returned.
    pub fn finish_with<T>(self, make: impl FnOnce() -> Option<T>) -> Result<T, Problem> {
        self.finish()?;
        make().ok_or_else(|| {
            tracing::error!("value missing although all fields are valid");
            Problem::internal()
        })
    }
}
