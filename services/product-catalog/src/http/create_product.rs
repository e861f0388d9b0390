//! `POST /v1/products`

use axum::{extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse, request_body};
use messaging::{Criticality, Outbox};
use problem::{IdempotencyKey, Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};

use super::{
    not_written,
    product_draft::ProductDraft,
    product_view::{ProductView, creation_headers},
};
use crate::app::{self, CreateProductCommand};

/// Create a product
///
/// The header `Change-Id` identifies the change; `GET /v1/changes/{id}` shows its progress.
#[utoipa::path(
    post, path = "/v1/products", tag = "products", request_body = ProductDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body creates no second product")),
    responses(
        (status = 201, body = ProductView, headers(
            ("ETag" = String, description = "The version"),
            ("Change-Id" = String, description = "The change that this write made"),
            ("Location" = String, description = "The path of the product"),
        )),
        (status = 409, body = Problem, description = "`sku_taken`: another product has one of the SKUs"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn create_product(
    caller: Caller,
    State(outbox): State<Outbox>,
    key: Option<IdempotencyKey>,
    Json(draft): Json<ProductDraft>,
) -> Result<Executed, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    let body = request_body(&draft)?;
    let content = draft.into_content()?;
    let (caller, operation) = (caller.subject(), "create_product");
    let request = Request { caller, operation, key: key.as_ref(), body: &body };
    idempotency::execute(&outbox, request, async |tx| {
        let created = app::create_product(tx, CreateProductCommand { content }).await;
        let (product, change) = created.map_err(not_written)?;
        let headers = creation_headers(&product, change.id).into_iter();
        let response = StoredResponse::json(StatusCode::CREATED, &ProductView::from(product))?;
        Ok(headers.fold(response, |response, (name, value)| response.header(name, value)))
    })
    .await
}
