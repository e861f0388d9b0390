//! Staff accounts.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use runtime::auth::Role;
use uuid::Uuid;

use super::totp::TotpSecret;

/// The longest e-mail address (RFC 5321).
const MAX_EMAIL: usize = 254;

/// The shortest password. Length counts more than kinds of characters (NIST SP 800-63B).
const MIN_PASSWORD: usize = 12;

/// The longest password, in bytes: hashing must cost no more for it.
const MAX_PASSWORD: usize = 256;

/// The account of a member of staff.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) role: Role,
    /// Argon2id, as a PHC string.
    pub(crate) password_hash: String,
    /// The second factor.
    pub(crate) totp: Option<TotpSecret>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) disabled_at: Option<DateTime<Utc>>,
}

impl Account {
    /// The prefix of the subjects of staff: they are never customers.
    const SUBJECT_PREFIX: &str = "staff:";

    /// The subject of the account's tokens.
    pub(crate) fn subject(&self) -> String {
        Account::subject_of(self.id)
    }

    /// The subject of the tokens of an account.
    pub(crate) fn subject_of(id: Uuid) -> String {
        format!("{}{id}", Account::SUBJECT_PREFIX)
    }

    /// The account whose subject this is.
    pub(crate) fn id_of(subject: &str) -> Option<Uuid> {
        subject.strip_prefix(Account::SUBJECT_PREFIX)?.parse().ok()
    }
}

/// An e-mail address in lower case. It is a name to sign in with; no mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address of at most {MAX_EMAIL} characters")]
pub struct InvalidEmail;

impl Email {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Email, InvalidEmail> {
        let text = text.trim().to_lowercase();
        let (name, host) = text.split_once('@').ok_or(InvalidEmail)?;
        let is_valid = text.len() <= MAX_EMAIL
            && !name.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !text
                .contains(|character: char| character.is_whitespace() || character.is_control());
        if is_valid { Ok(Email(text)) } else { Err(InvalidEmail) }
    }
}

/// A password that is long enough.
#[derive(Clone)]
pub(crate) struct Password(String);

/// The password is too short or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must have {MIN_PASSWORD} characters or more, and at most {MAX_PASSWORD} bytes")]
pub struct InvalidPassword;

impl Password {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = InvalidPassword;

    fn from_str(text: &str) -> Result<Password, InvalidPassword> {
        let is_valid = text.chars().count() >= MIN_PASSWORD && text.len() <= MAX_PASSWORD;
        if is_valid { Ok(Password(text.to_owned())) } else { Err(InvalidPassword) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Email, Password};

    #[test]
    fn addresses_are_compared_in_lower_case() {
        assert_eq!(" Ann@Shop.Example ".parse::<Email>().unwrap().as_str(), "ann@shop.example");
        for bad in
            ["", "ann", "@shop", "ann@", "a b@shop", "a@b@c", &format!("{}@b", "a".repeat(254))]
        {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_have_a_length() {
        assert!("correct horse".parse::<Password>().is_ok());
        assert!("商店商店商店商店商店商店".parse::<Password>().is_ok());
        assert!("elevenchars".parse::<Password>().is_err());
        assert!("x".repeat(257).parse::<Password>().is_err());
    }

    #[test]
    fn subjects_of_staff_are_no_customers() {
        let id = uuid::Uuid::nil();
        let subject = Account::subject_of(id);
        assert!(subject.parse::<vocabulary::CustomerId>().is_err());
        assert_eq!(Account::id_of(&subject), Some(id));
        assert_eq!(Account::id_of(&id.to_string()), None);
    }
}
