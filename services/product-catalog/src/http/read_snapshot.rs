use axum::extract::State;
use messaging::{
    Kit,
    snapshot::{Entry, Page},
};
use problem::{Json, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::{ChangeId, ProductId};

use super::{internal, invalid_query};
use crate::domain::Change;
use crate::publishes::{product_changed, product_deleted};
use crate::storage::products::{self, Numbered};

const DEFAULT_LIMIT: u16 = 200;
const MAX_LIMIT: u16 = 500;

/// Which part of the snapshot to read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// `next` of the page before.
    #[param(value_type = Option<uuid::Uuid>)]
    after: Option<ProductId>,
    /// How many products at most: 1 to 500, 200 unless said.
    limit: Option<u16>,
}

/// Products with the numbers of their last events: `items` of `key`, `sequence`, `kind` and `data`, and `next`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(super) struct SnapshotPage(Page);

/// Every product as its last event would say it, for whoever begins to hear the catalogue.
///
/// Deleted products are there as their deletion. Whoever has taken an entry goes on with the events of its key behind its number.
#[utoipa::path(
    get, path = "/v1/snapshots/product", tag = "operations", params(Part),
    responses((status = 200, body = SnapshotPage))
)]
pub(super) async fn read_snapshot(
    State(kit): State<Kit>,
    Query(part): Query<Part>,
) -> Result<Json<SnapshotPage>, Problem> {
    let limit = part.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid_query("limit", format!("must be 1 to {MAX_LIMIT}")));
    }
    let mut connection = kit.pool().acquire().await?;
    let found = products::numbered(&mut connection, part.after, i64::from(limit)).await?;
    drop(connection);
    let is_full = found.len() == usize::from(limit);
    let next = found.last().filter(|_| is_full).map(|last| last.product.id.to_string());
    let items = found.iter().map(entry).collect::<Result<_, _>>().map_err(internal)?;
    Ok(Json(SnapshotPage(Page { items, next })))
}

/// What the last event of a product says, but for the change that it belonged to: that is long settled.
fn entry(Numbered { product, deleted_at, sequence }: &Numbered) -> Result<Entry, messaging::Error> {
    let id = ChangeId::new();
    match deleted_at {
        None => Entry::of(&product_changed(product, id), *sequence),
        Some(made_at) => {
            let (product_id, version, made_at) = (product.id, product.version, *made_at);
            Entry::of(&product_deleted(&Change { id, product_id, version, made_at }), *sequence)
        }
    }
}
