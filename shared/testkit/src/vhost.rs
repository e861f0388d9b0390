//! A vhost of one test's own.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::last_act::last_act;
use crate::rabbitmq::vhost_url;
use crate::wait::wait_for;
use crate::{Error, Management, QueueState, shared_servers};

/// How long queues must have been empty to count as at rest: two counts of a server that this crate started, and some more.
const SETTLED: Duration = Duration::from_millis(1200);

/// A fresh vhost on the shared server, dropped with this value.
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
    management: Management,
}

impl Vhost {
    /// An empty vhost.
    ///
    /// # Errors
    ///
    /// When there is no server, or it refuses.
    pub async fn create() -> Result<Self, Error> {
        let (server, management) = shared_servers::rabbitmq().await?;
        Self::create_on(&[server], management).await
    }

    /// An empty vhost on the nodes at `servers`, of which one has this management API.
    pub(crate) async fn create_on(
        servers: &[String],
        management: Management,
    ) -> Result<Self, Error> {
        let name = format!("test-{}", Uuid::now_v7().simple());
        management.create_vhost(&name).await?;
        let urls: Vec<String> = servers.iter().map(|server| vhost_url(server, &name)).collect();
        let url = urls.join(",");
        Ok(Self { name, url, management })
    }

    /// Its AMQP address; on a cluster, those of all nodes, divided by commas.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The management API of the server that it is on.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// Its queues, as the server saw them at its last count (see [`QueueState`]).
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn queues(&self) -> Result<Vec<QueueState>, Error> {
        self.management.queues(&self.name).await
    }

    /// Waits until every queue, streams aside, has been empty in all counts for a while: longer than a count of the server is
    /// old, so that what was published before this call has been seen.
    ///
    /// # Errors
    ///
    /// When they are not empty at the deadline; the error names those that are not.
    pub async fn at_rest(&self, deadline: Duration) -> Result<(), Error> {
        let empty_since = Mutex::new(None);
        wait_for("all queues are at rest", deadline, async || {
            let queues = self.queues().await.map_err(|error| error.to_string())?;
            let full: Vec<String> = queues
                .iter()
                .filter(|queue| queue.kind != "stream" && queue.messages > 0)
                .map(|queue| format!("{}: {}", queue.name, queue.messages))
                .collect();
            let mut empty_since = empty_since.lock().unwrap_or_else(PoisonError::into_inner);
            if !full.is_empty() {
                *empty_since = None;
                return Err(full.join(", "));
            }
            if empty_since.get_or_insert_with(Instant::now).elapsed() > SETTLED {
                return Ok(());
            }
            Err("empty, but perhaps not for long".to_owned())
        })
        .await?;
        Ok(())
    }

    /// Makes the server close the connections to this vhost, and tells how many there were.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn close_connections(&self) -> Result<usize, Error> {
        self.management.close_connections(Some(&self.name)).await
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let (name, base) = (self.name.clone(), self.management.clone());
        // The client of the test is tied to the test's runtime, so the last request goes through a new one.
        last_act("vhost", async move { base.reconnected()?.delete_vhost(&name).await });
    }
}
