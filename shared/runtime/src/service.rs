//! The description of a program.

/// What a program is: its name in logs, in the database's list of connections and in its documents.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The name of its directory, such as `product-catalog`.
    pub name: &'static str,
    /// One sentence about what it does.
    pub about: &'static str,
    /// Its version; `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// Where it listens unless `HTTP_ADDR` says otherwise, such as `0.0.0.0:8081`.
    pub http_addr: &'static str,
}
