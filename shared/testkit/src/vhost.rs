//! A vhost for one test.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rabbitmq_management::{ManagementClient, QueueState};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    async_drop::async_drop,
    error::Error,
    rabbitmq::{RabbitMq, vhost_url},
    shared_servers,
    wait::wait_with_pauses,
};

/// How long queues must stay empty to count as drained: more than two statistics intervals of a server that this crate started.
const STABLE_AFTER: Duration = Duration::from_millis(1200);

/// The pauses between two requests for the statistics: often enough to see each, and seldom enough to cost the broker little.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(300));

/// A new vhost on the shared server, deleted with this value.
///
/// ```no_run
/// # async fn test() -> Result<(), testkit::Error> {
/// let vhost = testkit::Vhost::create().await?;
/// println!("{} has {} queues", vhost.url(), vhost.queues().await?.len());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Vhost {
    name: String,
    url: String,
    management: ManagementClient,
}

impl Vhost {
    /// Creates an empty vhost.
    pub async fn create() -> Result<Self, Error> {
        let (server, management) = shared_servers::rabbitmq().await?;
        Self::create_on(&[server], management).await
    }

    /// Creates an empty vhost on a private server.
    pub async fn create_in(server: &RabbitMq) -> Result<Self, Error> {
        Self::create_on(&[server.url()], server.management().clone()).await
    }

    /// Creates an empty vhost on the nodes at `servers`; `management` is a client of one of them.
    pub(crate) async fn create_on(
        servers: &[String],
        management: ManagementClient,
    ) -> Result<Self, Error> {
        let name = format!("test-{}", Uuid::now_v7().simple());
        management.create_vhost(&name).await?;
        let urls: Vec<String> = servers.iter().map(|server| vhost_url(server, &name)).collect();
        let url = urls.join(",");
        Ok(Self { name, url, management })
    }

    /// The AMQP URL; on a cluster, the URLs of all nodes, separated by commas.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn management(&self) -> &ManagementClient {
        &self.management
    }

    /// The queues with their latest statistics (see [`QueueState`]).
    pub async fn queues(&self) -> Result<Vec<QueueState>, Error> {
        Ok(self.management.queues(&self.name).await?)
    }

    /// Waits until every queue except streams is drained.
    ///
    /// A queue is drained if it stays empty for longer than the statistics interval, so that the statistics include what
    /// was published before this call. The error names the queues that are not empty.
    pub async fn wait_until_drained(&self, timeout: Duration) -> Result<(), Error> {
        let empty_since = Mutex::new(None);
        wait_with_pauses("all queues are drained", timeout, PAUSES, async || {
            let queues = self.queues().await.map_err(|error| error.to_string())?;
            let filled: Vec<String> = queues
                .iter()
                .filter(|queue| queue.kind != "stream" && queue.messages > 0)
                .map(|queue| format!("{}: {}", queue.name, queue.messages))
                .collect();
            let mut empty_since = empty_since.lock().unwrap_or_else(PoisonError::into_inner);
            if !filled.is_empty() {
                *empty_since = None;
                return Err(filled.join(", "));
            }
            if empty_since.get_or_insert_with(Instant::now).elapsed() > STABLE_AFTER {
                return Ok(());
            }
            Err("empty, but not for long enough".to_owned())
        })
        .await?;
        Ok(())
    }

    /// Makes the server close the connections to this vhost, and returns their number.
    pub async fn close_connections(&self) -> Result<usize, Error> {
        Ok(self.management.close_connections(Some(&self.name)).await?)
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let (name, management) = (self.name.clone(), self.management.clone());
        // The client is tied to the runtime of the test, so this request needs a new one.
        async_drop("vhost", async move { Ok(management.reconnected().delete_vhost(&name).await?) });
    }
}
