//! The database's rule and the API's answer in one line, where the statement is.

use crate::Problem;

/// Either a constraint that was violated and has its answer, or an error of the database as it came.
///
/// It is what [`OnConstraint::on_constraint`] hands on, so that several constraints can be named in a row; `?` turns it
/// into a [`Problem`].
#[derive(Debug)]
pub enum ConstraintViolation {
    /// A named constraint was violated.
    Answered(Problem),
    /// Anything else.
    Unanswered(sqlx::Error),
}

impl From<sqlx::Error> for ConstraintViolation {
    fn from(error: sqlx::Error) -> ConstraintViolation {
        ConstraintViolation::Unanswered(error)
    }
}

impl From<ConstraintViolation> for Problem {
    fn from(violation: ConstraintViolation) -> Problem {
        match violation {
            ConstraintViolation::Answered(problem) => problem,
            ConstraintViolation::Unanswered(error) => Problem::from(error),
        }
    }
}

/// Answers for violated constraints, for the results of statements.
pub trait OnConstraint<T> {
    /// If the constraint (or unique index) `name` was violated, the answer is `problem`; all else goes on unchanged.
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
            ConstraintViolation::Unanswered(sqlx::Error::Database(database))
                if database.constraint() == Some(name) =>
            {
                ConstraintViolation::Answered(problem())
            }
            ConstraintViolation::Unanswered(error) => ConstraintViolation::Unanswered(error),
            ConstraintViolation::Answered(problem) => ConstraintViolation::Answered(problem),
        })
    }
}
