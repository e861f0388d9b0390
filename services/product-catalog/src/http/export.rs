use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use messaging::Kit;
use problem::Problem;
use vocabulary::ProductId;

use super::product::Product;
use crate::storage::products::{self, Filter};

/// How many products are read at a time.
const PAGE: i64 = 500;

/// Every product, as NDJSON.
///
/// One line each, in the order in which they were made, as `POST /v1/imports` takes them back. An export that ends before
/// its time breaks the connection.
#[utoipa::path(
    get, path = "/v1/export", tag = "imports",
    responses((status = 200, body = Product, content_type = "application/x-ndjson"))
)]
pub(super) async fn export(State(kit): State<Kit>) -> Result<Response, Problem> {
    let mut pages = Box::pin(pages(kit));
    // The first page is read before the answer begins, so that a database that is away is a proper answer.
    let first = pages.try_next().await?.unwrap_or_default();
    let body = stream::iter([Ok(first)]).chain(pages);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response())
}

/// The products page by page, as lines.
fn pages(kit: Kit) -> impl Stream<Item = Result<Bytes, Problem>> + Send {
    stream::try_unfold((kit, Some(None)), async |(kit, after): (Kit, Option<Option<ProductId>>)| {
        let Some(after) = after else { return Ok(None) };
        let filter = Filter { after, ..Filter::default() };
        let mut connection = kit.pool().acquire().await?;
        let products = products::list(&mut connection, &filter, PAGE).await?;
        drop(connection);
        let last = products.last().map(|product| Some(product.id));
        let mut lines = Vec::new();
        for product in products {
            serde_json::to_writer(&mut lines, &Product::from(product))
                .map_err(|error| Problem::internal_from(&error))?;
            lines.push(b'\n');
        }
        Ok::<_, Problem>((!lines.is_empty()).then(|| (Bytes::from(lines), (kit, last))))
    })
}
