//! The console's own database: staff accounts, sessions, and what staff did.

use runtime::{
    config::{Database, Secret, Tls},
    database::{self, DatabaseError},
};
use sqlx::{PgPool, migrate::Migrator};

use crate::{config, names::SERVICE};

/// The migrations of the console's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Connections in the pool: sessions and staff need few.
const POOL: u32 = 8;

/// The pool; `None` without a database. It connects when it is first needed, so the shop starts without it.
pub(crate) fn pool(
    settings: &config::Database,
    tls: &Tls,
) -> Result<Option<PgPool>, DatabaseError> {
    let Some(url) = settings.url.as_ref().filter(|url| !url.expose().is_empty()) else {
        tracing::warn!("DATABASE_URL is not set: there are no staff accounts");
        return Ok(None);
    };
    pool_at(url, tls).map(Some)
}

/// The pool of the database at `url`.
pub(crate) fn pool_at(url: &Secret, tls: &Tls) -> Result<PgPool, DatabaseError> {
    let database = Database { pool: POOL, ..Database::at(tls.database_url(url).expose()) };
    database::lazy(&SERVICE, &database)
}

/// Brings the database to the newest schema.
pub async fn migrate(settings: &config::RequiredDatabase) -> Result<(), DatabaseError> {
    let url = settings.tls.database_url(&settings.url);
    database::migrate(&SERVICE, &Database::at(url.expose()), &[&MIGRATOR]).await
}
