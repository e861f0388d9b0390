//! One attempt to deliver a message.

use std::time::Duration;

use chrono::{DateTime, Utc};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// When the request began.
    pub(crate) at: DateTime<Utc>,
    /// Until the head of the answer, or until the failure.
    pub(crate) duration: Duration,
    pub(crate) result: AttemptResult,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AttemptResult {
    /// The endpoint answered with a status of 200 to 299.
    Delivered {
        status_code: u16,
    },
    /// 410: the endpoint wants no more messages.
    Gone,
    Failed(AttemptError),
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AttemptError {
    #[error("the endpoint answered {0}")]
    StatusCode(u16),
    /// Redirects are not followed: they could lead to another host than the one that was checked.
    #[error("the endpoint answered {0}, and redirects are not followed")]
    Redirect(u16),
    #[error("the endpoint did not answer in time")]
    Timeout,
    #[error("the address is not public")]
    AddressNotAllowed,
    /// No connection, no TLS, or no valid answer; with the cause.
    #[error("{0}")]
    NoAnswer(String),
}

impl AttemptResult {
    pub(crate) fn of_status(status_code: u16) -> Self {
        match status_code {
            200..=299 => Self::Delivered { status_code },
            300..=399 => Self::Failed(AttemptError::Redirect(status_code)),
            410 => Self::Gone,
            _ => Self::Failed(AttemptError::StatusCode(status_code)),
        }
    }

    pub(crate) const fn http_status(&self) -> Option<u16> {
        match self {
            Self::Delivered { status_code }
            | Self::Failed(
                AttemptError::StatusCode(status_code) | AttemptError::Redirect(status_code),
            ) => Some(*status_code),
            Self::Gone => Some(410),
            Self::Failed(
                AttemptError::Timeout | AttemptError::AddressNotAllowed | AttemptError::NoAnswer(_),
            ) => None,
        }
    }

    pub(crate) const fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered { .. })
    }

    /// Why it is not delivered.
    pub(crate) fn error(&self) -> Option<String> {
        match self {
            Self::Delivered { .. } => None,
            Self::Gone => Some("the endpoint wants no more messages".to_owned()),
            Self::Failed(error) => Some(error.to_string()),
        }
    }

    /// The name in JSON, in the database and in metrics.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Gone => "gone",
            Self::Failed(error) => match error {
                AttemptError::StatusCode(_) => "status",
                AttemptError::Redirect(_) => "redirect",
                AttemptError::Timeout => "timeout",
                AttemptError::AddressNotAllowed => "address_not_allowed",
                AttemptError::NoAnswer(_) => "no_answer",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AttemptResult;

    #[test]
    fn only_a_status_of_200_to_299_is_a_delivery() {
        for (status, name) in [
            (199, "status"),
            (200, "delivered"),
            (299, "delivered"),
            (301, "redirect"),
            (308, "redirect"),
            (400, "status"),
            (410, "gone"),
            (500, "status"),
        ] {
            let result = AttemptResult::of_status(status);
            assert_eq!((result.as_str(), result.http_status()), (name, Some(status)));
        }
    }
}
