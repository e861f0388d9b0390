//! The content of tokens, and what can go wrong with them.

use serde::{Deserialize, Serialize};

use super::key_error::KeyError;

/// The claim `iss` of the suite's tokens.
pub const ISSUER: &str = "shopping-guide";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) scope: String,
    pub(super) exp: i64,
    pub(super) iat: i64,
    pub(super) iss: String,
}

/// A token could not be minted or verified.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired")]
    Expired,
    /// Not a token, or another algorithm, key or issuer.
    #[error("the token is not valid")]
    Invalid(#[source] jsonwebtoken::errors::Error),
    #[error("the signing key cannot be used")]
    Key(#[source] KeyError),
    #[error("the token cannot be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}
