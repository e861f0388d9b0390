//! No route, and no such method.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;

use crate::send;

#[tokio::test]
async fn there_is_a_problem_for_what_is_not_routed() {
    let router = Router::new()
        .route("/here", get(async || "here").put(async || "put"))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed);

    let answer = send(&router, Request::get("/there?x=1").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.problem(), (404, "route_not_found", vec![]));
    assert_eq!(answer.body["detail"], "Nothing answers GET /there; see /docs.");

    let answer = send(&router, Request::post("/here").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed", vec![]));
    assert_eq!(answer.header("allow"), "GET,HEAD,PUT");
}
