//! The routes: one file per endpoint.

mod create_product;
mod delete_product;
mod export;
mod follow_change;
mod list_categories;
mod list_products;
mod patch_product;
mod product;
mod read_change;
mod read_import;
mod read_product;
mod read_snapshot;
mod replace_product;
mod start_import;

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use problem::{FieldError, Problem};
use runtime::http::within;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

pub(crate) use start_import::Uploads;

use crate::app::State;
use crate::domain::Flaw;
use crate::storage::products::WriteError;
use crate::writing::WritingError;

/// The largest product, in bytes.
const PRODUCT_LIMIT: usize = 256 * 1024;
/// How long a long poll may take, with some seconds to answer it.
const LONG_POLL: Duration = Duration::from_secs(35);
/// How long an upload may take.
const UPLOAD: Duration = Duration::from_mins(10);

/// The route table.
pub(crate) fn routes() -> OpenApiRouter<State> {
    let products = OpenApiRouter::new()
        .routes(routes!(list_products::list_products, create_product::create_product))
        .routes(routes!(
            read_product::read_product,
            replace_product::replace_product,
            patch_product::patch_product,
            delete_product::delete_product
        ))
        .layer(DefaultBodyLimit::max(PRODUCT_LIMIT));
    OpenApiRouter::new()
        .merge(products)
        .routes(routes!(list_categories::list_categories))
        .routes(routes!(start_import::start_import).layer(within(UPLOAD)))
        .routes(routes!(read_import::read_import))
        .routes(routes!(export::export))
        .routes(routes!(read_snapshot::read_snapshot))
        .routes(routes!(read_change::read_change).layer(within(LONG_POLL)))
        .routes(routes!(follow_change::follow_change))
}

/// The answer to an error of ours.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn internal(error: messaging::Error) -> Problem {
    Problem::internal_from(&error)
}

/// 409 where a SKU is taken; else an error of ours.
fn not_written(error: WritingError) -> Problem {
    match error {
        WritingError::Storage(WriteError::Taken(skus)) => {
            Problem::conflict("sku_taken", "Another product has this SKU")
                .detail(format!("Taken: {}.", skus.join(", ")))
                .member("skus", skus)
        }
        WritingError::Storage(WriteError::Database(error)) => error.into(),
        WritingError::Messaging(error) => internal(error),
    }
}

/// 422 with everything that is wrong with a product.
fn not_valid(flaws: Vec<Flaw>) -> Problem {
    let error = |flaw: Flaw| FieldError::new(flaw.field, flaw.code, flaw.message);
    Problem::validation(flaws.into_iter().map(error).collect())
}

/// 400 for a query parameter.
fn invalid_query(field: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(field, "invalid", message)])
}
