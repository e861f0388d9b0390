//! The parts of a service that benches of the kit share: a pool, tasks, an empty outbox, and the payload of
//! events.

use std::time::Duration;

use messaging::Outbox;
use testkit::{Database, wait_for};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// The pool size of each service, as in a small instance.
const MAX_CONNECTIONS: u32 = 16;

/// Pads an event to about half a kibibyte with its envelope.
pub(super) const PADDING: &str = "Events of a real shop carry more than a number: a title, an address, a list of lines with prices. \
    This text stands for all of it.";

/// The connection pool of a service.
pub(super) async fn connect(database: &Database) -> Result<sqlx::PgPool, Error> {
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(MAX_CONNECTIONS);
    Ok(options.connect(database.url()).await?)
}

/// Waits until the relay has published everything.
pub(super) async fn wait_until_outbox_is_empty(
    outbox: &Outbox,
    timeout: Duration,
) -> Result<(), Error> {
    wait_for("the outbox is empty", timeout, async || {
        let left: Result<Option<i64>, _> =
            // By the index: a scan would read all rows that were deleted before.
            sqlx::query_scalar("select id from messaging.outbox order by id limit 1")
                .fetch_optional(outbox.pool())
                .await;
        match left {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err("there are rows left".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(())
}

/// A background task of a service: its relay or its consumers.
pub(super) struct RunningTask {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl RunningTask {
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(run(stop.clone()));
        Self { tasks, stop }
    }

    /// Stops gracefully.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
