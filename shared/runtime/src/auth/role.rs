//! The roles of staff, and what each allows.

use std::{fmt, str::FromStr, sync::Arc};

use super::scope::Scope;

/// What a member of staff does in the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, staff accounts included.
    Owner,
    /// Products, prices, imports and rules of search.
    Merchandiser,
    /// Stock.
    Warehouse,
    /// The orders of all customers.
    Support,
    /// Indexes, dead letters, queues.
    Operator,
    /// Reports.
    Analyst,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 6] = [
        Role::Owner,
        Role::Merchandiser,
        Role::Warehouse,
        Role::Support,
        Role::Operator,
        Role::Analyst,
    ];

    /// The name in accounts and claims.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Merchandiser => "merchandiser",
            Role::Warehouse => "warehouse",
            Role::Support => "support",
            Role::Operator => "operator",
            Role::Analyst => "analyst",
        }
    }

    /// What the role allows.
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Role::Owner => &[
                Scope::CatalogWrite,
                Scope::StockWrite,
                Scope::OrdersAdmin,
                Scope::AnalyticsRead,
                Scope::Ops,
                Scope::StaffAdmin,
            ],
            Role::Merchandiser => &[Scope::CatalogWrite, Scope::AnalyticsRead],
            Role::Warehouse => &[Scope::StockWrite],
            Role::Support => &[Scope::OrdersAdmin],
            Role::Operator => &[Scope::Ops],
            Role::Analyst => &[Scope::AnalyticsRead],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role; there are {all}", all = Role::ALL.map(Role::as_str).join(", "))]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// Which values of a claim stand for which roles. Without any, the values are the names of the roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleMapping(Arc<[(String, Role)]>);

impl RoleMapping {
    /// The roles for which a value stands.
    pub(super) fn roles_of(&self, value: &str) -> Vec<Role> {
        if self.0.is_empty() {
            return value.parse().into_iter().collect();
        }
        self.0.iter().filter(|(known, _)| known == value).map(|(_, role)| *role).collect()
    }
}

/// The text is not a list of values and their roles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a value and its role, such as shop-admins=owner")]
pub struct InvalidRoleMapping(String);

impl FromStr for RoleMapping {
    type Err = InvalidRoleMapping;

    /// Reads pairs such as `shop-admins=owner,shop-buyers=merchandiser`.
    fn from_str(text: &str) -> Result<RoleMapping, InvalidRoleMapping> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let parse = |pair: &str| {
            let invalid = || InvalidRoleMapping(pair.to_owned());
            // A value may contain `=`, such as the name of a group in a directory.
            let (value, role) = pair.rsplit_once('=').ok_or_else(invalid)?;
            Ok((value.trim().to_owned(), role.trim().parse().map_err(|_| invalid())?))
        };
        pairs.map(parse).collect::<Result<_, _>>().map(RoleMapping)
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, RoleMapping};
    use crate::auth::Scope;

    #[test]
    fn every_role_round_trips_and_only_the_owner_has_staff() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(role.scopes().contains(&Scope::StaffAdmin), role == Role::Owner);
            assert!(!role.scopes().contains(&Scope::OrdersWrite), "for customers alone");
        }
        assert!("root".parse::<Role>().unwrap_err().to_string().contains("merchandiser"));
    }

    #[test]
    fn values_stand_for_roles() {
        assert_eq!(RoleMapping::default().roles_of("owner"), [Role::Owner]);
        assert_eq!(RoleMapping::default().roles_of("admins"), []);
        let mapping: RoleMapping =
            "cn=admins=owner, buyers=analyst,buyers=warehouse".parse().unwrap();
        assert_eq!(mapping.roles_of("cn=admins"), [Role::Owner]);
        assert_eq!(mapping.roles_of("buyers"), [Role::Analyst, Role::Warehouse]);
        assert_eq!(mapping.roles_of("owner"), [], "only what the mapping names");
        for bad in ["admins", "admins=root", "=,"] {
            assert!(bad.parse::<RoleMapping>().is_err(), "{bad}");
        }
    }
}
