//! Minting tokens.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::{
    claims::{Claims, ISSUER, TokenError},
    key::SigningKey,
    scope::Scope,
};
use crate::clock;

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
