//! `POST /v1/imports`

use std::time::Duration;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use idempotency::{Claim, Request, StoredResponse};
use messaging::{Criticality, Outbox};
use problem::{IdempotencyKey, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use vocabulary::ImportId;

use super::{
    import_upload::{Upload, discard, receive},
    import_view::ImportView,
};
use crate::{app::ImporterWaker, domain::ImportFormat, state::UploadSlots, storage::imports};

/// Start an import of many products
///
/// The body is NDJSON or CSV, at most 200 MiB.
///
/// NDJSON (`application/x-ndjson`) has one product per line, as in the body of `POST /v1/products`. Lines of
/// `GET /v1/export` are accepted.
///
/// CSV (`text/csv`) has the columns `sku`, `title_zh`, `title_en`, `description_zh`, `description_en`,
/// `brand`, `category`, `status`, `price` (major units: `129.00`), `currency`, `barcode`, `images`,
/// `attr.<name>`, `option.<name>` and `product`. Neighbouring rows with the same `product` are variants of
/// one product.
///
/// An import finds products by SKU: it updates the product that owns a SKU, or creates one. Of two rows with
/// the same SKU, the later one wins. The response is sent when the body is stored; the rows are processed
/// afterwards.
#[utoipa::path(
    post, path = "/v1/imports", tag = "imports",
    request_body(content((String = "application/x-ndjson"), (String = "text/csv"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body starts no second import")),
    responses(
        (status = 202, body = ImportView, headers(("Location" = String, description = "The path of the import"))),
        (status = 413, body = Problem, description = "`body_too_large`"),
        (status = 415, body = Problem, description = "`unsupported_media_type`: neither NDJSON nor CSV"),
        (status = 422, body = Problem, description = "`invalid_header`: the header of a CSV body"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn start_import(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(uploads): State<UploadSlots>,
    State(importer): State<ImporterWaker>,
    key: Option<IdempotencyKey>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    let format = format_of(&headers)?;
    let _slot = uploads.0.try_acquire().map_err(|_| {
        Problem::unavailable("too_many_uploads", Duration::from_secs(5))
            .detail("Too many other imports are being uploaded.")
    })?;
    let (id, pool) = (ImportId::new(), outbox.pool());
    let accepted = async {
        let upload = receive(pool, id, format, body).await?;
        accept(&outbox, &caller, key.as_ref(), upload).await
    };
    let (response, is_new) = match accepted.await {
        Ok(accepted) => accepted,
        Err(problem) => {
            discard(pool, id).await;
            return Err(problem);
        }
    };
    if is_new {
        importer.wake();
    } else {
        discard(pool, id).await;
    }
    Ok(response.into_response())
}

fn format_of(headers: &HeaderMap) -> Result<ImportFormat, Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Ok(ImportFormat::Ndjson),
        "text/csv" => Ok(ImportFormat::Csv),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be NDJSON or CSV",
        )
        .detail("Send it with Content-Type: application/x-ndjson or text/csv.")),
    }
}

/// Makes an upload an import, once per idempotency key. Returns whether it is a new import.
async fn accept(
    outbox: &Outbox,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    upload: Upload,
) -> Result<(StoredResponse, bool), Problem> {
    let Upload { import, digest } = upload;
    let mut tx = outbox.begin().await?;
    let request =
        Request { caller: caller.subject(), operation: "start_import", key, body: &digest };
    let key = match idempotency::claim(&mut tx, request).await? {
        Claim::Replay(response) => return Ok((response, false)),
        Claim::Acquired(key) => key,
    };
    imports::insert(&mut tx, &import).await?;
    let location = format!("/v1/imports/{}", import.id);
    let view = ImportView::read(&mut tx, import.id).await?;
    let response = StoredResponse::json(StatusCode::ACCEPTED, &view)?.header("location", location);
    key.record(&mut tx, &response).await?;
    tx.commit().await?;
    Ok((response, true))
}
