//! Locks that serialise the writers of a table.
//!
//! The model updater reads a table in the order of its row numbers, so numbers must commit in the order in
//! which they were assigned. A writer therefore locks the table's row in `write_lock` first and holds it
//! until the commit. One lock per table, instead of one per row, also rules out deadlocks between writers.

use sqlx::PgConnection;

/// Locks the writing of baskets until the transaction ends.
pub(crate) async fn lock_baskets(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    lock(connection, "basket").await
}

/// Locks the writing of products and their stock until the transaction ends.
pub(crate) async fn lock_products(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    lock(connection, "product").await
}

/// Locks the recount of verdicts until the transaction ends, so that replicas take turns.
pub(crate) async fn lock_recount(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    lock(connection, "recount").await
}

/// Locks erasures exclusively until the transaction ends. Waits for all transactions with the shared lock.
pub(crate) async fn lock_erasures(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    lock(connection, "erasure").await
}

/// Locks erasures in shared mode until the transaction ends: no visitor is erased meanwhile, and later
/// statements see all committed erasures.
pub(crate) async fn lock_erasures_shared(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select from write_lock where name = 'erasure' for share")
        .execute(connection)
        .await?;
    Ok(())
}

async fn lock(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select from write_lock where name = $1 for update", name)
        .execute(connection)
        .await?;
    Ok(())
}
