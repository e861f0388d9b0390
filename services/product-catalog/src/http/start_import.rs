//! `POST /v1/imports`

use std::time::Duration;

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use idempotency::{Executed, Request, StoredResponse};
use messaging::{Criticality, Outbox};
use problem::{IdempotencyKey, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use sha2::{Digest as _, Sha256};
use vocabulary::ImportId;

use super::{
    file_problem::file_problem,
    import_query::ImportQuery,
    import_upload::{BodyReader, Upload, discard, receive},
    import_view::ImportView,
    invalid_query,
};
use crate::{
    domain::{ProductFile, RowSplitter, Workbook},
    state::AppState,
    storage::imports,
};

/// Start an import of many products
///
/// The body is NDJSON or a product file, at most 1 GiB.
///
/// NDJSON (`application/x-ndjson`) has one product per line, as in the body of `POST /v1/products`. Lines of
/// `GET /v1/export` are accepted.
///
/// A workbook (`application/vnd.openxmlformats-officedocument.spreadsheetml.sheet`, that is `.xlsx`) is read
/// like a product file: at most 64 MiB, and 512 MiB unpacked. Numbers have no exponent; a formula counts by its
/// last value.
///
/// A product file (`text/csv` or `text/tab-separated-values`) has a header and one row per variant. Commas,
/// semicolons or tabs divide the cells. The encoding is that of `charset=`, of the byte order mark, UTF-8 or
/// GB18030. A quotation mark that is not closed never swallows the following rows.
///
/// The columns are `sku`, `title` (or `title_zh`, `title_en`), `description`, `brand`, `category`, `status`,
/// `price` (major units: `129.00`, `￥1,299`, `250 CNY`), `compare_at_price`, `sale_price`, `sale_start`,
/// `sale_end`, `currency`, `barcode`, `images`, `stock`, `attr.<name>` and `option.<name>`, in Chinese or English. Rows with the same `product` are variants of one product, wherever
/// they stand; a row without SKU and price only adds pictures. `/` and `>` separate the levels of a category;
/// `\/` is a slash in a name, and is stored as `／`. HTML in descriptions becomes text.
///
/// Exports of Shopify and WooCommerce and feeds of Google Merchant are recognised by their headers. `warnings`
/// of the import list what was not applied, such as rounded barcodes. Counts of stock go to inventory, as the
/// pieces on hand in the main warehouse. A file that
/// does not name all of an existing product needs a `mode`. A dry run writes nothing; its `preview` lists the
/// changes of the first 100 products, each row judged after the rows before it.
///
/// An import finds products by SKU: it updates the product that owns a SKU, or creates one. Of two rows with
/// the same SKU, the later one wins. The response is sent when the body is stored; the rows are processed
/// afterwards.
#[utoipa::path(
    post, path = "/v1/imports", tag = "imports",
    request_body(content(
        (String = "application/x-ndjson"), (String = "text/csv"), (String = "text/tab-separated-values"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    )),
    params(ImportQuery, ("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body starts no second import")),
    responses(
        (status = 202, body = ImportView, headers(("Location" = String, description = "The path of the import"))),
        (status = 413, body = Problem, description = "`body_too_large`"),
        (status = 415, body = Problem, description = "`unsupported_media_type`: neither NDJSON nor a product file, or an unknown charset"),
        (status = 422, body = Problem, description = "`invalid_header`, `empty_file`, `not_a_product_file`, `unknown_sheet`: the file is refused as a whole"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn start_import(
    caller: Caller,
    State(state): State<AppState>,
    Query(query): Query<ImportQuery>,
    RawQuery(raw_query): RawQuery,
    key: Option<IdempotencyKey>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::CatalogWrite)?;
    let AppState { outbox, uploads, importer, .. } = state;
    admit(&outbox, Criticality::Deferrable)?;
    let dry_run = query.dry_run;
    let reader = reader_of(&headers, query)?;
    let _slot = uploads.0.try_acquire().map_err(|_| {
        Problem::unavailable("too_many_uploads", Duration::from_secs(5))
            .detail("Too many other imports are being uploaded.")
    })?;
    let (id, pool) = (ImportId::new(), outbox.pool());
    let accepted = async {
        let mut upload = receive(pool, id, reader, body).await?;
        upload.import.dry_run = dry_run;
        // The same file with other parameters is another request.
        if let Some(query) = raw_query {
            upload.digest =
                Sha256::new().chain_update(upload.digest).chain_update(query).finalize().into();
        }
        accept(&outbox, &caller, key.as_ref(), upload).await
    };
    let executed = match accepted.await {
        Ok(accepted) => accepted,
        Err(problem) => {
            discard(pool, id).await;
            return Err(problem);
        }
    };
    if executed.is_repetition {
        discard(pool, id).await;
    } else {
        importer.wake();
    }
    Ok(executed.into_response())
}

/// How to read a body of this content type.
fn reader_of(headers: &HeaderMap, query: ImportQuery) -> Result<BodyReader, Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_tsv = media_type == "text/tab-separated-values";
    match media_type.as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => {
            if query.has_no_file_settings() {
                Ok(BodyReader::Ndjson(RowSplitter::new()))
            } else {
                Err(invalid_query("", "these parameters are for product files, not for NDJSON"))
            }
        }
        // Browsers on Windows send the last one for a CSV file.
        "text/csv"
        | "text/tab-separated-values"
        | "application/csv"
        | "text/x-csv"
        | "text/comma-separated-values"
        | "application/vnd.ms-excel" => {
            let charset = parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
                name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
            });
            if query.sheet.is_some() {
                return Err(invalid_query("sheet", "is for workbooks"));
            }
            let file = ProductFile::new(charset, is_tsv, query.into_settings()?);
            Ok(BodyReader::File(Box::new(file.map_err(file_problem)?)))
        }
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => {
            let sheet = query.sheet.clone();
            Ok(BodyReader::Workbook(Workbook::new(sheet, query.into_settings()?)))
        }
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be NDJSON or a product file",
        )
        .detail(
            "Send it with Content-Type: application/x-ndjson, text/csv, text/tab-separated-values, or for .xlsx \
             application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.",
        )),
    }
}

/// Makes an upload an import, once per idempotency key.
async fn accept(
    outbox: &Outbox,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    upload: Upload,
) -> Result<Executed, Problem> {
    let Upload { import, digest } = upload;
    let request =
        Request { caller: caller.subject(), operation: "start_import", key, body: &digest };
    idempotency::execute(outbox, request, async |tx| {
        imports::insert(tx, &import).await?;
        let location = format!("/v1/imports/{}", import.id);
        let view = ImportView::read(tx, import.id).await?;
        Ok(StoredResponse::json(StatusCode::ACCEPTED, &view)?.header("location", location))
    })
    .await
}
