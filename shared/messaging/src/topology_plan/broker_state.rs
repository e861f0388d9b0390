//! What exists on a broker, as its management API lists it.

use std::collections::BTreeMap;

use lapin::uri::AMQPUri;
use serde::Deserialize;
use serde_json::Value;

use crate::declarations::ArgumentValue;

/// The port of the management API unless it is configured.
const MANAGEMENT_PORT: u16 = 15672;

/// The vhost that an AMQP URL names, and the default URL of the management API of the same broker, with the same user. Of several
/// URLs, separated by commas, the first counts. `None` if it is no AMQP URL.
pub fn management_of(amqp_urls: &str) -> Option<(String, String)> {
    let first = amqp_urls.split(',').next()?.trim();
    let AMQPUri { authority, vhost, .. } = first.parse().ok()?;
    let (user, host) = (authority.userinfo, authority.host);
    let (name, password) = (user.username, user.password);
    let url = format!("http://{name}:{password}@{host}:{MANAGEMENT_PORT}");
    Some((vhost, url))
}

/// The objects of a vhost.
#[derive(Debug, Clone, Default)]
pub struct BrokerState {
    /// `GET /api/exchanges/{vhost}`
    pub exchanges: Vec<FoundExchange>,
    /// `GET /api/queues/{vhost}`
    pub queues: Vec<FoundQueue>,
    /// `GET /api/bindings/{vhost}`
    pub bindings: Vec<FoundBinding>,
}

/// An exchange.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundExchange {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub durable: bool,
    pub auto_delete: bool,
    #[serde(default)]
    pub internal: bool,
    #[serde(default)]
    pub arguments: BTreeMap<String, Value>,
}

/// A queue or stream.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundQueue {
    pub name: String,
    /// `classic`, `quorum` or `stream`.
    #[serde(rename = "type")]
    pub kind: String,
    pub durable: bool,
    pub auto_delete: bool,
    #[serde(default)]
    pub exclusive: bool,
    #[serde(default)]
    pub arguments: BTreeMap<String, Value>,
    /// Ready and unacknowledged messages, some seconds ago.
    #[serde(default)]
    pub messages: u64,
    #[serde(default)]
    pub consumers: u64,
}

/// A binding to a queue or to another exchange.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundBinding {
    /// Empty for the default exchange.
    pub source: String,
    pub destination: String,
    /// `queue` or `exchange`.
    pub destination_type: String,
    pub routing_key: String,
    #[serde(default)]
    pub arguments: BTreeMap<String, Value>,
}

/// An argument as text, like that of a declaration.
pub(super) fn text(value: &Value) -> String {
    serde_json::from_value::<ArgumentValue>(value.clone())
        .map_or_else(|_| value.to_string(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::management_of;

    #[test]
    fn the_management_api_is_found_beside_the_broker() {
        let found = management_of("amqp://me:secret@mq-1:5672/shop%2Ftest, amqp://mq-2/x");
        let expected = ("shop/test".to_owned(), "http://me:secret@mq-1:15672".to_owned());
        assert_eq!(found, Some(expected));
        assert_eq!(management_of("amqp://mq").unwrap().0, "/");
        assert_eq!(management_of("mq"), None);
    }
}
