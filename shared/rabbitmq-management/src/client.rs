//! The client.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tls::{
    ClientTls,
    http::{HttpClient, HttpError, Timeouts},
};
use tokio::time::timeout;

use crate::error::Error;

/// The slowest request deletes a vhost with many quorum queues.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The limit for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection stays open without a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A client of the management API of one server.
#[derive(Clone)]
pub struct ManagementClient {
    base: String,
    user: String,
    password: String,
    tls: Option<ClientTls>,
    client: HttpClient<Full<Bytes>>,
}

/// The latest statistics of a queue.
///
/// A server updates its statistics every five seconds by default, so a recently published message may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QueueState {
    pub name: String,
    /// `classic`, `quorum` or `stream`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Ready and unacknowledged messages.
    #[serde(default)]
    pub messages: u64,
    #[serde(default)]
    pub messages_ready: u64,
    #[serde(default)]
    pub messages_unacknowledged: u64,
    #[serde(default)]
    pub consumers: u64,
    #[serde(default)]
    pub message_stats: MessageStats,
}

/// Counters of a queue since its declaration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct MessageStats {
    /// Acknowledged messages.
    #[serde(default)]
    pub ack: u64,
}

/// Counters of the whole server since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct MessageTotals {
    /// Messages that publishers have sent.
    #[serde(default)]
    pub publish: u64,
    /// Messages that consumers have acknowledged.
    #[serde(default)]
    pub ack: u64,
}

/// The part of the server's overview that is read.
#[derive(Debug, Deserialize)]
struct Overview {
    #[serde(default)]
    message_stats: MessageTotals,
}

/// A node of a cluster.
#[derive(Debug, Deserialize)]
struct Node {
    #[serde(default)]
    running: bool,
}

/// A client connection to the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Connection {
    /// Assigned by the server.
    pub name: String,
    /// Provided by the client; empty if it provided none.
    #[serde(default, rename = "user_provided_name")]
    pub client_name: String,
    #[serde(default)]
    pub vhost: String,
    /// `running`, `blocked`, `blocking` …, from the latest statistics.
    #[serde(default)]
    pub state: String,
}

/// Without the password.
impl fmt::Debug for ManagementClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagementClient").field("base", &self.base).finish_non_exhaustive()
    }
}

impl ManagementClient {
    /// A client of the API at `base`: `http://host:port`, optionally with `user:password@` (default `guest:guest@`). Reserved
    /// characters in user and password are percent-encoded.
    pub fn new(base: &str) -> Result<Self, Error> {
        Self::with_tls(base, None)
    }

    /// The same, also for an `https` address, whose server `tls` trusts.
    pub fn with_tls(base: &str, tls: Option<ClientTls>) -> Result<Self, Error> {
        let (scheme, rest) =
            base.trim_end_matches('/').split_once("://").ok_or(Error::InvalidUrl)?;
        let (credentials, host) = rest.rsplit_once('@').unwrap_or(("guest:guest", rest));
        let (user, password) = credentials.split_once(':').ok_or(Error::InvalidUrl)?;
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Ok(Self {
            base: format!("{scheme}://{host}"),
            user: decoded(user),
            password: decoded(password),
            client: client(tls.clone()),
            tls,
        })
    }

