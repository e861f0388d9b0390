//! The queues: their lengths from the broker, over AMQP and without its management plugin, and their statistics from the
//! services that consume them.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use axum::http::HeaderValue;
use lapin::{Connection, options::QueueDeclareOptions, types::FieldTable};
use runtime::config::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    broker::{BrokerError, connect, is_not_found, with_timeout},
    service_client::ServiceClient,
};

/// How long a result is reused, so that many open pages cost the broker no more than one.
const QUEUES_TTL: Duration = Duration::from_secs(1);
/// How long the names of the queues are reused.
const NAMES_TTL: Duration = Duration::from_secs(15);
/// How long a service may take to send its queue names or statistics.
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_QUEUES: usize = 200;

/// One queue. Without `messages` and `consumers` if it does not exist.
#[derive(Debug, Clone)]
pub(crate) struct QueueStats {
    pub(crate) name: String,
    pub(crate) messages: Option<u32>,
    pub(crate) consumers: Option<u32>,
    /// What its consumer reports at `GET /v1/queues`.
    pub(crate) figures: Option<Map<String, Value>>,
}

/// Reads the queues over a connection of its own, which it opens on the first request.
pub(crate) struct QueueInspector {
    amqp_url: Secret,
    client: ServiceClient,
    /// Locked during a read, so that concurrent requests wait for the same result.
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    connection: Option<Connection>,
    names: Option<(Instant, Vec<String>)>,
    queues: Option<(Instant, Vec<QueueStats>)>,
}

/// The response of `GET /ops/topology`.
#[derive(Deserialize)]
struct Topology {
    queues: Vec<String>,
}

/// The response of `GET /v1/queues`: the name of each queue is in the field `queue`.
#[derive(Deserialize)]
struct ServiceQueues {
    queues: Vec<Map<String, Value>>,
}

impl QueueInspector {
    pub(crate) fn new(amqp_url: Secret, client: ServiceClient) -> QueueInspector {
        QueueInspector { amqp_url, client, cache: Mutex::default() }
    }

    /// All queues, sorted by name, at most [`QUEUES_TTL`] old. `token` is sent to the services.
    pub(crate) async fn queues(
        &self,
        token: Option<&HeaderValue>,
    ) -> Result<Vec<QueueStats>, BrokerError> {
        let mut cache = self.cache.lock().await;
        if let Some((read_at, queues)) = &cache.queues
            && read_at.elapsed() < QUEUES_TTL
        {
            return Ok(queues.clone());
        }
        let names = match cache.names.take() {
            Some((read_at, names)) if read_at.elapsed() < NAMES_TTL && !names.is_empty() => {
                (read_at, names)
            }
            Some(_) | None => (Instant::now(), self.fetch_names(token).await),
        };
        let (_, names) = cache.names.insert(names);
        let names = names.clone();
        // Taken out of the cache, so that a connection that fails is not used again.
        let connection = match cache.connection.take() {
            Some(connection) if connection.status().connected() => connection,
            Some(_) | None => connect(&self.amqp_url, "console: queues").await?,
        };
        let (queues, mut figures) =
            tokio::join!(read_queues(&connection, &names), self.fetch_figures(token));
        let mut queues = queues?;
        for queue in &mut queues {
            queue.figures = figures.remove(&queue.name);
        }
        cache.connection = Some(connection);
        cache.queues = Some((Instant::now(), queues.clone()));
        Ok(queues)
    }

    /// Each service shows operators its topology at `/ops/topology`. The queues of a service that does not answer are missing.
    async fn fetch_names(&self, token: Option<&HeaderValue>) -> Vec<String> {
        let topologies = self.client.get_json_from_all("/ops/topology", None, token, TIMEOUT).await;
        let names: BTreeSet<String> = topologies
            .into_iter()
            .filter_map(|(_, topology): (_, Option<Topology>)| topology)
            .flat_map(|topology| topology.queues)
            .collect();
        names.into_iter().take(MAX_QUEUES).collect()
    }

    /// The statistics of the queues, by name.
    async fn fetch_figures(
        &self,
        token: Option<&HeaderValue>,
    ) -> HashMap<String, Map<String, Value>> {
        let responses = self.client.get_json_from_all("/v1/queues", None, token, TIMEOUT).await;
        let by_name = |mut figures: Map<String, Value>| {
            let Some(Value::String(name)) = figures.remove("queue") else { return None };
            Some((name, figures))
        };
        responses
            .into_iter()
            .filter_map(|(_, response): (_, Option<ServiceQueues>)| response)
            .flat_map(|response| response.queues)
            .filter_map(by_name)
            .collect()
    }
}

/// Reads the length of each queue with a passive declaration.
async fn read_queues(
    connection: &Connection,
    names: &[String],
) -> Result<Vec<QueueStats>, BrokerError> {
    let mut channel = with_timeout("opening a channel", connection.create_channel()).await?;
    let mut queues = Vec::with_capacity(names.len());
    for name in names {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(name.as_str().into(), options, FieldTable::default());
        let (messages, consumers) = match with_timeout("reading a queue", declared).await {
            Ok(queue) => (Some(queue.message_count()), Some(queue.consumer_count())),
            Err(BrokerError::Failed(error)) if is_not_found(&error) => {
                // The broker has closed the channel.
                channel = with_timeout("opening a channel", connection.create_channel()).await?;
                (None, None)
            }
            Err(error) => return Err(error),
        };
        queues.push(QueueStats { name: name.clone(), messages, consumers, figures: None });
    }
    with_timeout("closing a channel", channel.close(200, "done".into())).await?;
    Ok(queues)
}
