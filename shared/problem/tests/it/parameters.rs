//! Path and query parameters.

use axum::{Router, routing::get};
use problem::{Json, Path, Query};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::get as get_from;

#[derive(Debug, Deserialize, Serialize)]
struct Page {
    limit: u8,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Place {
    warehouse: u32,
    shelf: u32,
}

fn router() -> Router {
    Router::new()
        .route("/products/{id}", get(async |Path(id): Path<u64>| Json(id)))
        .route("/pairs/{a}/{b}", get(async |Path(pair): Path<(u8, u8)>| Json(pair)))
        .route("/places/{warehouse}/{shelf}", get(async |Path(place): Path<Place>| Json(place)))
        .route("/wrong/{id}", get(async |Path(pair): Path<(u8, u8)>| Json(pair)))
        .route("/products", get(async |Query(page): Query<Page>| Json(page)))
}

#[tokio::test]
async fn valid_parameters_are_accepted() {
    assert_eq!(get_from(&router(), "/products/7").await.body, json!(7));
    assert_eq!(get_from(&router(), "/pairs/1/2").await.body, json!([1, 2]));
    assert_eq!(get_from(&router(), "/places/1/2").await.body, json!({"warehouse": 1, "shelf": 2}));
    let page = get_from(&router(), "/products?limit=20&cursor=a%20b").await;
    assert_eq!(page.body, json!({"limit": 20, "cursor": "a b"}));
}

#[tokio::test]
async fn an_invalid_path_is_400_and_names_the_parameter() {
    for (path, field) in [
        ("/products/seven", ""),
        ("/pairs/1/two", "[1]"),
        ("/places/1/two", "shelf"),
        ("/places/1/%ff", "shelf"),
    ] {
        let response = get_from(&router(), path).await;
        assert_eq!(
            response.problem(),
            (400, "invalid_path", vec![field]),
            "{path} {}",
            response.body
        );
    }
}

#[tokio::test]
async fn a_handler_with_parameters_its_route_lacks_is_500() {
    assert_eq!(get_from(&router(), "/wrong/1").await.problem(), (500, "internal", vec![]));
}

#[tokio::test]
async fn an_invalid_query_is_400_and_names_the_parameter() {
    for (query, field, code, message) in [
        ("limit=many", "limit", "invalid", "invalid digit found in string"),
        ("limit=256", "limit", "invalid", "number too large to fit in target type"),
        ("limit=", "limit", "invalid", "cannot parse integer from empty string"),
        ("", "limit", "required", "is required"),
        ("limit=1&limit=2", "limit", "invalid", "was given more than once"),
    ] {
        let response = get_from(&router(), &format!("/products?{query}")).await;
        assert_eq!(
            response.problem(),
            (400, "invalid_query", vec![field]),
            "{query} {}",
            response.body
        );
        assert_eq!(response.body["errors"][0]["code"], code, "{query}");
        assert_eq!(response.body["errors"][0]["message"], message, "{query}");
    }
}
