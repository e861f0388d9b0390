//! What a token may allow.

use std::fmt;
use std::str::FromStr;

/// A right that a token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Write products, prices, categories; import.
    CatalogWrite,
    /// Write stock; read reservations and the ledger.
    StockWrite,
    /// Read orders of one's own.
    OrdersRead,
    /// Place, pay and cancel orders of one's own.
    OrdersWrite,
    /// Read and write the orders of every customer.
    OrdersAdmin,
    /// Read funnels, sessions and reports; erase a visitor.
    AnalyticsRead,
    /// Operate: indexes, dead letters, queues.
    Ops,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Scope; 7] = [
        Scope::CatalogWrite,
        Scope::StockWrite,
        Scope::OrdersRead,
        Scope::OrdersWrite,
        Scope::OrdersAdmin,
        Scope::AnalyticsRead,
        Scope::Ops,
    ];

    /// As it is written in a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::CatalogWrite => "catalog:write",
            Scope::StockWrite => "stock:write",
            Scope::OrdersRead => "orders:read",
            Scope::OrdersWrite => "orders:write",
            Scope::OrdersAdmin => "orders:admin",
            Scope::AnalyticsRead => "analytics:read",
            Scope::Ops => "ops",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no scope.
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
