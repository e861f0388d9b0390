//! Minting tokens.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use uuid::Uuid;

use super::{
    claims::{AUDIENCE, ISSUER, MintedClaims, RENEWAL_AUDIENCE, TokenError},
    key::SigningKey,
    renewal::Renewal,
    scope::Scope,
};
use crate::clock;

/// Mints a token that grants `scopes` to `subject` for `lifetime`, at most 90 days.
pub fn mint(
    key: &SigningKey,
    subject: &str,
    scopes: &[Scope],
    lifetime: Duration,
) -> Result<String, TokenError> {
    let now = clock::now().timestamp();
    let scope = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
    let claims = MintedClaims {
        iss: ISSUER,
        aud: AUDIENCE,
        sub: subject,
        iat: now,
        exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        jti: Uuid::new_v4().to_string(),
        scope: Some(scope),
        generation: None,
    };
    sign(key, &claims)
}

/// Mints a renewal token.
pub fn mint_renewal(key: &SigningKey, renewal: &Renewal) -> Result<String, TokenError> {
    let claims = MintedClaims {
        iss: ISSUER,
        aud: RENEWAL_AUDIENCE,
        sub: &renewal.subject_claim(),
        iat: clock::now().timestamp(),
        exp: renewal.expires_at.timestamp(),
        jti: Uuid::new_v4().to_string(),
        scope: None,
        generation: Some(renewal.generation),
    };
    sign(key, &claims)
}

fn sign(key: &SigningKey, claims: &MintedClaims<'_>) -> Result<String, TokenError> {
    let header = Header { kid: key.id(), ..Header::new(Algorithm::EdDSA) };
    let pkcs8 = key.to_pkcs8().map_err(TokenError::Key)?;
    let key = EncodingKey::from_ed_der(pkcs8.as_bytes());
    jsonwebtoken::encode(&header, claims, &key).map_err(TokenError::Signing)
}
