//! `DELETE /v1/staff/{id}/sessions`

use axum::http::StatusCode;
use problem::{Path, Problem};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{account_view::unknown_account, administrator::Administrator};
use crate::app::revoke_sessions;

/// End all sessions of a member of staff
///
/// Access tokens that were issued before are valid until they expire, at most ten minutes.
#[utoipa::path(
    delete, path = "/v1/staff/{id}/sessions", tag = "staff",
    params(("id" = Uuid, Path, description = "The id of the account")),
    security(("bearer" = ["staff:admin"])),
    responses(
        (status = 204, description = "All sessions have ended"),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `staff:admin`", body = Problem),
        (status = 404, description = "No such account", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn revoke_staff_sessions(
    Administrator { subject, state }: Administrator,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    if !revoke_sessions(&mut tx, id, &subject).await? {
        return Err(unknown_account(id));
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
