//! `POST /v1/staff`

use axum::{
    http::{
        StatusCode,
        header::{CACHE_CONTROL, LOCATION},
    },
    response::IntoResponse,
};
use problem::{Fields, Json, Problem};
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;

use super::{
    account_view::{AccountView, RoleName},
    administrator::Administrator,
};
use crate::{
    app::{CreateAccountError, NewAccount, create_account},
    secret_files::new_password,
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StaffDraft {
    email: String,
    role: RoleName,
}

/// A new account, and its first password.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct NewStaff {
    #[serde(flatten)]
    account: AccountView,
    /// Shown once. Its owner should change it after the first sign-in.
    password: String,
}

/// Create a staff account
///
/// The first password is random.
#[utoipa::path(
    post, path = "/v1/staff", tag = "staff", request_body = StaffDraft,
    security(("bearer" = ["staff:admin"])),
    responses(
        (status = 201, description = "The account and its first password", body = NewStaff),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `staff:admin`", body = Problem),
        (status = 409, description = "`email_taken`", body = Problem),
        (status = 422, description = "`validation_failed`, `invalid_body`", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn create_staff(
    Administrator { subject, state }: Administrator,
    Json(draft): Json<StaffDraft>,
) -> Result<impl IntoResponse, Problem> {
    let mut fields = Fields::new();
    let email = fields.check("email", draft.email.parse());
    let email = fields.finish_with(|| email)?;
    let password = new_password();
    let hash = state.passwords().hash(password.clone()).await;
    let password_hash = hash.map_err(|error| Problem::internal_from(&error))?;
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    let new = NewAccount { email, role: draft.role.into(), password_hash };
    let account = create_account(&mut tx, new, &subject).await.map_err(|error| match error {
        CreateAccountError::EmailTaken => {
            Problem::conflict("email_taken", "Another account has this e-mail address")
        }
        CreateAccountError::Database(error) => error.into(),
    })?;
    tx.commit().await?;
    let headers =
        [(LOCATION, format!("/v1/staff/{}", account.id)), (CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(NewStaff { account: account.into(), password })))
}
