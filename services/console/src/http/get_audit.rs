//! `GET /ops/audits/{id}`

use axum::{extract::State, http::header::CACHE_CONTROL, response::IntoResponse};
use problem::{Json, Path, Problem};
use uuid::Uuid;

use crate::{
    audits::Audits,
    http::{audit_body::AuditBody, operator::Operator},
};

/// Get an audit
///
/// Its progress while it runs, then its result. The console keeps the last ten audits until it stops; another instance of the
/// console does not know them.
#[utoipa::path(
    get, path = "/ops/audits/{id}", tag = "ops",
    params(("id" = Uuid, Path, description = "The id of the audit")),
    security(("bearer" = ["ops"])),
    responses(
        (status = 200, body = AuditBody),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
        (status = 404, description = "No such audit is kept", body = Problem),
        (status = 503, description = "`audits_off`: the console has no access to the databases", body = Problem),
    )
)]
pub(crate) async fn get_audit(
    _: Operator,
    State(audits): State<Audits>,
    Path(id): Path<Uuid>,
) -> Result<impl IntoResponse, Problem> {
    let audit = audits.get(id)?.ok_or_else(|| Problem::not_found("audit"))?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(AuditBody::from(audit))))
}
