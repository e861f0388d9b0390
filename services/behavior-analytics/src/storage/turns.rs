//! Taking turns: whoever writes into a table that is tailed by number waits here for the writer before.
//!
//! A number that is given out under a turn commits before the next one is given out, so a tail that reads up to a number
//! has missed none before it. One turn for a table, instead of a lock for each row, also means that two writers never wait for
//! one another in a circle.

use sqlx::PgConnection;

/// Waits for the turn to write baskets, and keeps it until the transaction ends.
pub async fn take_baskets(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    take(connection, "basket").await
}

/// Waits for the turn to write products and what they have in stock, and keeps it until the transaction ends.
pub async fn take_products(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    take(connection, "product").await
}

/// Waits for the turn to erase, and keeps it until the transaction ends. Nobody who [`heeds`](heed_erasures) erasures
/// writes meanwhile.
pub(super) async fn take_erasures(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    take(connection, "erasure").await
}

/// Waits until nobody erases, and keeps it so until the transaction ends. A statement after this one sees every erasure
/// that could concern it.
pub async fn heed_erasures(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select from turn where name = 'erasure' for share").execute(connection).await?;
    Ok(())
}

async fn take(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select from turn where name = $1 for update", name).execute(connection).await?;
    Ok(())
}
