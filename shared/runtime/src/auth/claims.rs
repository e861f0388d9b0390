//! The content of tokens, and what can go wrong with them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::key_error::KeyError;

/// The claim `iss` of the suite's tokens.
pub const ISSUER: &str = "shopping-guide";

/// The claim `aud` of the suite's access tokens.
pub const AUDIENCE: &str = "shopping-guide";

/// The claim `aud` of renewal tokens. No route accepts them as access tokens.
pub(super) const RENEWAL_AUDIENCE: &str = "shopping-guide/renewal";

/// The claims of a token that the suite signs.
#[derive(Debug, Serialize)]
pub(super) struct MintedClaims<'a> {
    pub(super) iss: &'static str,
    pub(super) aud: &'static str,
    pub(super) sub: &'a str,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<i32>,
}

/// The claims of a token of any issuer.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    aud: Option<OneOrMany>,
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Number>,
    #[serde(flatten)]
    pub(super) others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// When the token expires, in seconds of Unix time.
    pub(super) fn exp(&self) -> i64 {
        seconds(&self.exp)
    }

    /// When the token becomes valid.
    pub(super) fn nbf(&self) -> Option<i64> {
        self.nbf.as_ref().map(seconds)
    }

    /// When the token was issued.
    pub(super) fn iat(&self) -> Option<i64> {
        self.iat.as_ref().map(seconds)
    }

    /// Whether the token is for `audience`; `None` if it names no audience.
    pub(super) fn is_for(&self, audience: &str) -> Option<bool> {
        Some(match self.aud.as_ref()? {
            OneOrMany::One(one) => one == audience,
            OneOrMany::Many(many) => many.iter().any(|one| one == audience),
        })
    }

    /// A claim by its name, or by the names of the objects around it, separated by dots.
    pub(super) fn find(&self, name: &str) -> Option<&Value> {
        self.others.get(name).or_else(|| {
            let mut names = name.split('.');
            let first = self.others.get(names.next()?)?;
            names.try_fold(first, |object, name| object.get(name))
        })
    }
}

/// Whole seconds. Times far away are the largest or smallest number.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn seconds(number: &Number) -> i64 {
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64)).unwrap_or_default()
}

/// A token could not be minted or verified.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Not a token, or another algorithm or key.
    #[error("the token is not valid")]
    Invalid(#[source] jsonwebtoken::errors::Error),
    /// A header or claim does not allow its use here.
    #[error("the token is not for this use: {0}")]
    Refused(&'static str),
    /// The issuer is trusted, and has no such key.
    #[error("the key of the token is unknown")]
    UnknownKey,
    #[error("the signing key cannot be used")]
    Key(#[source] KeyError),
    #[error("the token cannot be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}
