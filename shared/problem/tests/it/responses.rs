//! The exact body and headers of each problem.

use std::time::Duration;

use axum::http::StatusCode;
use envelope::trace::{TraceContext, scope};
use problem::{FieldError, Fields, MAX_FIELD_ERRORS, Problem};
use serde_json::json;
use utoipa::{IntoResponses as _, PartialSchema as _};

use crate::TestResponse;

#[tokio::test]
async fn a_problem_has_all_its_members() {
    let context = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let problem = Problem::conflict("sku_taken", "Another product has this SKU")
        .detail("Product 7 has it.")
        .errors(vec![FieldError::new("sku", "taken", "is taken")])
        .member("product_id", 7)
        .member("status", 200);
    let response = scope(context.unwrap(), TestResponse::of(problem)).await;
    assert_eq!(
        response.body,
        json!({
            "type": "/problems/sku_taken",
            "title": "Another product has this SKU",
            "status": 409,
            "code": "sku_taken",
            "detail": "Product 7 has it.",
            "errors": [{"field": "sku", "code": "taken", "message": "is taken"}],
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "product_id": 7
        })
    );
    assert_eq!(response.problem(), (409, "sku_taken", vec!["sku"]));
}

#[tokio::test]
async fn not_found_names_the_resource() {
    let response = TestResponse::of(Problem::not_found("product 7")).await;
    assert_eq!(
        response.body,
        json!({
            "type": "/problems/not_found", "title": "Not found", "status": 404, "code": "not_found",
            "detail": "There is no product 7."
        })
    );
}

#[tokio::test]
async fn validation_lists_every_field() {
    let mut fields = Fields::new();
    assert_eq!(fields.check("lines[0].sku", "x".parse::<u8>()), None);
    assert_eq!(fields.check("lines[1].sku", "8".parse::<u8>()), Some(8));
    assert_eq!(fields.require("customer_id", None::<u8>), None);
    fields.refuse("lines", "too_many", "has more than 100 entries");
    assert!(!fields.is_ok());
    let response = TestResponse::of(fields.finish().unwrap_err()).await;
    assert_eq!(
        response.body,
        json!({
            "type": "/problems/validation_failed", "title": "Validation failed", "status": 422,
            "code": "validation_failed", "detail": "3 fields are not valid; see `errors`.",
            "errors": [
                {"field": "lines[0].sku", "code": "invalid", "message": "invalid digit found in string"},
                {"field": "customer_id", "code": "required", "message": "is required"},
                {"field": "lines", "code": "too_many", "message": "has more than 100 entries"}
            ]
        })
    );
}

#[tokio::test]
async fn the_list_of_field_errors_is_bounded() {
    let mut fields = Fields::new();
    for index in 0..MAX_FIELD_ERRORS + 37 {
        fields.refuse(format!("lines[{index}]"), "invalid", "is wrong");
    }
    let response = TestResponse::of(fields.finish_with(|| Some(())).unwrap_err()).await;
    assert_eq!(response.body["errors"].as_array().unwrap().len(), MAX_FIELD_ERRORS);
    assert_eq!(response.body["detail"], "137 fields are not valid; the first 100 are in `errors`.");
}

#[tokio::test]
async fn unauthorized_and_forbidden_explain_what_is_missing() {
    let unauthorized = TestResponse::of(Problem::unauthorized("The token has expired.")).await;
    assert_eq!(unauthorized.problem(), (401, "unauthorized", vec![]));
    assert_eq!(unauthorized.header("www-authenticate"), "Bearer");
    assert_eq!(unauthorized.body["detail"], "The token has expired.");

    let forbidden = TestResponse::of(Problem::forbidden("stock:write")).await;
    assert_eq!(forbidden.problem(), (403, "insufficient_scope", vec![]));
    assert_eq!(
        forbidden.header("www-authenticate"),
        "Bearer error=\"insufficient_scope\", scope=\"stock:write\""
    );
    assert_eq!(forbidden.body["detail"], "This operation requires the scope `stock:write`.");
}

#[tokio::test]
async fn unavailable_sets_retry_after() {
    let later = |after| TestResponse::of(Problem::unavailable("broker_unavailable", after));
    let response = later(Duration::from_millis(1500)).await;
    assert_eq!(response.problem(), (503, "broker_unavailable", vec![]));
    assert_eq!(response.header("retry-after"), "2");
    assert_eq!(later(Duration::ZERO).await.header("retry-after"), "1");
}

#[tokio::test]
async fn other_problems_have_their_codes() {
    for (problem, status, code) in [
        (Problem::precondition_failed(), 412, "precondition_failed"),
        (Problem::internal(), 500, "internal"),
        (
            Problem::bad_request("invalid_cursor", "The cursor is not one of ours"),
            400,
            "invalid_cursor",
        ),
        (Problem::new(StatusCode::GONE, "gone", "It was here once"), 410, "gone"),
    ] {
        let text = problem.to_string();
        assert!(text.starts_with(&format!("{status} {code}: ")), "{text}");
        assert_eq!(TestResponse::of(problem).await.problem(), (status, code, vec![]));
    }
}

#[test]
fn a_problem_is_one_pointer_wide() {
    assert_eq!(size_of::<Problem>(), size_of::<usize>());
}

#[test]
fn the_schema_has_the_members_of_the_body() {
    let schema = serde_json::to_value(Problem::schema()).unwrap();
    let mut members: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["code", "detail", "errors", "status", "title", "trace_id", "type"]);
    assert_eq!(schema["required"], json!(["type", "title", "status", "code"]));
    assert_eq!(Problem::responses().into_keys().collect::<Vec<_>>(), ["default"]);
}
