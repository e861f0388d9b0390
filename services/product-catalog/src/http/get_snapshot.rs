//! `GET /v1/snapshots/product`

use axum::extract::State;
use messaging::{
    Outbox,
    snapshot::{Entry, Page},
};
use problem::{Json, Problem, Query};
use runtime::{auth::Scope, http::ReadAccess};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::{ChangeId, ProductId};

use super::paging::page_limit;
use crate::{
    domain::{Change, SequencedProduct},
    publishes::{product_changed, product_deleted},
    storage::products,
};

const DEFAULT_LIMIT: u16 = 200;
const MAX_LIMIT: u16 = 500;

/// The requested page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SnapshotQuery {
    /// The `next` of the previous page. Default: the first page.
    after: Option<ProductId>,
    /// The maximum number of products: 1 to 500. Default: 200.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// Entries with `key`, `sequence`, `kind` and `data` in `items`, and the `after` of the next page in `next`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(super) struct SnapshotPage(Page);

/// Get a snapshot of all products as events
///
/// It bootstraps a new consumer: after an entry, the consumer applies the events of its key with a larger
/// sequence number. A deleted product is a deletion event. `INTERNAL_ADDR` needs no token.
#[utoipa::path(
    get, path = "/v1/snapshots/product", tag = "operations", params(SnapshotQuery),
    responses((status = 200, body = SnapshotPage)),
    security(("bearer" = ["ops"])), extensions(("x-open-at-internal-addr" = json!(true)))
)]
pub(super) async fn get_snapshot(
    access: ReadAccess,
    State(outbox): State<Outbox>,
    Query(query): Query<SnapshotQuery>,
) -> Result<Json<SnapshotPage>, Problem> {
    access.require(Scope::Ops)?;
    let limit = page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let mut connection = outbox.pool().acquire().await?;
    let found =
        products::list_with_sequence(&mut connection, query.after, i64::from(limit)).await?;
    drop(connection);
    let is_full = found.len() == usize::from(limit);
    let next = found.last().filter(|_| is_full).map(|last| last.product.id.to_string());
    let items = found.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Json(SnapshotPage(Page { items, next })))
}

/// The last event of a product, with a new change id: the original change has long been settled.
fn entry(sequenced: &SequencedProduct) -> Result<Entry, messaging::Error> {
    let SequencedProduct { product, deleted_at, sequence } = sequenced;
    let id = ChangeId::new();
    match deleted_at {
        None => Entry::of(&product_changed(product, id), *sequence),
        Some(made_at) => {
            let (product_id, version, made_at) = (product.id, product.version, *made_at);
            Entry::of(&product_deleted(&Change { id, product_id, version, made_at }), *sequence)
        }
    }
}
