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

use crate::auth::{Caller, Scope, Verifier};

/// The scopes of all operations that need a token. Handlers check them again, and more precisely.
#[derive(Clone)]
pub(super) struct RequiredScopes(Arc<Inner>);

struct Inner {
    verifier: Verifier,
    /// By path and method.
    operations: HashMap<String, HashMap<Method, Vec<Alternative>>>,
}

/// The scopes of one of the requirements of which an operation needs one.
type Alternative = Vec<Scope>;

impl RequiredScopes {
    pub(super) fn new(document: &OpenApi, verifier: Verifier) -> RequiredScopes {
        let document = serde_json::to_value(document).unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            let methods = methods.filter_map(|(method, operation)| {
                Some((method.to_uppercase().parse().ok()?, alternatives(operation)?))
            });
            (path.clone(), methods.collect())
        });
        RequiredScopes(Arc::new(Inner { verifier, operations: operations.collect() }))
    }

    /// `None` if the operation needs no token.
    fn of(&self, path: &str, method: &Method) -> Option<&[Alternative]> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.operations.get(path)?.get(method).map(Vec::as_slice)
    }
}

/// The requirements of an operation; `None` if it needs no token.
fn alternatives(operation: &Value) -> Option<Vec<Alternative>> {
    let scopes = |requirement: &Value| {
        let names = requirement["bearer"].as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str()?.parse().ok()).collect()
    };
    Some(operation["security"].as_array()?.iter().map(scopes).collect())
}

/// Answers 401 or 403 before the body is read.
pub(super) async fn check(
    State(required): State<RequiredScopes>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let alternatives = route.and_then(|route| required.of(route.as_str(), request.method()));
    let Some(alternatives) = alternatives else { return next.run(request).await };
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
