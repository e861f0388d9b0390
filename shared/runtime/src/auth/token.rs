//! Minting and verifying tokens.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::key::{KeyError, SigningKey};
use super::scope::Scope;
use crate::clock;

/// The claim `iss` of the suite's tokens.
pub const ISSUER: &str = "shopping-guide";

/// The allowed clock difference of two machines, in seconds.
const LEEWAY: u64 = 5;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    scope: String,
    exp: i64,
    iat: i64,
    iss: String,
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

/// Mints a token that grants `scopes` to `subject` for `lifetime`.
pub fn mint(
    key: &SigningKey,
    subject: &str,
    scopes: &[Scope],
    lifetime: Duration,
) -> Result<String, TokenError> {
    let now = clock::now().timestamp();
    let claims = Claims {
        sub: subject.to_owned(),
        scope: scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        iat: now,
        iss: ISSUER.to_owned(),
    };
    let pkcs8 = key.to_pkcs8().map_err(TokenError::Key)?;
    let key = EncodingKey::from_ed_der(pkcs8.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &key).map_err(TokenError::Signing)
}

/// Verifies tokens with the public key of their signer. Cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    pub(super) fn new(key: &VerifyingKey) -> Verifier {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = LEEWAY;
        Verifier(Arc::new(Inner { key: DecodingKey::from_ed_der(key.as_bytes()), validation }))
    }

    /// Reads a public key (SPKI, DER).
    pub fn read(path: impl AsRef<Path>) -> Result<Verifier, KeyError> {
        let path = path.as_ref();
        let der = std::fs::read(path).map_err(|error| KeyError::Read(path.to_owned(), error))?;
        let key = VerifyingKey::from_public_key_der(&der)
            .map_err(|error| KeyError::NotPublic(path.to_owned(), error))?;
        Ok(Verifier::new(&key))
    }

    /// Returns the caller of a valid token. Unknown scopes are ignored.
    pub fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let Inner { key, validation } = &*self.0;
        match jsonwebtoken::decode::<Claims>(token, key, validation) {
            Ok(token) => {
                let scopes = token.claims.scope.split_ascii_whitespace();
                let scopes: BTreeSet<Scope> = scopes.filter_map(|word| word.parse().ok()).collect();
                Ok(Caller::new(token.claims.sub, scopes))
            }
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => {
                Err(TokenError::Expired)
            }
            Err(error) => Err(TokenError::Invalid(error)),
        }
    }
}
