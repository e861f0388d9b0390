//! What a router answers where it has no route.

use axum::http::{Method, StatusCode, Uri};

use crate::Problem;

/// 404 `route_not_found`, for `Router::fallback`.
pub async fn not_found(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "route_not_found", "There is no such route")
        .detail(format!("Nothing answers {method} {}; see /docs.", uri.path()))
}

/// 405 `method_not_allowed`, for `Router::method_not_allowed_fallback`; the router adds `Allow`.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "The route does not take this method",
    )
    .detail(format!("{} does not take {method}; the header Allow says what it takes.", uri.path()))
}
