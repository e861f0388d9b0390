//! Unknown routes and methods.

use axum::{Router, body::Body, http::Request, routing::get};

use crate::send;

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let router = Router::new()
        .route("/here", get(async || "here").put(async || "put"))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed);

    let response = send(&router, Request::get("/there?x=1").body(Body::empty()).unwrap()).await;
    assert_eq!(response.problem(), (404, "route_not_found", vec![]));
    assert_eq!(response.body["detail"], "No route matches GET /there; see /docs.");

    let response = send(&router, Request::post("/here").body(Body::empty()).unwrap()).await;
    assert_eq!(response.problem(), (405, "method_not_allowed", vec![]));
    assert_eq!(response.header("allow"), "GET,HEAD,PUT");
}
