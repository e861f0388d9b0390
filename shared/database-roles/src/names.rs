//! The names of the roles.

/// Reads all rows of all services, for the audit.
pub const AUDIT: &str = "audit";

/// The database that the audit does not read: the console's, with the accounts of staff.
pub(crate) const UNAUDITED: &str = "console";

/// Reads what subscribers have seen, for `reconcile`.
pub const RECONCILE: &str = "reconcile";

/// Reads everything, for dumps.
pub const BACKUP: &str = "backup";

/// The roles that look into all databases.
pub const READERS: [&str; 3] = [AUDIT, RECONCILE, BACKUP];

/// The role that owns a database and everything in it.
pub fn owner_of(database: &str) -> String {
    format!("{database}-owner")
}

/// The names of all roles: two for each database, and the readers.
pub fn all_roles(databases: &[&str]) -> Vec<String> {
    let of_databases =
        databases.iter().flat_map(|database| [owner_of(database), (*database).to_owned()]);
    of_databases.chain(READERS.map(str::to_owned)).collect()
}
