//! `GET /v1/export`

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use messaging::Outbox;
use problem::Problem;
use runtime::{auth::Scope, http::ReadAccess};
use vocabulary::ProductId;

use super::product_view::ProductView;
use crate::{domain::ProductFilter, storage::products};

/// The number of products per query.
const PAGE_SIZE: i64 = 500;

/// Export all products as NDJSON
///
/// One product per line, in the order of creation. `POST /v1/imports` accepts the lines. An incomplete export
/// breaks the connection. `INTERNAL_ADDR` needs no token.
#[utoipa::path(
    get, path = "/v1/export", tag = "imports",
    responses((status = 200, body = ProductView, content_type = "application/x-ndjson")),
    security(("bearer" = ["catalog:write"])), extensions(("x-open-at-internal-addr" = json!(true)))
)]
pub(super) async fn export_products(
    access: ReadAccess,
    State(outbox): State<Outbox>,
) -> Result<Response, Problem> {
    access.require(Scope::CatalogWrite)?;
    let mut pages = Box::pin(pages(outbox));
    // Reading the first page before the response starts turns an unavailable database into a problem.
    let first = pages.try_next().await?.unwrap_or_default();
    let body = stream::iter([Ok(first)]).chain(pages);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response())
}

/// A page of the export begins after a product, or is the first one.
#[derive(Clone, Copy)]
enum NextPage {
    After(Option<ProductId>),
    None,
}

/// The lines of the products, page by page.
fn pages(outbox: Outbox) -> impl Stream<Item = Result<Bytes, Problem>> + Send {
    stream::try_unfold(
        (outbox, NextPage::After(None)),
        async |(outbox, next): (Outbox, NextPage)| {
            let NextPage::After(after) = next else { return Ok(None) };
            let filter = ProductFilter { after, ..ProductFilter::default() };
            let mut connection = outbox.pool().acquire().await?;
            let products = products::list(&mut connection, &filter, PAGE_SIZE).await?;
            drop(connection);
            let next =
                products.last().map_or(NextPage::None, |last| NextPage::After(Some(last.id)));
            let mut lines = Vec::new();
            for product in products {
                serde_json::to_writer(&mut lines, &ProductView::from(product))
                    .map_err(|error| Problem::internal_from(&error))?;
                lines.push(b'\n');
            }
            Ok::<_, Problem>((!lines.is_empty()).then(|| (Bytes::from(lines), (outbox, next))))
        },
    )
}
