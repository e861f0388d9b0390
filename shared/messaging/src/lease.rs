//! Leases: who does what only one process may do at a time.
//!
//! A row with holder, epoch and expiry, not an advisory lock: a lock would outlive a process that is stopped but not dead.
//! The epoch counts the changes of hand, and every step that matters checks it.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// How long a lease lasts without being renewed: the longest pause after the sudden death of its holder.
pub(crate) const TERM: Duration = Duration::from_secs(3);

/// Takes the lease if it is free, expired or already ours, for one [`TERM`]. The epoch if it is ours now. A holder who takes
/// it again in time, or before anybody else did, keeps his epoch.
///
/// The lease of a replica whose seat has lost its session is free at once: its process was killed. Should it live all the same,
/// the epoch guards what it does.
pub(crate) async fn take(
    connection: &mut PgConnection,
    name: &str,
    holder: Uuid,
) -> Result<Option<i64>, Error> {
    let epoch = sqlx::query_scalar!(
        r#"
        insert into messaging.lease as l (name, holder, epoch, expires_at)
        values ($1, $2, 1, now() + make_interval(secs => $3))
        on conflict (name) do update set
            holder = excluded.holder,
            epoch = case when l.holder = excluded.holder then l.epoch else l.epoch + 1 end,
            expires_at = excluded.expires_at
        where l.holder = excluded.holder or l.expires_at <= now() or exists (
            select from messaging.member m
            where m.id = l.holder and not exists (select from pg_stat_get_activity(m.pid))
        )
        returning epoch
        "#,
        name,
        holder,
        TERM.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(epoch)
}

/// Gives the lease back, so that a successor need not wait for it to expire.
pub(crate) async fn release(
    connection: &mut PgConnection,
    name: &str,
    holder: Uuid,
) -> Result<(), Error> {
    sqlx::query!(
        "update messaging.lease set expires_at = now() where name = $1 and holder = $2",
        name,
        holder
    )
    .execute(connection)
    .await?;
    Ok(())
}
