//! The authenticated caller of a request.

use std::collections::BTreeSet;

use problem::Problem;

use super::scope::Scope;

/// The subject and scopes of a valid bearer token.
///
/// The extractor rejects a missing or invalid token with 401 `unauthorized`. `Option<Caller>` allows a missing token
/// and still rejects an invalid one. The state must provide a [`Verifier`](super::Verifier) by `FromRef`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    subject: String,
    scopes: BTreeSet<Scope>,
}

impl Caller {
    pub(super) fn new(subject: String, scopes: BTreeSet<Scope>) -> Caller {
        Caller { subject, scopes }
    }

    /// The token's subject: a customer's id, or the name of a program.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether the token carries `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns 403 `insufficient_scope` unless the token carries `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) { Ok(()) } else { Err(Problem::forbidden(scope)) }
    }

    /// Authorises access to data of the customer `owner`.
    ///
    /// The token needs the scope `all`, or `scope` with `owner` as its subject. Otherwise 403: `insufficient_scope`
    /// without the scope, `not_yours` for another customer's data.
    pub fn require_own(&self, scope: Scope, owner: &str, all: Scope) -> Result<(), Problem> {
        if self.has(all) {
            return Ok(());
        }
        self.require(scope)?;
        if self.subject == owner {
            return Ok(());
        }
        Err(Problem::new(
            axum::http::StatusCode::FORBIDDEN,
            "not_yours",
            "The token does not allow this",
        )
        .detail(format!("This belongs to another customer. Access needs the scope `{all}`.")))
    }
}
