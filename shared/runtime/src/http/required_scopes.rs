//! Checks the scopes of the OpenAPI document before a handler reads the request.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use problem::Problem;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::internal::{OPEN_AT_INTERNAL, is_internal};
use crate::auth::{Caller, Scope, Verifier};

/// The scopes of all operations that need a token. Handlers check them again, and more precisely.
#[derive(Clone)]
pub(super) struct RequiredScopes(Arc<Inner>);

struct Inner {
    verifier: Verifier,
    /// By path and method.
    operations: HashMap<String, HashMap<Method, Requirement>>,
}

/// What an operation needs.
struct Requirement {
    /// It needs one of them.
    alternatives: Vec<Alternative>,
    /// Whether it needs nothing at the internal listener.
    is_open_at_internal: bool,
}

/// The scopes of an alternative.
type Alternative = Vec<Scope>;

impl RequiredScopes {
    pub(super) fn new(document: &OpenApi, verifier: Verifier) -> RequiredScopes {
        let document = serde_json::to_value(document).unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            let methods = methods.filter_map(|(method, operation)| {
                Some((method.to_uppercase().parse().ok()?, requirement(operation)?))
            });
            (path.clone(), methods.collect())
        });
        RequiredScopes(Arc::new(Inner { verifier, operations: operations.collect() }))
    }

    /// `None` if the operation needs no token.
    fn of(&self, path: &str, method: &Method) -> Option<&Requirement> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.operations.get(path)?.get(method)
    }
}

/// What an operation needs; `None` if it needs no token. It needs none if one of the alternatives is empty: then a token only shows
/// more.
fn requirement(operation: &Value) -> Option<Requirement> {
    let alternatives = operation["security"].as_array()?;
    if alternatives.iter().any(|alternative| alternative["bearer"].is_null()) {
        return None;
    }
    let scopes = |requirement: &Value| {
        let names = requirement["bearer"].as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str()?.parse().ok()).collect()
    };
    let alternatives = alternatives.iter().map(scopes).collect();
    let is_open_at_internal = operation[OPEN_AT_INTERNAL] == true;
    Some(Requirement { alternatives, is_open_at_internal })
}

/// Answers 401 or 403 before the body is read.
pub(super) async fn check(
    State(required): State<RequiredScopes>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let requirement = route.and_then(|route| required.of(route.as_str(), request.method()));
    let Some(Requirement { alternatives, is_open_at_internal }) = requirement else {
        return next.run(request).await;
    };
    if *is_open_at_internal && is_internal(request.extensions()) {
        return next.run(request).await;
    }
    let checked = Caller::of(request.headers(), &required.0.verifier).await.and_then(|caller| {
        let caller = caller.ok_or_else(|| Problem::unauthorized("No bearer token was sent."))?;
        let mut results = alternatives
            .iter()
            .map(|scopes| scopes.iter().try_for_each(|scope| caller.require_covered(*scope)));
        // The first one is the usual one.
        let first = results.next().unwrap_or(Ok(()));
        first.or_else(
            |refusal| if results.any(|result| result.is_ok()) { Ok(()) } else { Err(refusal) },
        )
    });
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
