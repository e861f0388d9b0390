//! What tokens of an issuer must claim, and what they grant.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    caller::Caller,
    claims::{AUDIENCE, Claims, ISSUER, TokenError},
    role::RoleMapping,
    scope::Scope,
};

/// The allowed clock difference of two machines, in seconds.
pub(super) const LEEWAY: i64 = 5;

/// The longest lifetime of the suite's own tokens that is left, in seconds: 90 days.
const MAX_LIFETIME: i64 = 90 * 86_400;

/// The longest lifetime of another issuer's tokens that is left, in seconds: a day.
const MAX_FOREIGN_LIFETIME: i64 = 86_400;

/// The longest subject, in bytes. OIDC allows no longer one.
const MAX_SUBJECT: usize = 255;

/// The prefix of the subjects of another issuer: they are never customers.
const FOREIGN_PREFIX: &str = "oidc:";

/// What tokens of one issuer must claim, and what they grant.
#[derive(Debug)]
pub(super) enum Policy {
    /// The suite itself: the claim `scope` has the scopes.
    Own,
    /// Another issuer: a claim has values that stand for roles.
    Foreign { issuer: String, audience: String, roles_claim: String, roles: RoleMapping },
}

impl Policy {
    /// The claim `iss` of the issuer's tokens.
    pub(super) fn issuer(&self) -> &str {
        match self {
            Policy::Own => ISSUER,
            Policy::Foreign { issuer, .. } => issuer,
        }
    }

    /// The caller of an access token with these claims, whose signature is valid. `now` is in seconds of Unix time.
    pub(super) fn caller(&self, claims: &Claims, now: i64) -> Result<Caller, TokenError> {
        let (max_lifetime, is_for_us) = match self {
            // Earlier versions named no audience.
            Policy::Own => (MAX_LIFETIME, claims.is_for(AUDIENCE).unwrap_or(true)),
            Policy::Foreign { audience, .. } => {
                (MAX_FOREIGN_LIFETIME, claims.is_for(audience).unwrap_or(false))
            }
        };
        if !is_for_us {
            return Err(TokenError::Refused("another audience"));
        }
        check_times(claims, max_lifetime, now)?;
        if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT {
            return Err(TokenError::Refused("the subject"));
        }
        let (subject, scopes) = match self {
            Policy::Own => (claims.sub.clone(), own_scopes(claims)),
            Policy::Foreign { roles_claim, roles, .. } => {
                let subject = format!("{FOREIGN_PREFIX}{}", claims.sub);
                (subject, role_scopes(claims.find(roles_claim), roles))
            }
        };
        Ok(Caller::new(subject, scopes, claims.exp()))
    }
}

/// Checks when the token is valid, and that it does not live for too long.
pub(super) fn check_times(claims: &Claims, max_lifetime: i64, now: i64) -> Result<(), TokenError> {
    let (earliest, latest) = (now.saturating_sub(LEEWAY), now.saturating_add(LEEWAY));
    if claims.exp() < earliest {
        return Err(TokenError::Expired);
    }
    if claims.exp() > latest.saturating_add(max_lifetime) {
        return Err(TokenError::Refused("its lifetime"));
    }
    if [claims.nbf(), claims.iat()].into_iter().flatten().any(|begin| begin > latest) {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

/// Unknown scopes are ignored.
fn own_scopes(claims: &Claims) -> BTreeSet<Scope> {
    let scope = claims.others.get("scope").and_then(Value::as_str).unwrap_or_default();
    scope.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The scopes of all roles in the claim: a list, or a text with spaces. Unknown values are ignored.
fn role_scopes(claim: Option<&Value>, roles: &RoleMapping) -> BTreeSet<Scope> {
    let values: Vec<&str> = match claim {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
        Some(_) | None => Vec::new(),
    };
    let roles = values.into_iter().flat_map(|value| roles.roles_of(value));
    roles.flat_map(|role| role.scopes().iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Claims, Policy, TokenError};
    use crate::auth::Scope;

    const NOW: i64 = 1_800_000_000;

    fn foreign() -> Policy {
        Policy::Foreign {
            issuer: "https://id.example".to_owned(),
            audience: "shop".to_owned(),
            roles_claim: "realm_access.roles".to_owned(),
            roles: "buyers=merchandiser,admins=owner".parse().unwrap(),
        }
    }

    fn claims(change: &Value) -> Claims {
        let mut claims = json!({"iss": "i", "sub": "ann", "aud": "shop", "exp": NOW + 60,
            "realm_access": {"roles": ["buyers", "visitors"]}});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        serde_json::from_value(claims).unwrap()
    }

    #[test]
    fn values_of_a_claim_grant_the_scopes_of_their_roles() {
        let caller = foreign().caller(&claims(&json!({})), NOW).unwrap();
        assert_eq!(caller.subject(), "oidc:ann");
        assert!(caller.has(Scope::CatalogWrite) && !caller.has(Scope::StaffAdmin));
        // Scopes of another issuer are not ours.
        let scoped = claims(&json!({"scope": "ops", "realm_access": null}));
        assert!(!foreign().caller(&scoped, NOW).unwrap().has(Scope::Ops));
        let text = claims(&json!({"realm_access": {"roles": "visitors admins"}}));
        assert!(foreign().caller(&text, NOW).unwrap().has(Scope::StaffAdmin));
    }

    #[test]
    fn a_token_is_used_in_its_time_and_place_alone() {
        let refused = |change: Value| foreign().caller(&claims(&change), NOW).unwrap_err();
        assert!(matches!(refused(json!({"exp": NOW - 6})), TokenError::Expired));
        assert!(matches!(refused(json!({"nbf": NOW + 6})), TokenError::NotYetValid));
        assert!(matches!(refused(json!({"iat": NOW + 6})), TokenError::NotYetValid));
        for change in [
            json!({"exp": NOW + 100 * 365 * 86_400}),
            json!({"exp": 1e300}),
            json!({"exp": u64::MAX}),
            json!({"aud": null}),
            json!({"aud": ["other"]}),
            json!({"sub": ""}),
            json!({"sub": "x".repeat(256)}),
        ] {
            assert!(matches!(refused(change.clone()), TokenError::Refused(_)), "{change}");
        }
        for change in [
            json!({"exp": NOW - 5}),
            json!({"nbf": NOW + 5}),
            json!({"exp": 1_800_000_000.5}),
            json!({"aud": ["other", "shop"]}),
        ] {
            assert!(foreign().caller(&claims(&change), NOW).is_ok(), "{change}");
        }
    }

    #[test]
    fn own_tokens_may_lack_an_audience_but_not_name_another() {
        let own = |change: Value| Policy::Own.caller(&claims(&change), NOW);
        assert!(own(json!({"aud": null, "scope": "ops"})).unwrap().has(Scope::Ops));
        assert!(own(json!({"aud": "shopping-guide"})).is_ok());
        assert!(own(json!({"aud": "shopping-guide/renewal"})).is_err());
        assert!(own(json!({"aud": null, "exp": NOW + 91 * 86_400})).is_err());
    }
}
