//! Maps violated database constraints to responses, at the statement that can violate them.

use crate::response::Problem;

/// The error of [`OnConstraint::on_constraint`], so that calls can be chained; `?` turns it into a [`Problem`].
#[derive(Debug)]
pub enum ConstraintViolation {
    /// A named constraint was violated and mapped to a problem.
    Mapped(Problem),
    /// Any other database error.
    Unmapped(sqlx::Error),
}

impl From<sqlx::Error> for ConstraintViolation {
    fn from(error: sqlx::Error) -> ConstraintViolation {
        ConstraintViolation::Unmapped(error)
    }
}

impl From<ConstraintViolation> for Problem {
    fn from(violation: ConstraintViolation) -> Problem {
        match violation {
            ConstraintViolation::Mapped(problem) => problem,
            ConstraintViolation::Unmapped(error) => Problem::from(error),
        }
    }
}

/// Extends the result of a statement with a mapping from constraints to problems.
pub trait OnConstraint<T> {
    /// Returns `problem` if the statement violated the constraint (or unique index) `name`; leaves other errors as they are.
    fn on_constraint(
        self,
        name: &str,
        problem: impl FnOnce() -> Problem,
    ) -> Result<T, ConstraintViolation>;
}

impl<T, E: Into<ConstraintViolation>> OnConstraint<T> for Result<T, E> {
    fn on_constraint(
        self,
        name: &str,
        problem: impl FnOnce() -> Problem,
    ) -> Result<T, ConstraintViolation> {
        self.map_err(|error| match error.into() {
            ConstraintViolation::Unmapped(sqlx::Error::Database(database))
                if database.constraint() == Some(name) =>
            {
                ConstraintViolation::Mapped(problem())
            }
            ConstraintViolation::Unmapped(error) => ConstraintViolation::Unmapped(error),
            ConstraintViolation::Mapped(problem) => ConstraintViolation::Mapped(problem),
        })
    }
}
