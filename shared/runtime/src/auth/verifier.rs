//! Verifying tokens.

use std::{path::Path, sync::Arc};

use ed25519_dalek::VerifyingKey;
use jsonwebtoken::{Validation, dangerous::insecure_decode};
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::Value;

use super::{
    caller::Caller,
    claims::{Claims, RENEWAL_AUDIENCE, TokenError},
    issuer::IssuerKeys,
    key_error::{KeyError, OidcError},
    key_set::KeySet,
    keys::{Keys, Source},
    policy::{LEEWAY, Policy, check_times},
    renewal::Renewal,
    settings::{Oidc, Tokens},
};
use crate::clock;

/// The number of tokens whose signatures are remembered. Verifying one takes as long as a small query.
const CACHED_TOKENS: usize = 16_384;

/// Verifies the tokens of the suite, and those of another issuer if there is one. Cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    /// The suite's own keys.
    own: Trusted,
    foreign: Option<Trusted>,
    /// Tokens with a valid signature.
    verified: Cache<Box<str>, Caller>,
}

/// An issuer whose tokens are accepted.
struct Trusted {
    policy: Policy,
    keys: Keys,
}

/// The claim that tells which keys to use. Nothing else of a token is believed before its signature is verified.
#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

impl Verifier {
    pub(super) fn of_key(key: &VerifyingKey) -> Verifier {
        Verifier::new(Keys::new(Source::Fixed, KeySet::of_one(key)), None)
    }

    fn new(own: Keys, foreign: Option<Trusted>) -> Verifier {
        let own = Trusted { policy: Policy::Own, keys: own };
        Verifier(Arc::new(Inner { own, foreign, verified: Cache::new(CACHED_TOKENS) }))
    }

    /// Reads a file with the suite's public key (SPKI, DER) or its key set (JSON). A token with an unknown key makes it read the file
    /// again.
    pub fn read(path: impl AsRef<Path>) -> Result<Verifier, KeyError> {
        Verifier::of_file(path.as_ref(), None)
    }

    /// Reads the keys that the settings name.
    pub fn open(settings: &Tokens) -> Result<Verifier, KeyError> {
        Verifier::of_file(&settings.public_key_file, trusted(&settings.oidc)?)
    }

    /// The same, and the issuer in `settings` is trusted as well.
    pub fn open_with(path: impl AsRef<Path>, settings: &Oidc) -> Result<Verifier, KeyError> {
        Verifier::of_file(path.as_ref(), trusted(settings)?)
    }

    fn of_file(path: &Path, foreign: Option<Trusted>) -> Result<Verifier, KeyError> {
        let known = KeySet::read(path)?;
        Ok(Verifier::new(Keys::new(Source::File(path.to_owned()), known), foreign))
    }

    /// The suite's own public keys as a JSON Web Key Set.
    pub fn jwks(&self) -> Value {
        self.0.own.keys.current().document().clone()
    }

