use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use idempotency::{Answer, Claim, Request};
use messaging::{Kit, Worth};
use problem::{IdempotencyKey, Json, Problem};
use runtime::auth::{Caller, Scope};
use runtime::clock;
use runtime::messaging::admit;

use super::product::{Product, headers_of};
use super::{internal, not_valid, not_written};
use crate::domain::{Draft, Write};
use crate::writing;

/// Makes a product.
///
/// The header `Change-Id` names the change, to be followed with `GET /v1/changes/{id}`.
#[utoipa::path(
    post, path = "/v1/products", tag = "products", request_body = Draft,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key, the same product")),
    responses(
        (status = 201, body = Product, headers(
            ("ETag" = String, description = "The version"),
            ("Change-Id" = String, description = "The change that this write made"),
            ("Location" = String, description = "The product"),
        )),
        (status = 409, body = Problem, description = "`sku_taken`: another product has one of the SKUs"),
        (status = 422, body = Problem, description = "`validation_failed`: every field that is wrong"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn create_product(
    caller: Caller,
    State(kit): State<Kit>,
    key: Option<IdempotencyKey>,
    Json(draft): Json<Draft>,
) -> Result<Response, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&kit, Worth::Lesser)?;
    let body = serde_json::to_vec(&draft).map_err(|error| Problem::internal_from(&error))?;
    let content = draft.check().map_err(not_valid)?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let (caller, operation) = (caller.subject(), "create_product");
    let request = Request { caller, operation, key: key.as_ref(), body: &body };
    let claim = match idempotency::claim(&mut tx, request).await? {
        Claim::Replay(answer) => return Ok(answer.into_response()),
        Claim::Acquired(claim) => claim,
    };
    let now = clock::now();
    let written = writing::write_one(&mut tx, Write::create(content, now), now).await;
    let (product, change) = written.map_err(not_written)?;
    let headers = headers_of(&product, change.id);
    let answer = Answer::json(StatusCode::CREATED, &Product::from(product))?;
    let answer =
        headers.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value));
    claim.record(&mut tx, &answer).await?;
    tx.commit().await.map_err(internal)?;
    Ok(answer.into_response())
}
