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
    /// Seconds of Unix time.
    expires_at: i64,
}

impl Caller {
    pub(super) fn new(subject: String, scopes: BTreeSet<Scope>, expires_at: i64) -> Caller {
        Caller { subject, scopes, expires_at }
    }

    /// When the token expires, in seconds of Unix time.
    pub fn expires_at(&self) -> i64 {
        self.expires_at
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

    /// Returns 403 `insufficient_scope` unless the token carries `scope`, or one that covers it: `orders:admin` covers the
    /// scopes of customers.
    pub(crate) fn require_covered(&self, scope: Scope) -> Result<(), Problem> {
        let is_customer_scope = matches!(scope, Scope::OrdersRead | Scope::OrdersWrite);
        if is_customer_scope && self.has(Scope::OrdersAdmin) { Ok(()) } else { self.require(scope) }
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
        if self.subject == owner { Ok(()) } else { Err(Caller::not_yours(all)) }
    }

    /// Authorises access to data of the subject `owner`: its own token, whatever the scopes, or one with the scope `all`.
    /// Otherwise 403 `not_yours`.
    pub fn require_subject(&self, owner: &str, all: Scope) -> Result<(), Problem> {
        if self.subject == owner || self.has(all) { Ok(()) } else { Err(Caller::not_yours(all)) }
    }

    /// 403 `not_yours`: access to data of all others needs the scope `all`. It is also the answer to data that does not exist,
    /// so that it does not tell what exists.
    pub fn not_yours(all: Scope) -> Problem {
        let title = "The token does not allow this";
        Problem::new(axum::http::StatusCode::FORBIDDEN, "not_yours", title).detail(format!(
            "It does not exist, or belongs to another. Access to all needs `{all}`."
        ))
    }
}
