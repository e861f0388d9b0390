//! `POST /ops/audits`

use std::time::Duration;

use axum::{
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, LOCATION},
    },
    response::IntoResponse,
};
use problem::{Fields, Json, Problem};
use serde::Deserialize;

use crate::{
    audits::Audits,
    http::{audit_body::AuditBody, operator::Operator},
};

const DEFAULT_SETTLE_SECONDS: u64 = 60;
/// Longer than any event is on its way, except behind a fault.
const MAX_SETTLE_SECONDS: u64 = 600;

/// How to audit.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditRequest {
    /// For how many seconds differences may settle before they are violations, 0 to 600; 60 by default. During traffic most
    /// differences are in flight.
    #[schema(minimum = 0, maximum = 600, default = 60)]
    settle_seconds: Option<u64>,
}

impl AuditRequest {
    fn settle(&self) -> Result<Duration, Problem> {
        let seconds = self.settle_seconds.unwrap_or(DEFAULT_SETTLE_SECONDS);
        let mut fields = Fields::new();
        if seconds > MAX_SETTLE_SECONDS {
            let message = format!("must be 0 to {MAX_SETTLE_SECONDS}");
            fields.refuse("settle_seconds", "out_of_range", message);
        }
        fields.finish()?;
        Ok(Duration::from_secs(seconds))
    }
}

/// Start an audit
///
/// Checks the invariants across the databases of all services, the search index and, if the console knows the management API,
/// the broker. It only reads, and may run while the shop is open: what is only on its way is no violation. One audit runs at
/// a time. While one is running, this returns the running one. `GET` its `Location` for the progress and the result.
#[utoipa::path(
    post, path = "/ops/audits", tag = "ops", request_body = Option<AuditRequest>,
    security(("bearer" = ["ops"])),
    responses(
        (status = 202, description = "The new audit, or the one that runs", body = AuditBody,
            headers(("Location" = String, description = "The audit"))),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
        (status = 422, description = "`validation_failed`, `invalid_body`", body = Problem),
        (status = 503, description = "`audits_off`: the console has no access to the databases", body = Problem),
    )
)]
pub(crate) async fn start_audit(
    operator: Operator,
    State(audits): State<Audits>,
    request: Option<Json<AuditRequest>>,
) -> Result<impl IntoResponse, Problem> {
    let settle = request.map(|Json(request)| request).unwrap_or_default().settle()?;
    let audit = audits.start(settle, operator.token())?;
    let location = format!("/ops/audits/{}", audit.id);
    let headers = [(LOCATION, location), (CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::ACCEPTED, headers, Json(AuditBody::from(audit))))
}
