//! `GET /v1/staff`

use problem::{Json, Problem};
use serde::Serialize;

use super::{account_view::AccountView, administrator::Administrator};
use crate::storage::staff;

/// The largest number of accounts that are listed.
const MAX_ACCOUNTS: i64 = 1_000;

/// The staff.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct StaffList {
    /// The oldest first, at most 1,000.
    #[schema(max_items = 1000)]
    items: Vec<AccountView>,
}

/// List the staff
#[utoipa::path(
    get, path = "/v1/staff", tag = "staff", security(("bearer" = ["staff:admin"])),
    responses(
        (status = 200, body = StaffList),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `staff:admin`", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn list_staff(
    Administrator { state, .. }: Administrator,
) -> Result<Json<StaffList>, Problem> {
    let mut connection = state.pool().acquire().await?;
    let accounts = staff::list(&mut connection, MAX_ACCOUNTS).await?;
    Ok(Json(StaffList { items: accounts.into_iter().map(AccountView::from).collect() }))
}
