//! The command `token`: mints tokens for operators and scripts.

use std::{path::PathBuf, time::Duration};

use runtime::auth::{KeyError, Scope, SigningKey, TokenError, mint};

/// The claims of the token.
#[derive(Debug, Clone, clap::Args)]
pub struct Request {
    /// File of the private key that signs tokens (Ed25519, PKCS#8, DER).
    #[arg(long, env = "TOKEN_KEY_FILE")]
    pub token_key_file: PathBuf,
    /// The subject: a customer id if the token shall place or read orders.
    #[arg(long, value_name = "ID", default_value = "operator")]
    pub subject: String,
    /// The lifetime in hours, at most 90 days.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=2160))]
    pub hours: u64,
    /// The scopes, such as `ops` or `catalog:write`.
    #[arg(required = true, value_name = "SCOPE")]
    pub scopes: Vec<Scope>,
}

/// Why no token can be minted.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("cannot read the signing key")]
    Key(#[from] KeyError),
    #[error("cannot sign the token")]
    Token(#[from] TokenError),
}

impl Request {
    /// Mints the token.
    pub fn mint(&self) -> Result<String, RequestError> {
        let key = SigningKey::read(&self.token_key_file)?;
        let lifetime = Duration::from_hours(self.hours);
        Ok(mint(&key, &self.subject, &self.scopes, lifetime)?)
    }
}
