//! `PATCH /v1/staff/{id}`

use axum::{http::header::CACHE_CONTROL, response::IntoResponse};
use problem::{Json, Path, Problem};
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{
    account_view::{AccountView, RoleName, unknown_account},
    administrator::Administrator,
};
use crate::{
    app::{AccountChange, ChangeAccountError, change_account},
    secret_files::new_password,
};

/// What to change. Absent fields stay as they are.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StaffChange {
    role: Option<RoleName>,
    disabled: Option<bool>,
    /// Remove the second factor: its device is lost.
    #[serde(default)]
    remove_second_factor: bool,
    /// Make a new random password: the former one is forgotten.
    #[serde(default)]
    reset_password: bool,
}

/// An account after a change.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ChangedStaff {
    #[serde(flatten)]
    account: AccountView,
    /// The new password, if one was made. Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Change a staff account
///
/// Its sessions end. Access tokens that were issued before are valid until they expire, at most ten minutes.
#[utoipa::path(
    patch, path = "/v1/staff/{id}", tag = "staff", request_body = StaffChange,
    params(("id" = Uuid, Path, description = "The id of the account")),
    security(("bearer" = ["staff:admin"])),
    responses(
        (status = 200, body = ChangedStaff),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `staff:admin`", body = Problem),
        (status = 404, description = "No such account", body = Problem),
        (status = 409, description = "`last_owner`: no other owner would be left", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn update_staff(
    Administrator { subject, state }: Administrator,
    Path(id): Path<Uuid>,
    Json(request): Json<StaffChange>,
) -> Result<impl IntoResponse, Problem> {
    let password = request.reset_password.then(new_password);
    let password_hash = match &password {
        Some(password) => {
            let hash = state.passwords().hash(password.clone()).await;
            Some(hash.map_err(|error| Problem::internal_from(&error))?)
        }
        None => None,
    };
    let change = AccountChange {
        role: request.role.map(Into::into),
        is_disabled: request.disabled,
        removes_totp: request.remove_second_factor,
        password_hash,
    };
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    let changed = change_account(&mut tx, id, &change, &subject).await;
    let account = changed.map_err(|error| match error {
        ChangeAccountError::Unknown => unknown_account(id),
        ChangeAccountError::LastOwner => {
            Problem::conflict("last_owner", "No other owner would be left")
        }
        ChangeAccountError::Database(error) => error.into(),
    })?;
    tx.commit().await?;
    let changed = ChangedStaff { account: account.into(), password };
    Ok(([(CACHE_CONTROL, "no-store")], Json(changed)))
}
