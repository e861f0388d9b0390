//! Verifying tokens.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use ed25519_dalek::{VerifyingKey, pkcs8::DecodePublicKey as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};

use super::{
    caller::Caller,
    claims::{Claims, ISSUER, TokenError},
    key_error::KeyError,
    scope::Scope,
};

/// The allowed clock difference of two machines, in seconds.
const LEEWAY: u64 = 5;

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
