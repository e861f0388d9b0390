//! The membership of a replica: rows of `messaging.replica` and `messaging.queue_assignment`.
//!
//! These rows only assign work; correctness never depends on them. Two replicas with the same queue would be
//! kept apart by the broker's single active consumer and by the cursors.

use std::time::Duration;

use sqlx::{ConnectOptions, PgConnection};
use uuid::Uuid;

use super::assignment::ClusterView;
use crate::{
    activity::REST_INTERVAL,
    error::Error,
    publish::{lease::LEASE_TTL, outbox::Outbox, waker},
};

/// How long a membership lasts without renewal that was renewed at rest. A replica that joins shortens it, see [`announce`].
const REST_TTL: Duration = REST_INTERVAL.checked_mul(3).unwrap();

/// What a renewal has read.
pub(super) struct Renewed {
    pub(super) view: ClusterView,
    /// Whether any event of the service may be parked.
    pub(super) may_be_parked: bool,
    /// What the replicas use, or have used: aggregates with numbers of slot groups.
    pub(super) slot_groups: Vec<(String, i16)>,
}

/// The membership of a replica. It is renewed on a connection of its own, which ends with the process: so the
/// others notice at once that a process was killed, before its membership expires.
pub(super) struct Membership {
    outbox: Outbox,
    replica: Uuid,
    connection: Option<PgConnection>,
}

impl Membership {
    /// A membership that has not started yet.
    pub(super) fn new(outbox: &Outbox, replica: Uuid) -> Self {
        Self { outbox: outbox.clone(), replica, connection: None }
    }

    /// Starts or renews the membership for one [`LEASE_TTL`], or for [`REST_TTL`], and reads the holders of `queues`.
    ///
    /// After an error the connection is dropped; the next call opens another.
    pub(super) async fn renew(
        &mut self,
        queues: &[String],
        is_resting: bool,
    ) -> Result<Renewed, Error> {
        let replica = self.replica;
        let ttl = if is_resting { REST_TTL } else { LEASE_TTL };
        let (mut connection, is_new) = match self.connection.take() {
            Some(connection) => (connection, false),
            None => (self.connect().await?, true),
        };
        let row = sqlx::query!(
            r#"
            with renewed as (
                insert into messaging.replica (id, pid, expires_at)
                values ($1, pg_backend_pid(), now() + make_interval(secs => $2))
                on conflict (id) do update set pid = excluded.pid, expires_at = excluded.expires_at
            )
            select
                array(select id from messaging.active_replica) as "members!",
                array(
                    select case when a.holder = $1 or r.id is not null then a.holder end
                    from unnest($3::text[]) with ordinality as u (queue, place)
                    left join messaging.queue_assignment a on a.queue = u.queue
                    left join messaging.active_replica r on r.id = a.holder
                    order by u.place
                ) as "holders!: Vec<Option<Uuid>>",
                -- At rest only: it may read past many dead rows.
                case when $4 then exists (select from messaging.parked) else true end as "may_be_parked!",
                array(select aggregate from messaging.slot_groups order by aggregate, groups) as "aggregates!",
                array(select groups from messaging.slot_groups order by aggregate, groups) as "groups!"
            "#,
            replica,
            ttl.as_secs_f64(),
            queues,
            is_resting,
        )
        .fetch_one(&mut connection)
        .await?;
        if is_new {
            announce(&mut connection, replica).await?;
        }
        self.connection = Some(connection);
        let members = row.members.into_iter().chain([replica]).collect();
        let view = ClusterView { members, holders: row.holders };
        let slot_groups = row.aggregates.into_iter().zip(row.groups).collect();
        Ok(Renewed { view, may_be_parked: row.may_be_parked, slot_groups })
    }

    /// Opens the connection, and deletes expired members.
    async fn connect(&self) -> Result<PgConnection, Error> {
        let mut connection = self.outbox.pool().connect_options().connect().await?;
        sqlx::query!(
            "delete from messaging.replica where expires_at < now() - interval '1 minute'"
        )
        .execute(&mut connection)
        .await?;
        Ok(connection)
    }

    /// Acquires those of `queues` that no living member holds; returns the acquired ones.
    pub(super) async fn acquire(&mut self, queues: &[&str]) -> Result<Vec<String>, Error> {
        let connection = self.connection.as_mut().ok_or(Error::ConnectionClosed)?;
        let acquired = sqlx::query_scalar!(
            r#"
            insert into messaging.queue_assignment as a (queue, holder)
            select queue, $2 from unnest($1::text[]) as u (queue) order by queue
            on conflict (queue) do update set holder = excluded.holder
            where a.holder not in (select id from messaging.active_replica)
            returning queue
            "#,
            queues as &[&str],
            self.replica,
        )
        .fetch_all(connection)
        .await?;
        Ok(acquired)
    }

    /// Releases a queue for other replicas.
    pub(super) async fn release(&mut self, queue: &str) -> Result<(), Error> {
        let connection = self.connection.as_mut().ok_or(Error::ConnectionClosed)?;
        sqlx::query!(
            "delete from messaging.queue_assignment where queue = $1 and holder = $2",
            queue,
            self.replica
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Ends the membership and releases its queues. If that fails, the end of the connection has the same
    /// effect.
    pub(super) async fn leave(mut self) -> Result<(), Error> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        sqlx::query!("delete from messaging.replica where id = $1", self.replica)
            .execute(&mut connection)
            .await?;
        Ok(())
    }
}

/// Ends the rest of the others, so that they make room. One that does not react is not waited for longer than for any other.
async fn announce(connection: &mut PgConnection, replica: Uuid) -> Result<(), Error> {
    sqlx::query!(
        r#"
        with shortened as (
            update messaging.replica set expires_at = now() + make_interval(secs => $2)
            where id <> $1 and expires_at > now() + make_interval(secs => $2)
        )
        select pg_notify($3, '')::text as "notified"
        "#,
        replica,
        LEASE_TTL.as_secs_f64(),
        waker::CHANNEL,
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}
