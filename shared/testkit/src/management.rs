//! RabbitMQ's management API, as far as tests and chores need it.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::Error;

/// No request may take longer. Dropping a vhost with many quorum queues is the slowest.
const DEADLINE: Duration = Duration::from_secs(30);

/// A client of the management API of one server.
#[derive(Debug, Clone)]
pub struct Management {
    base: String,
    user: String,
    password: String,
    client: Client,
}

/// A queue, as the server saw it at its last count.
///
/// The server counts every five seconds, those that this crate starts twice a second: a message may be in the queue and not yet
/// in these figures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// `classic`, `quorum` or `stream`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// All messages in it.
    #[serde(default)]
    pub messages: u64,
    /// Those that wait to be delivered.
    #[serde(default)]
    pub messages_ready: u64,
    /// Those that were delivered and not yet acknowledged.
    #[serde(default)]
    pub messages_unacknowledged: u64,
    /// How many consume from it.
    #[serde(default)]
    pub consumers: u64,
}

/// A node of a cluster.
#[derive(Debug, Deserialize)]
struct Node {
    #[serde(default)]
    running: bool,
}

/// A connection to the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Connection {
    /// The server's name for it.
    pub name: String,
    /// What the client calls it; empty if it gave no name.
    #[serde(default, rename = "user_provided_name")]
    pub given: String,
    /// The vhost that it is in.
    #[serde(default)]
    pub vhost: String,
    /// `running`, `blocked`, `blocking` …, as of the last count.
    #[serde(default)]
    pub state: String,
}

impl Management {
    /// A client for the API at `base`, `http://host:port`, optionally with `user:password@`; guest unless it says otherwise.
    ///
    /// # Errors
    ///
    /// When the address is not of that form.
    pub fn new(base: &str) -> Result<Self, Error> {
        let unusable = || Error::Address(base.to_owned());
        let (scheme, rest) = base.trim_end_matches('/').split_once("://").ok_or_else(unusable)?;
        let (credentials, host) = rest.rsplit_once('@').unwrap_or(("guest:guest", rest));
        let (user, password) = credentials.split_once(':').ok_or_else(unusable)?;
        Ok(Self {
            base: format!("{scheme}://{host}"),
            user: user.to_owned(),
            password: password.to_owned(),
            client: client()?,
        })
    }

    /// The address without user and password.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// The same with connections of its own, for use on another runtime.
    pub(crate) fn reconnected(&self) -> Result<Self, Error> {
        Ok(Self { client: client()?, ..self.clone() })
    }

    /// Succeeds once the server answers and says that it serves its vhosts.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn check(&self) -> Result<(), Error> {
        self.ask(Method::GET, "/api/health/checks/virtual-hosts", None).await.map(drop)
    }

    /// Whether an alarm (of memory or disk) is raised.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub async fn alarms(&self) -> Result<bool, Error> {
        match self.ask(Method::GET, "/api/health/checks/alarms", None).await {
            Ok(_) => Ok(false),
            Err(Error::ManagementRefused { status, .. })
                if status == StatusCode::SERVICE_UNAVAILABLE.as_u16() =>
            {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Creates a vhost if it is not there, and lets our user do everything in it.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn create_vhost(&self, vhost: &str) -> Result<(), Error> {
        let vhost = encoded(vhost);
        self.ask(Method::PUT, &format!("/api/vhosts/{vhost}"), None).await?;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let path = format!("/api/permissions/{vhost}/{}", encoded(&self.user));
        self.ask(Method::PUT, &path, Some(&all)).await.map(drop)
    }

    /// Deletes a vhost with all in it, if it is there.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn delete_vhost(&self, vhost: &str) -> Result<(), Error> {
        unless_missing(self.delete(&format!("/api/vhosts/{}", encoded(vhost))).await)
    }

    /// The queues of a vhost.
    ///
    /// # Errors
    ///
    /// When the server refuses or its answer cannot be read.
    pub async fn queues(&self, vhost: &str) -> Result<Vec<QueueState>, Error> {
        let path = format!(
            "/api/queues/{}?columns=name,type,messages,messages_ready,messages_unacknowledged,consumers",
            encoded(vhost)
        );
        Ok(self.ask(Method::GET, &path, None).await?.json().await?)
    }

    /// How many nodes of the cluster run, as this one sees it.
    ///
    /// # Errors
    ///
    /// When the server refuses or its answer cannot be read.
    pub async fn running_nodes(&self) -> Result<usize, Error> {
        let path = "/api/nodes?columns=name,running";
        let nodes: Vec<Node> = self.ask(Method::GET, path, None).await?.json().await?;
        Ok(nodes.iter().filter(|node| node.running).count())
    }

    /// Whether a quorum queue would lose its majority if this node went.
    ///
    /// # Errors
    ///
    /// When the server is out of reach or its answer cannot be read.
    pub async fn is_quorum_critical(&self) -> Result<bool, Error> {
        let path = "/api/health/checks/node-is-quorum-critical";
        match self.ask(Method::GET, path, None).await {
            Ok(_) => Ok(false),
            Err(Error::ManagementRefused { status, .. })
                if status == StatusCode::SERVICE_UNAVAILABLE.as_u16() =>
            {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// All connections to the server.
    ///
    /// # Errors
    ///
    /// When the server refuses or its answer cannot be read.
    pub async fn connections(&self) -> Result<Vec<Connection>, Error> {
        let path = "/api/connections?columns=name,user_provided_name,vhost,state";
        Ok(self.ask(Method::GET, path, None).await?.json().await?)
    }

    /// Makes the server close the connections to one vhost, or all (`None`), and tells how many there were.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn close_connections(&self, vhost: Option<&str>) -> Result<usize, Error> {
        let mut closed = 0;
        for connection in self.connections().await? {
            if vhost.is_none_or(|vhost| vhost == connection.vhost) {
                let path = format!("/api/connections/{}", encoded(&connection.name));
                unless_missing(self.delete(&path).await)?;
                closed += 1;
            }
        }
        Ok(closed)
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        self.ask(Method::DELETE, path, None).await.map(drop)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<reqwest::Response, Error> {
        let request = self
            .client
            .request(method.clone(), format!("{}{path}", self.base))
            .basic_auth(&self.user, Some(&self.password));
        let request = match body {
            Some(body) => request.json(body),
            None => request.header("content-type", "application/json"),
        };
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(Error::ManagementRefused {
            request: format!("{method} {path}"),
            status: status.as_u16(),
            body: response.text().await.unwrap_or_default(),
        })
    }
}

/// Our own servers are on the loopback: a proxy of the environment has no business here.
fn client() -> Result<Client, Error> {
    Ok(Client::builder().no_proxy().timeout(DEADLINE).build()?)
}

/// What is not there need not be deleted.
fn unless_missing(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::ManagementRefused { status, .. })
            if status == StatusCode::NOT_FOUND.as_u16() =>
        {
            Ok(())
        }
        Ok(()) | Err(_) => result,
    }
}

/// A text as one segment of a path or one value of a query: `/`, spaces and whatever else means something there are escaped.
#[must_use]
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn what_means_something_in_a_query_is_escaped() {
        assert_eq!(encoded("a.b-c d&e=…"), "a.b-c%20d%26e%3D%E2%80%A6");
    }
}
