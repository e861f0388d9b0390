//! How long the queues are, asked of the broker over AMQP, without its management plugin; and how they fare, asked of the
//! services that consume them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use axum::http::{HeaderValue, header::AUTHORIZATION};
use futures::future::join_all;
use lapin::Connection;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use runtime::config::Secret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::{Services, under};
use crate::tap::{TapError, connect, is_not_found, within};

/// How long an answer serves everybody who asks: so many lookers cost the broker no more than one.
const FRESH: Duration = Duration::from_secs(1);
/// How long the names of the queues are believed.
const NAMES_FRESH: Duration = Duration::from_secs(15);
/// How long a service may take to name its queues, or to say how they fare.
const NAMING: Duration = Duration::from_secs(2);
/// How many queues are looked at.
const MOST: usize = 200;

/// A queue as the broker sees it; no numbers where it does not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QueueDepth {
    /// Its name.
    pub name: String,
    /// Messages that wait to be delivered.
    pub messages: Option<u32>,
    /// How many take them.
    pub consumers: Option<u32>,
    /// How it fares, as the service says that consumes it at its `GET /v1/queues`; left out where none says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub figures: Option<Map<String, Value>>,
}

/// Looks at the queues on a connection of its own, which is made when somebody asks.
pub struct Queues {
    amqp_url: Secret,
    services: Services,
    client: reqwest::Client,
    seen: Mutex<Seen>,
}

/// What was seen last. It is locked while somebody looks, so that others wait for the same answer.
#[derive(Default)]
struct Seen {
    connection: Option<Connection>,
    names: Option<(Instant, Vec<String>)>,
    depths: Option<(Instant, Vec<QueueDepth>)>,
}

/// What a service says of its queues.
#[derive(Deserialize)]
struct Named {
    queues: Vec<String>,
}

/// How a service's queues fare: each with its name as `queue`.
#[derive(Deserialize)]
struct Faring {
    queues: Vec<Map<String, Value>>,
}

impl Queues {
    /// The queues of `services` on the broker at `amqp_url`.
    pub fn new(amqp_url: Secret, services: Services, client: reqwest::Client) -> Queues {
        Queues { amqp_url, services, client, seen: Mutex::default() }
    }

    /// All queues, sorted by name, as they were a second ago at most. The services are asked with the operator's own `token`.
    pub async fn now(&self, token: Option<&HeaderValue>) -> Result<Vec<QueueDepth>, TapError> {
        let mut seen = self.seen.lock().await;
        if let Some((at, depths)) = &seen.depths
            && at.elapsed() < FRESH
        {
            return Ok(depths.clone());
        }
        let names = match seen.names.take() {
            Some((at, names)) if at.elapsed() < NAMES_FRESH && !names.is_empty() => (at, names),
            Some(_) | None => (Instant::now(), self.names().await),
        };
        let (_, names) = seen.names.insert(names);
        let names = names.clone();
        // Taken out, so that a connection over which anything goes wrong is not used again.
        let connection = match seen.connection.take() {
            Some(connection) if connection.status().connected() => connection,
            Some(_) | None => connect(&self.amqp_url, "console: queues").await?,
        };
        let (depths, mut figures) = tokio::join!(queues(&connection, &names), self.figures(token));
        let mut depths = depths?;
        for depth in &mut depths {
            depth.figures = figures.remove(&depth.name);
        }
        seen.connection = Some(connection);
        seen.depths = Some((Instant::now(), depths.clone()));
        Ok(depths)
    }

    /// Where the names of the queues come from: each service knows its own topology and tells it at `/ops/topology`. One that
    /// does not answer, or does not know the route yet, has no queues to show.
    async fn names(&self) -> Vec<String> {
        let answers = self.ask_all::<Named>("/ops/topology", None).await.into_iter();
        let names: BTreeSet<String> = answers.flat_map(|named| named.queues).collect();
        names.into_iter().take(MOST).collect()
    }

    /// How the queues fare, by their names.
    async fn figures(&self, token: Option<&HeaderValue>) -> HashMap<String, Map<String, Value>> {
        let faring = self.ask_all::<Faring>("/v1/queues", token).await.into_iter();
        let named = |mut figures: Map<String, Value>| {
            let Some(Value::String(name)) = figures.remove("queue") else { return None };
            Some((name, figures))
        };
        faring.flat_map(|faring| faring.queues).filter_map(named).collect()
    }

    /// What the services answer at `path`, those that do.
    async fn ask_all<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&HeaderValue>,
    ) -> Vec<T> {
        let asked = self.services.each().map(|(_, base)| {
            let mut asking = self.client.get(under(base, path)).timeout(NAMING);
            if let Some(token) = token {
                asking = asking.header(AUTHORIZATION, token);
            }
            async { asking.send().await.ok()?.error_for_status().ok()?.json::<T>().await.ok() }
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// Asks the broker for the length of each of `names`.
pub async fn queues(
    connection: &Connection,
    names: &[String],
) -> Result<Vec<QueueDepth>, TapError> {
    let mut channel = within("opening a channel", connection.create_channel()).await?;
    let mut depths = Vec::with_capacity(names.len());
    for name in names {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = channel.queue_declare(name.as_str().into(), options, FieldTable::default());
        let (messages, consumers) = match within("looking at a queue", asked).await {
            Ok(queue) => (Some(queue.message_count()), Some(queue.consumer_count())),
            Err(TapError::Broker(error)) if is_not_found(&error) => {
                // A question for what is not there costs the channel it was asked on.
                channel = within("opening a channel", connection.create_channel()).await?;
                (None, None)
            }
            Err(error) => return Err(error),
        };
        depths.push(QueueDepth { name: name.clone(), messages, consumers, figures: None });
    }
    within("closing a channel", channel.close(200, "done".into())).await?;
    Ok(depths)
}
