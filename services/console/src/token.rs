//! Tokens for people at a command line.

use std::path::PathBuf;
use std::time::Duration;

use runtime::auth::{KeyError, Scope, SigningKey, TokenError, mint};

/// What the token shall say.
#[derive(Debug, Clone, clap::Args)]
pub struct Request {
    /// File of the private key that signs tokens (Ed25519, PKCS#8, DER).
    #[arg(long, env = "TOKEN_KEY_FILE")]
    pub token_key_file: PathBuf,
    /// Whom it is for: a customer's id where orders are to be placed or read.
    #[arg(long, value_name = "ID", default_value = "operator")]
    pub subject: String,
    /// How many hours it is good.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=8760))]
    pub hours: u64,
    /// What it allows, such as `ops` or `catalog:write`.
    #[arg(required = true, value_name = "SCOPE")]
    pub scopes: Vec<Scope>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The key cannot be had.
    #[error("no key to sign with")]
    Key(#[from] KeyError),
    /// It cannot be signed.
    #[error("no token")]
    Token(#[from] TokenError),
}

impl Request {
    /// The token.
    pub fn mint(&self) -> Result<String, RequestError> {
        let key = SigningKey::read(&self.token_key_file)?;
        let lifetime = Duration::from_hours(self.hours);
        Ok(mint(&key, &self.subject, &self.scopes, lifetime)?)
    }
}
