//! What benches of the kit need of a service: its connections, its halves that run, an outbox that has emptied, and what its
//! events say.

use std::time::Duration;

use messaging::Kit;
use testkit::{Database, wait_for};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Connections of each service: as many as a small instance has.
const CONNECTIONS: u32 = 16;

/// What fills an event up to about half a kibibyte.
pub(super) const NOTE: &str = "A bench says what a shop would say, and a shop says more than a number: a title, an address, a list of \
    lines. This stands for it.";

/// A service's pool.
pub(super) async fn connect(database: &Database) -> Result<sqlx::PgPool, Failure> {
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(CONNECTIONS);
    Ok(options.connect(database.url()).await?)
}

/// Waits until the relay has carried everything away.
pub(super) async fn wait_until_said(speaker: &Kit, deadline: Duration) -> Result<(), Failure> {
    wait_for("the outbox is empty", deadline, async || {
        let left: Result<Option<i64>, _> =
            sqlx::query_scalar("select id from messaging.outbox limit 1")
                .fetch_optional(speaker.pool())
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

/// A running half of a service.
pub(super) struct Running {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Running {
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(run(stop.clone()));
        Self { tasks, stop }
    }

    /// Stops as a service does.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
