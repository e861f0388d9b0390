//! How clients name visitors and sessions.

use std::sync::Arc;

use uuid::Uuid;
use vocabulary::CustomerId;

/// The most characters of a visitor's or a session's id.
pub const MAX_ID_CHARS: usize = 64;

/// The id of all visitors and sessions without consent.
pub const NO_CONSENT: &str = "no-consent";

/// The text is not a valid id of a visitor or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {MAX_ID_CHARS} visible characters, without blanks")]
pub struct InvalidId;

/// Beyond ASCII only letters and digits count as visible: other blocks contain characters without a shape,
/// and two different ids could look the same.
fn is_visible_id(text: &str) -> bool {
    let visible = |c: char| c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
    !text.is_empty() && text.chars().all(visible) && text.chars().count() <= MAX_ID_CHARS
}

/// A visitor's id, chosen by the client. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisitorId(Arc<str>);

impl VisitorId {
    /// Accepts 1 to [`MAX_ID_CHARS`] visible characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_visible_id(text) { Ok(Self(text.into())) } else { Err(InvalidId) }
    }

    /// A visitor with a new id.
    pub fn new(id: Uuid) -> Self {
        Self(id.to_string().into())
    }

    /// All visitors who have not agreed to be measured.
    pub fn without_consent() -> Self {
        Self(NO_CONSENT.into())
    }

    /// The visitor that a customer is.
    pub fn of(customer: CustomerId) -> Self {
        Self(customer.to_string().into())
    }

    /// The customer who this visitor is, if the id is one of a customer.
    pub fn customer(&self) -> Option<CustomerId> {
        Uuid::parse_str(&self.0).ok().map(CustomerId::from)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session's id, chosen by the client and unique only per visitor. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// All sessions of visitors who have not agreed to be measured.
    pub fn without_consent() -> Self {
        Self(NO_CONSENT.into())
    }

    /// Accepts 1 to [`MAX_ID_CHARS`] visible characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_visible_id(text) { Ok(Self(text.into())) } else { Err(InvalidId) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Identifies a session within this service. Clients choose session ids, so two visitors may use the same
/// one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    pub visitor: VisitorId,
    pub session: SessionId,
}

#[cfg(test)]
mod tests {
    use super::{InvalidId, MAX_ID_CHARS, SessionId, VisitorId};

    #[test]
    fn ids_are_short_and_visible() {
        let longest = "客".repeat(MAX_ID_CHARS);
        assert!(VisitorId::parse(&longest).is_ok() && SessionId::parse(&longest).is_ok());
        let too_long = "a".repeat(MAX_ID_CHARS + 1);
        for id in ["", "a b", "a\u{200b}", "a\n", "a\0", too_long.as_str()] {
            assert_eq!(VisitorId::parse(id), Err(InvalidId));
            assert_eq!(SessionId::parse(id), Err(InvalidId));
        }
    }
}
