//! `GET /ops/audits`

use axum::{extract::State, http::header::CACHE_CONTROL, response::IntoResponse};
use problem::{Json, Problem};
use serde::Serialize;

use crate::{
    audits::Audits,
    http::{audit_body::AuditBody, operator::Operator},
};

/// The last audits.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AuditList {
    /// The newest first, at most ten.
    #[schema(max_items = 10)]
    items: Vec<AuditBody>,
}

/// List audits
///
/// The audits that this console has started and keeps, the newest first.
#[utoipa::path(
    get, path = "/ops/audits", tag = "ops", security(("bearer" = ["ops"])),
    responses(
        (status = 200, body = AuditList),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
        (status = 503, description = "`audits_off`: the console has no access to the databases", body = Problem),
    )
)]
pub(crate) async fn list_audits(
    _: Operator,
    State(audits): State<Audits>,
) -> Result<impl IntoResponse, Problem> {
    let items = audits.list()?.into_iter().map(AuditBody::from).collect();
    Ok(([(CACHE_CONTROL, "no-store")], Json(AuditList { items })))
}
