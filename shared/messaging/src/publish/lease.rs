//! Leases for work that only one process may do at a time.
//!
//! A row with holder, epoch and expiry instead of an advisory lock, which a stopped but living process would keep. The epoch
//! increases with every change of the holder, and every critical step checks it.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// How long a lease lasts without renewal: the longest pause after the sudden death of its holder.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(3);

/// Acquires the lease for one [`LEASE_TTL`] if it is free, expired or already ours; returns the epoch on success. A holder that
/// renews in time, or before anyone else acquires the lease, keeps its epoch.
///
/// The lease of a replica whose membership session has ended is free at once: its process was killed. If it lives nevertheless, the
/// epoch check protects the successor.
pub(crate) async fn acquire(
    connection: &mut PgConnection,
    name: &str,
    holder: Uuid,
) -> Result<Option<i64>, Error> {
    let epoch = sqlx::query_scalar!(
        r#"
        insert into messaging.process_lease as l (name, holder, epoch, expires_at)
        values ($1, $2, 1, now() + make_interval(secs => $3))
        on conflict (name) do update set
            holder = excluded.holder,
            epoch = case when l.holder = excluded.holder then l.epoch else l.epoch + 1 end,
            expires_at = excluded.expires_at
        where l.holder = excluded.holder or l.expires_at <= now() or exists (
            select from messaging.replica r
            where r.id = l.holder and not exists (select from pg_stat_get_activity(r.pid))
        )
        returning epoch
        "#,
        name,
        holder,
        LEASE_TTL.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(epoch)
}

/// Releases the lease, so that a successor does not wait for its expiry.
pub(crate) async fn release(
    connection: &mut PgConnection,
    name: &str,
    holder: Uuid,
) -> Result<(), Error> {
    sqlx::query!(
        "update messaging.process_lease set expires_at = now() where name = $1 and holder = $2",
        name,
        holder
    )
    .execute(connection)
    .await?;
    Ok(())
}
