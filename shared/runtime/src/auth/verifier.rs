//! Verifying tokens.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use ed25519_dalek::{VerifyingKey, pkcs8::DecodePublicKey as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use quick_cache::sync::Cache;

use super::{
    caller::Caller,
    claims::{Claims, ISSUER, TokenError},
    key_error::KeyError,
    scope::Scope,
};
use crate::clock;

/// The allowed clock difference of two machines, in seconds.
const LEEWAY: u64 = 5;

/// The number of tokens whose signatures are remembered. Verifying one takes as long as a small query.
const CACHED_TOKENS: usize = 4_096;

/// Verifies tokens with the public key of their signer. Cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    key: DecodingKey,
    validation: Validation,
    /// Tokens with a valid signature.
    verified: Cache<Box<str>, Verified>,
}

/// What a token with a valid signature grants.
#[derive(Debug, Clone)]
struct Verified {
    caller: Caller,
    /// Seconds of Unix time.
    expires_at: i64,
}

impl Verifier {
    pub(super) fn new(key: &VerifyingKey) -> Verifier {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = LEEWAY;
        let (key, verified) = (DecodingKey::from_ed_der(key.as_bytes()), Cache::new(CACHED_TOKENS));
        Verifier(Arc::new(Inner { key, validation, verified }))
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
        let Inner { key, validation, verified } = &*self.0;
        if let Some(Verified { caller, expires_at }) = verified.get(token) {
            let has_expired = expires_at < clock::now().timestamp() - LEEWAY.cast_signed();
            return if has_expired { Err(TokenError::Expired) } else { Ok(caller) };
        }
        match jsonwebtoken::decode::<Claims>(token, key, validation) {
            Ok(decoded) => {
                let Claims { sub, scope, exp, .. } = decoded.claims;
                let scopes = scope.split_ascii_whitespace();
                let scopes: BTreeSet<Scope> = scopes.filter_map(|word| word.parse().ok()).collect();
                let caller = Caller::new(sub, scopes);
                let entry = Verified { caller: caller.clone(), expires_at: exp };
                verified.insert(token.into(), entry);
                Ok(caller)
            }
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => {
                Err(TokenError::Expired)
            }
            Err(error) => Err(TokenError::Invalid(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{TokenError, Verified};
    use crate::auth::{Scope, SigningKey, mint};

    #[test]
    fn a_remembered_token_expires_as_well() {
        let key = SigningKey::generate().unwrap();
        let verifier = key.verifier();
        let token = mint(&key, "ann", &[Scope::OrdersRead], Duration::from_mins(1)).unwrap();
        let caller = verifier.verify(&token).unwrap();
        assert_eq!(verifier.verify(&token).unwrap(), caller);
        let other = SigningKey::generate().unwrap().verifier();
        assert!(matches!(other.verify(&token), Err(TokenError::Invalid(_))));
        verifier.0.verified.insert(token.as_str().into(), Verified { caller, expires_at: 1 });
        assert!(matches!(verifier.verify(&token), Err(TokenError::Expired)));
    }
}
