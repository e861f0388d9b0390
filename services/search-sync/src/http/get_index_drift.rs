use axum::extract::State;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::ProductId;

use crate::{
    app::consistency::IndexConsistency,
    domain::{self, VersionMismatch},
};

/// The differences between the index and the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Drift {
    /// The number of products in the catalogue.
    catalogue: usize,
    /// The number of products in the index.
    index: usize,
    /// The number of differences.
    differing: usize,
    /// The first thousand differences.
    items: Vec<Difference>,
}

/// A product whose versions differ.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Difference {
    product_id: ProductId,
    /// The active version in the catalogue; null if the product is not active.
    catalogue_version: Option<i64>,
    /// The indexed version; null if the product is not in the index.
    index_version: Option<i64>,
}

/// Get the differences between the index and the catalogue
///
/// Reads the whole catalogue. Differences that disappear within seconds are not counted.
#[utoipa::path(
    get, path = "/v1/index/drift", tag = "index",
    responses((status = 200, body = Drift)), security(("bearer" = ["ops"]))
)]
pub(crate) async fn get_index_drift(
    caller: Caller,
    State(consistency): State<IndexConsistency>,
) -> Result<Json<Drift>, Problem> {
    caller.require(Scope::Ops)?;
    Ok(Json(consistency.detect_drift().await?.into()))
}

impl From<domain::Drift> for Drift {
    fn from(drift: domain::Drift) -> Self {
        let domain::Drift { catalogue, index, differing, mismatches } = drift;
        let items = mismatches.into_iter().map(Difference::from).collect();
        Self { catalogue, index, differing, items }
    }
}

impl From<VersionMismatch> for Difference {
    fn from(mismatch: VersionMismatch) -> Self {
        let VersionMismatch { product_id, catalogue_version, index_version } = mismatch;
        Self { product_id, catalogue_version, index_version }
    }
}
