//! A running instance of the service under test.

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{
    Lifecycle,
    host::{self, ServiceDefinition},
};
use testkit::wait_for;
use tokio_util::sync::DropGuard;

use crate::{http::answer, limits::LONGEST_WAIT};

/// A running instance. It is aborted when dropped.
#[derive(Debug)]
pub struct Instance {
    base: String,
    client: Client,
    lifecycle: Lifecycle,
    _guard: DropGuard,
}

impl Instance {
    /// Starts an instance of `S`.
    pub async fn start<S: ServiceDefinition>(config: &S::Config) -> Self {
        let lifecycle = Lifecycle::new(LONGEST_WAIT);
        let guard = lifecycle.hard().drop_guard();
        let address = host::start::<S>(config, &lifecycle).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { base: format!("http://{address}"), client, lifecycle, _guard: guard }
    }

    /// The address with its scheme, such as `http://127.0.0.1:8080`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request without a token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).timeout(LONGEST_WAIT)
    }

    /// Waits until `/health/ready` answers 200.
    pub async fn wait_until_ready(&self) {
        wait_for("the service is ready", LONGEST_WAIT, async || {
            match answer(self.request(Method::GET, "/health/ready")).await {
                (StatusCode::OK, _) => Ok(()),
                (_, readiness) => Err(readiness),
            }
        })
        .await
        .unwrap();
    }

    /// Stops it as SIGTERM does.
    pub async fn stop(&self) {
        self.lifecycle.shutdown();
        self.lifecycle.run_until_shutdown().await;
    }

    /// Aborts every task at its next await, as SIGKILL ends a process.
    pub async fn kill(&self) {
        self.lifecycle.abort();
        self.lifecycle.run_until_shutdown().await;
    }
}