    /// Returns the caller of a valid token. If its key is unknown, or the keys are old, the keys of its issuer are read again.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, TokenError> {
        let Inner { own, foreign, verified } = &*self.0;
        let mut has_changed = false;
        for trusted in std::iter::once(own).chain(foreign) {
            has_changed |= trusted.keys.refresh_if_old().await;
        }
        if has_changed {
            verified.clear();
        }
        match self.verify(token) {
            Err(TokenError::UnknownKey) => {
                if self.trusted(token)?.keys.refresh().await {
                    verified.clear();
                }
                self.verify(token)
            }
            result => result,
        }
    }

    /// Returns the caller of a valid token whose key is known.
    pub fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let verified = &self.0.verified;
        let now = clock::now().timestamp();
        if let Some(caller) = verified.get(token) {
            let has_expired = caller.expires_at() < now - LEEWAY;
            return if has_expired { Err(TokenError::Expired) } else { Ok(caller) };
        }
        let trusted = self.trusted(token)?;
        let caller = trusted.policy.caller(&trusted.claims(token)?, now)?;
        verified.insert(token.into(), caller.clone());
        Ok(caller)
    }

    /// What a renewal token of the suite stands for. If its key is unknown, the suite's keys are read again.
    pub async fn authenticate_renewal(&self, token: &str) -> Result<Renewal, TokenError> {
        let own = &self.0.own;
        let claims = match own.claims(token) {
            Err(TokenError::UnknownKey) => {
                if own.keys.refresh().await {
                    self.0.verified.clear();
                }
                own.claims(token)?
            }
            claims => claims?,
        };
        if claims.iss != own.policy.issuer() || claims.is_for(RENEWAL_AUDIENCE) != Some(true) {
            return Err(TokenError::Refused("not a renewal token"));
        }
        check_times(&claims, i64::MAX, clock::now().timestamp())?;
        Renewal::of(&claims).ok_or(TokenError::Refused("not a renewal token"))
    }

    /// The issuer that the token names.
    fn trusted(&self, token: &str) -> Result<&Trusted, TokenError> {
        let issuer = insecure_decode::<Issuer>(token).map_err(TokenError::Invalid)?.claims.iss;
        let Inner { own, foreign, .. } = &*self.0;
        let mut all = std::iter::once(own).chain(foreign);
        let found = all.find(|trusted| trusted.policy.issuer() == issuer);
        found.ok_or(TokenError::Refused("another issuer"))
    }
}

impl Trusted {
    /// The claims of a token with a valid signature.
    fn claims(&self, token: &str) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(TokenError::Invalid)?;
        // The program understands no extension, so it must refuse all that are critical (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(TokenError::Refused("a critical extension"));
        }
        // The policy checks the claims.
        let mut signature_only = Validation::new(header.alg);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        let keys = self.keys.current();
        let mut refusal = TokenError::UnknownKey;
        for key in keys.candidates(header.kid.as_deref(), header.alg) {
            match jsonwebtoken::decode::<Claims>(token, key, &signature_only) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) => refusal = TokenError::Invalid(error),
            }
        }
        Err(refusal)
    }
}

/// The issuer in `settings`; `None` if they name none.
fn trusted(settings: &Oidc) -> Result<Option<Trusted>, KeyError> {
    let set = |setting: &Option<String>| setting.clone().filter(|text| !text.is_empty());
    let Some(issuer) = set(&settings.issuer) else { return Ok(None) };
    let audience = set(&settings.audience).ok_or(OidcError::NoAudience)?;
    let jwks = set(&settings.jwks);
    let keys = match jwks.as_deref().map(|jwks| (jwks.strip_prefix("file:"), jwks)) {
        Some((Some(path), _)) => {
            let known = KeySet::read(Path::new(path))?;
            Keys::new(Source::File(path.into()), known)
        }
        other => {
            let url = other.map(|(_, url)| url);
            let keys = IssuerKeys::new(&issuer, url, settings)?;
            Keys::new(Source::Issuer(Box::new(keys)), KeySet::default())
        }
    };
    let (roles_claim, roles) = (settings.roles_claim.clone(), settings.roles.clone());
    Ok(Some(Trusted { policy: Policy::Foreign { issuer, audience, roles_claim, roles }, keys }))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::TokenError;
    use crate::auth::{Caller, Scope, SigningKey, mint};

    #[test]
    fn a_remembered_token_expires_as_well() {
        let key = SigningKey::generate().unwrap();
        let verifier = key.verifier();
        let token = mint(&key, "ann", &[Scope::OrdersRead], Duration::from_mins(1)).unwrap();
        let caller = verifier.verify(&token).unwrap();
        assert_eq!(verifier.verify(&token).unwrap(), caller);
        let other = SigningKey::generate().unwrap().verifier();
        assert!(matches!(other.verify(&token), Err(TokenError::UnknownKey)));
        let expired = Caller::new("ann".to_owned(), BTreeSet::new(), 1);
        verifier.0.verified.insert(token.as_str().into(), expired);
        assert!(matches!(verifier.verify(&token), Err(TokenError::Expired)));
    }
}
