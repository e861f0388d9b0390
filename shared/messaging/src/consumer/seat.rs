//! A replica's seat among those of its service: rows of `messaging.member` and `messaging.lane`.
//!
//! Nothing that must hold depends on them: two replicas with the same lane would be kept apart by the broker's single active
//! consumer, and by the cursors behind it. They say who had better do what.

use sqlx::{ConnectOptions, PgConnection};
use uuid::Uuid;

use super::shares::View;
use crate::{Error, Outbox, lease::TERM};

/// A replica's seat. It is renewed through a connection of its own, which ends when the process does: the others know at once
/// that a killed process is gone, and need not wait until its seat expires.
pub(super) struct Seat {
    outbox: Outbox,
    me: Uuid,
    connection: Option<PgConnection>,
}

impl Seat {
    /// The seat of `me`, not taken yet.
    pub(super) fn new(outbox: &Outbox, me: Uuid) -> Self {
        Self { outbox: outbox.clone(), me, connection: None }
    }

    /// Takes the seat, or keeps it for one more [`TERM`], and looks who has which of `queues`.
    ///
    /// After an error the connection is given up; the next call makes another.
    pub(super) async fn renew(&mut self, queues: &[String]) -> Result<View, Error> {
        let me = self.me;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        sqlx::query!(
            r#"
            insert into messaging.member as m (id, pid, expires_at)
            values ($1, pg_backend_pid(), now() + make_interval(secs => $2))
            on conflict (id) do update set pid = excluded.pid, expires_at = excluded.expires_at
            "#,
            me,
            TERM.as_secs_f64(),
        )
        .execute(&mut connection)
        .await?;
        let members = sqlx::query_scalar!(r#"select id as "id!" from messaging.living_member"#)
            .fetch_all(&mut connection)
            .await?;
        let holders = sqlx::query_scalar!(
            r#"
            select m.id as "holder?"
            from unnest($1::text[]) with ordinality as u (queue, place)
            left join messaging.lane l on l.queue = u.queue
            left join messaging.living_member m on m.id = l.holder
            order by u.place
            "#,
            queues,
        )
        .fetch_all(&mut connection)
        .await?;
        self.connection = Some(connection);
        Ok(View { members: members.into_iter().chain([me]).collect(), holders })
    }

    /// A connection for nothing but the seat. Whoever takes a seat sweeps away what those left who died long ago.
    async fn connect(&self) -> Result<PgConnection, Error> {
        let mut connection = self.outbox.pool().connect_options().connect().await?;
        sqlx::query!("delete from messaging.member where expires_at < now() - interval '1 minute'")
            .execute(&mut connection)
            .await?;
        Ok(connection)
    }

    /// Takes those of `queues` that nobody living has; answers those that are ours now.
    pub(super) async fn take(&mut self, queues: &[&str]) -> Result<Vec<String>, Error> {
        let connection = self.connection.as_mut().ok_or(Error::Ended)?;
        let taken = sqlx::query_scalar!(
            r#"
            insert into messaging.lane as l (queue, holder)
            select queue, $2 from unnest($1::text[]) as u (queue) order by queue
            on conflict (queue) do update set holder = excluded.holder
            where l.holder not in (select id from messaging.living_member)
            returning queue
            "#,
            queues as &[&str],
            self.me,
        )
        .fetch_all(connection)
        .await?;
        Ok(taken)
    }

    /// Gives a queue up, for others to take.
    pub(super) async fn give(&mut self, queue: &str) -> Result<(), Error> {
        let connection = self.connection.as_mut().ok_or(Error::Ended)?;
        sqlx::query!("delete from messaging.lane where queue = $1 and holder = $2", queue, self.me)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Gives up the seat with all that it held. If this fails, the end of the connection says the same.
    pub(super) async fn leave(mut self) -> Result<(), Error> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        sqlx::query!("delete from messaging.member where id = $1", self.me)
            .execute(&mut connection)
            .await?;
        Ok(())
    }
}
