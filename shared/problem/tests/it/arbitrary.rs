//! The extractors with arbitrary input: an answer is a success or a problem of the client, never an internal error.

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    http::{HeaderValue, Request, Uri},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use problem::{IdempotencyKey, IfMatch, Json, Path, Query};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::{TestResponse, send};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    customer: String,
    lines: Vec<u32>,
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<u8>,
    cursor: Option<String>,
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    since: Option<DateTime<Utc>>,
}

fn router() -> Router {
    Router::new()
        .route("/orders", post(async |Json(order): Json<Order>| Json(order)))
        .route("/orders/{id}", get(async |Path(id): Path<u64>| Json(id)))
        .route("/names/{name}", get(async |Path(name): Path<String>| Json(name)))
        .route("/orders", get(async |Query(page): Query<Page>| Json(page)))
        .route(
            "/versions",
            get(async |if_match: Option<IfMatch>| Json(if_match.map(IfMatch::version))),
        )
        .route(
            "/keys",
            get(async |key: Option<IdempotencyKey>| Json(key.map(|key| key.as_str().to_owned()))),
        )
        .layer(DefaultBodyLimit::max(512))
}

fn answer(request: Request<Body>) -> TestResponse {
    Runtime::new().unwrap().block_on(send(&router(), request))
}

/// The answer is 200, or a problem that blames the request.
fn check(answer: &TestResponse) -> Result<(), TestCaseError> {
    if answer.status == 200 {
        return Ok(());
    }
    prop_assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.body);
    let (_, code, _) = answer.problem();
    prop_assert!(!code.is_empty());
    Ok(())
}

/// JSON that may fit, and texts that are hostile.
fn json_text() -> impl Strategy<Value = String> {
    let text = "\\PC{0,8}|\u{0}|a\u{0}b|-?[0-9]{1,6}-0[0-9]-01T00:00:00Z";
    (text, any::<i64>(), 0_usize..8).prop_map(|(text, number, shape)| {
        let text = serde_json::to_string(&text).unwrap();
        match shape {
            0 => format!(r#"{{"customer":{text},"lines":[{number}]}}"#),
            1 => format!(r#"{{"customer":{text},"lines":[1],"at":{text}}}"#),
            2 => format!(r#"{{"customer":{number},"lines":{text}}}"#),
            3 => format!(r#"{{"customer":{text},"customer":{text},"lines":[]}}"#),
            4 => format!(r#"{{{text}:1,"customer":"c","lines":[]}}"#),
            5 => "[".repeat(400),
            6 => format!("{text}{text}"),
            _ => format!(r#"{{"customer":"\ud800","lines":[{number}e{number}]}}"#),
        }
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_as_json_body(body in vec(any::<u8>(), 0..600), kind in "application/json|\\PC{0,12}") {
        let Ok(kind) = HeaderValue::from_str(&kind) else { return Ok(()) };
        let request = Request::post("/orders").header("content-type", kind);
        check(&answer(request.body(Body::from(body)).unwrap()))?;
    }

    #[test]
    fn arbitrary_json_as_body(body in json_text()) {
        let request = Request::post("/orders").header("content-type", "application/json");
        let answer = answer(request.body(Body::from(body)).unwrap());
        check(&answer)?;
        prop_assert!(!answer.body.to_string().contains("\\u0000"), "{}", answer.body);
    }

    #[test]
    fn arbitrary_paths_and_queries(
        segment in "([a-z0-9]|%[0-9a-fA-F]{2}){1,12}", query in "([a-z]{1,6}=([a-zA-Z0-9:+-]|%[0-9a-fA-F]{2}){0,24}&?){0,4}|[!-~]{0,30}",
    ) {
        for path in [format!("/orders/{segment}"), format!("/names/{segment}"), format!("/orders?{query}")] {
            let Ok(uri) = path.parse::<Uri>() else { continue };
            check(&answer(Request::get(uri).body(Body::empty()).unwrap()))?;
        }
    }

    #[test]
    fn arbitrary_header_values(value in vec(any::<u8>(), 0..300), tag in "W?/?\"?[0-9*\"-]{0,22}\"?") {
        for value in [value, tag.into_bytes()] {
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            for (path, name) in [("/versions", "if-match"), ("/keys", "idempotency-key")] {
                let request = Request::get(path).header(name, value.clone());
                check(&answer(request.body(Body::empty()).unwrap()))?;
            }
        }
    }
}
