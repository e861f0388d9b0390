//! Responses of a router for unknown routes and methods.

use axum::http::{Method, StatusCode, Uri};

use crate::response::Problem;

/// 404 `route_not_found`, for `Router::fallback`.
pub async fn not_found(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "route_not_found", "There is no such route")
        .detail(format!("No route matches {method} {}; see /docs.", uri.path()))
}

/// 405 `method_not_allowed`, for `Router::method_not_allowed_fallback`; the router adds `Allow`.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "The route does not support this method",
    )
    .detail(format!(
        "{} does not support {method}; the Allow header lists the supported methods.",
        uri.path()
    ))
}
