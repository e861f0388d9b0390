//! The scopes of tokens.

use std::{fmt, str::FromStr};

/// A permission that a token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Write products, prices, categories; import.
    CatalogWrite,
    /// Write stock; read reservations and the ledger.
    StockWrite,
    /// Read the subject's own orders.
    OrdersRead,
    /// Place, pay and cancel the subject's own orders.
    OrdersWrite,
    /// Read and write all customers' orders.
    OrdersAdmin,
    /// Place orders that overtake others under a backlog.
    OrdersPriority,
    /// Read funnels, sessions and reports; erase a visitor.
    AnalyticsRead,
    /// Operate: indexes, dead letters, queues.
    Ops,
    /// Manage staff accounts; read the log of what staff did.
    StaffAdmin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 9] = [
        Scope::CatalogWrite,
        Scope::StockWrite,
        Scope::OrdersRead,
        Scope::OrdersWrite,
        Scope::OrdersAdmin,
        Scope::OrdersPriority,
        Scope::AnalyticsRead,
        Scope::Ops,
        Scope::StaffAdmin,
    ];

    /// The name in a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::CatalogWrite => "catalog:write",
            Scope::StockWrite => "stock:write",
            Scope::OrdersRead => "orders:read",
            Scope::OrdersWrite => "orders:write",
            Scope::OrdersAdmin => "orders:admin",
            Scope::OrdersPriority => "orders:priority",
            Scope::AnalyticsRead => "analytics:read",
            Scope::Ops => "ops",
            Scope::StaffAdmin => "staff:admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope; there are {all}", all = Scope::ALL.map(Scope::as_str).join(", "))]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Scope, UnknownScope> {
        let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| UnknownScope(text.to_owned()))
    }
}