    /// The URL without user and password.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// A copy with new connections, for use on another runtime.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        Self { client: client(self.tls.clone()), ..self.clone() }
    }

    /// Succeeds if the server responds and all its vhosts are running.
    pub async fn check(&self) -> Result<(), Error> {
        self.request(Method::GET, "/api/health/checks/virtual-hosts", None).await.map(drop)
    }

    /// Whether a memory or disk alarm is raised.
    pub async fn has_alarms(&self) -> Result<bool, Error> {
        match self.request(Method::GET, "/api/health/checks/alarms", None).await {
            Ok(_) => Ok(false),
            Err(Error::Status { status, .. })
                if status == StatusCode::SERVICE_UNAVAILABLE.as_u16() =>
            {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Creates a vhost unless it exists, and grants the user of this client all permissions in it.
    pub async fn create_vhost(&self, vhost: &str) -> Result<(), Error> {
        let vhost = percent_encoded(vhost);
        self.request(Method::PUT, &format!("/api/vhosts/{vhost}"), None).await?;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let path = format!("/api/permissions/{vhost}/{}", percent_encoded(&self.user));
        self.request(Method::PUT, &path, Some(&all)).await.map(drop)
    }

    /// Creates a user without rights in a vhost, or sets its password and tags: `monitoring`, `administrator` …, separated by commas.
    pub async fn create_user(&self, name: &str, password: &str, tags: &str) -> Result<(), Error> {
        let body = json!({"password": password, "tags": tags});
        let path = format!("/api/users/{}", percent_encoded(name));
        self.request(Method::PUT, &path, Some(&body)).await.map(drop)
    }

    /// Creates or changes what these definitions name, in the format of the server's own export.
    pub async fn import(&self, definitions: &serde_json::Value) -> Result<(), Error> {
        self.request(Method::POST, "/api/definitions", Some(definitions)).await.map(drop)
    }

    /// Deletes a vhost with its contents, if it exists.
    pub async fn delete_vhost(&self, vhost: &str) -> Result<(), Error> {
        ignore_not_found(self.delete(&format!("/api/vhosts/{}", percent_encoded(vhost))).await)
    }

    pub async fn queues(&self, vhost: &str) -> Result<Vec<QueueState>, Error> {
        let path = format!(
            "/api/queues/{}?columns=name,type,messages,messages_ready,messages_unacknowledged,consumers,message_stats.ack",
            percent_encoded(vhost)
        );
        self.get(&path).await
    }

    /// Lists the `exchanges`, `queues` or `bindings` of a vhost, as the API describes them.
    pub async fn list<T: DeserializeOwned>(
        &self,
        objects: &str,
        vhost: &str,
    ) -> Result<Vec<T>, Error> {
        let path = format!("/api/{objects}/{}", percent_encoded(vhost));
        self.get(&path).await
    }

    /// Deletes a queue with its messages, or an exchange with its bindings, if it exists. `objects` is `queues` or `exchanges`.
    pub async fn delete_object(&self, objects: &str, vhost: &str, name: &str) -> Result<(), Error> {
        let path = format!("/api/{objects}/{}/{}", percent_encoded(vhost), percent_encoded(name));
        ignore_not_found(self.delete(&path).await)
    }

    /// The messages of all vhosts.
    pub async fn message_totals(&self) -> Result<MessageTotals, Error> {
        let path = "/api/overview?columns=message_stats.publish,message_stats.ack";
        let overview: Overview = self.get(path).await?;
        Ok(overview.message_stats)
    }

    /// The number of running nodes in the cluster, as this node sees it.
    pub async fn running_nodes(&self) -> Result<usize, Error> {
        let path = "/api/nodes?columns=name,running";
        let nodes: Vec<Node> = self.get(path).await?;
        Ok(nodes.iter().filter(|node| node.running).count())
    }

    /// Whether a quorum queue would lose its majority without this node.
    pub async fn is_quorum_critical(&self) -> Result<bool, Error> {
        let path = "/api/health/checks/node-is-quorum-critical";
        match self.request(Method::GET, path, None).await {
            Ok(_) => Ok(false),
            Err(Error::Status { status, .. })
                if status == StatusCode::SERVICE_UNAVAILABLE.as_u16() =>
            {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    pub async fn connections(&self) -> Result<Vec<Connection>, Error> {
        let path = "/api/connections?columns=name,user_provided_name,vhost,state";
        self.get(path).await
    }

    /// Makes the server close the connections to one vhost, or all (`None`), and returns their number.
    pub async fn close_connections(&self, vhost: Option<&str>) -> Result<usize, Error> {
        let mut closed = 0;
        for connection in self.connections().await? {
            if vhost.is_none_or(|vhost| vhost == connection.vhost) {
                let path = format!("/api/connections/{}", percent_encoded(&connection.name));
                ignore_not_found(self.delete(&path).await)?;
                closed += 1;
            }
        }
        Ok(closed)
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        self.request(Method::DELETE, path, None).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        Ok(serde_json::from_slice(&self.request(Method::GET, path, None).await?)?)
    }

    /// The body of a successful response.
    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Bytes, Error> {
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let credentials = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, format!("Basic {credentials}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(HttpError::from)?;
        let response = async {
            let response = self.client.send(request).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        let timed_out = Err(HttpError::TimedOut(REQUEST_TIMEOUT));
        let (status, body) = timeout(REQUEST_TIMEOUT, response).await.unwrap_or(timed_out)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(Error::Status {
            request: format!("{method} {path}"),
            status: status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

fn client(tls: Option<ClientTls>) -> HttpClient<Full<Bytes>> {
    HttpClient::new(tls, Timeouts { connect: CONNECT_TIMEOUT, read: None, idle: IDLE_TIMEOUT })
}

fn ignore_not_found(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Status { status, .. }) if status == StatusCode::NOT_FOUND.as_u16() => Ok(()),
        Ok(()) | Err(_) => result,
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986, for one path segment or query value.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::{ManagementClient, percent_encoded};

    #[test]
    fn reserved_characters_are_percent_encoded() {
        assert_eq!(percent_encoded("a.b-c d&e=…"), "a.b-c%20d%26e%3D%E2%80%A6");
    }

    #[test]
    fn user_and_password_are_taken_from_the_url() {
        let client = ManagementClient::new("http://me:a%40b:c@mq-1:15672/").unwrap();
        assert_eq!(client.url(), "http://mq-1:15672");
        assert_eq!((&*client.user, &*client.password), ("me", "a@b:c"));
        let default = ManagementClient::new("http://mq-1:15672").unwrap();
        assert_eq!((&*default.user, &*default.password), ("guest", "guest"));
        // The text of an error must not repeat a password.
        let error = ManagementClient::new("me:secret@mq-1").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
