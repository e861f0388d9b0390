//! An account as the routes show it.

use chrono::{DateTime, Utc};
use problem::Problem;
use runtime::auth::{Role, Scope};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::Account;

/// A member of staff.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct AccountView {
    id: Uuid,
    /// The name to sign in with.
    email: String,
    role: RoleName,
    /// What the role allows.
    scopes: Vec<&'static str>,
    /// Whether a sign-in needs a code.
    has_second_factor: bool,
    created_at: DateTime<Utc>,
    /// Absent if the account may sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<DateTime<Utc>>,
}

/// What a member of staff does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleName {
    Owner,
    Merchandiser,
    Warehouse,
    Support,
    Operator,
    Analyst,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> AccountView {
        AccountView {
            id: account.id,
            email: account.email,
            role: account.role.into(),
            scopes: scopes_of(account.role),
            has_second_factor: account.totp.is_some(),
            created_at: account.created_at,
            disabled_at: account.disabled_at,
        }
    }
}

/// The names of a role's scopes.
pub(super) fn scopes_of(role: Role) -> Vec<&'static str> {
    role.scopes().iter().copied().map(Scope::as_str).collect()
}

impl From<Role> for RoleName {
    fn from(role: Role) -> RoleName {
        match role {
            Role::Owner => RoleName::Owner,
            Role::Merchandiser => RoleName::Merchandiser,
            Role::Warehouse => RoleName::Warehouse,
            Role::Support => RoleName::Support,
            Role::Operator => RoleName::Operator,
            Role::Analyst => RoleName::Analyst,
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Role {
        match role {
            RoleName::Owner => Role::Owner,
            RoleName::Merchandiser => Role::Merchandiser,
            RoleName::Warehouse => Role::Warehouse,
            RoleName::Support => Role::Support,
            RoleName::Operator => Role::Operator,
            RoleName::Analyst => Role::Analyst,
        }
    }
}

/// 404: no account has this id.
pub(super) fn unknown_account(id: Uuid) -> Problem {
    Problem::not_found(format_args!("staff account {id}"))
}
