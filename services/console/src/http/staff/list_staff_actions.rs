//! `GET /v1/staff/actions`

use chrono::{DateTime, Utc};
use problem::{FieldError, Json, Problem, Query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::administrator::Administrator;
use crate::storage::actions::{self, StoredAction};

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 500;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ActionFilter {
    /// Only what the token with this subject did, such as `staff:` and the id of an account.
    subject: Option<String>,
    /// The maximum number of items, 1 to 500; 50 by default.
    limit: Option<u16>,
    /// The `next_cursor` of the previous page.
    cursor: Option<Uuid>,
}

/// What staff did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ActionList {
    /// The newest first.
    #[schema(max_items = 500)]
    items: Vec<ActionView>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Uuid>,
}

/// Something that a member of staff did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ActionView {
    id: Uuid,
    at: DateTime<Utc>,
    /// The subject of the token; absent if a sign-in failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The e-mail address of the account, if it has one here.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `request`, or what happened to an account, such as `sign_in` or `staff_created`.
    action: String,
    /// Of a request that writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Of a request, without its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The status of the answer; absent if the client left before, or while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i16>,
    /// The account that was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_email: Option<String>,
    /// More about it, such as the new role.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// List what staff did
///
/// Sign-ins, changes of accounts, and each write through the console, without its body. Actions are kept for a year.
#[utoipa::path(
    get, path = "/v1/staff/actions", tag = "staff", params(ActionFilter),
    security(("bearer" = ["staff:admin"])),
    responses(
        (status = 200, body = ActionList),
        (status = 400, description = "`invalid_query`", body = Problem),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `staff:admin`", body = Problem),
        (status = 503, description = "`staff_off`: the console has no database", body = Problem),
    )
)]
pub(super) async fn list_staff_actions(
    Administrator { state, .. }: Administrator,
    Query(filter): Query<ActionFilter>,
) -> Result<Json<ActionList>, Problem> {
    let limit = filter.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let error = FieldError::new("limit", "invalid", format!("must be 1 to {MAX_LIMIT}"));
        return Err(Problem::bad_request("invalid_query", "The query string is not valid")
            .errors(vec![error]));
    }
    let mut connection = state.pool().acquire().await?;
    let subject = filter.subject.as_deref();
    let listed = actions::list(&mut connection, subject, filter.cursor, i64::from(limit) + 1).await;
    let mut actions = listed?;
    let has_more = actions.len() > usize::from(limit);
    actions.truncate(usize::from(limit));
    let next_cursor = actions.last().filter(|_| has_more).map(|action| action.id);
    Ok(Json(ActionList { items: actions.into_iter().map(ActionView::from).collect(), next_cursor }))
}

impl From<StoredAction> for ActionView {
    fn from(stored: StoredAction) -> ActionView {
        let StoredAction { id, at, subject, email, action, method, path, status, .. } = stored;
        let StoredAction { target, target_email, detail, address, .. } = stored;
        ActionView {
            id,
            at,
            subject,
            email,
            action,
            method,
            path,
            status,
            target,
            target_email,
            detail,
            address,
        }
    }
}
