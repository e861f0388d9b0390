//! The console as a whole: routes, and what runs beside them, under one life.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use runtime::auth::{KeyError, SigningKey, Verifier};
use runtime::health::Health;
use runtime::{Lifecycle, http};
use tokio::sync::broadcast;
use utoipa_axum::router::OpenApiRouter;

use crate::config::{Config, Keys};
use crate::dead_letters::DeadLetters;
use crate::ops::{BEHIND, Ops, Watching};
use crate::proxy::{Patience, Proxy};
use crate::queues::Queues;
use crate::session::Sessions;
use crate::{SERVICE, ops, pages, proxy, service_health, session, tap};

/// Why the console does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key file cannot be used.
    #[error("the keys of tokens cannot be had")]
    Keys(#[source] KeyError),
    /// The client for the services cannot be made.
    #[error("no HTTP client")]
    Client(#[source] reqwest::Error),
    /// It cannot listen.
    #[error("no HTTP server")]
    Serve(#[source] http::ServeError),
}

/// Serves until told to stop; the exit code says whether all went well.
pub async fn run(config: Config) -> Result<ExitCode, StartError> {
    let lifecycle = Lifecycle::new(config.shutdown.timeout);
    let router = build(&config, &lifecycle)?;
    http::serve(&lifecycle, &config.http, router).await.map_err(StartError::Serve)?;
    Ok(lifecycle.run_until_shutdown().await)
}

/// The whole router; what runs beside it is started on `lifecycle`.
pub fn build(config: &Config, lifecycle: &Lifecycle) -> Result<Router, StartError> {
    let (signing, verifier) = keys(&config.keys).map_err(StartError::Keys)?;
    let proxy = Proxy::new(config.services.clone(), Patience::default());
    let proxy = proxy.map_err(StartError::Client)?;
    let client = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(2));
    let client = client.build().map_err(StartError::Client)?;
    let (watching, flows) = (Watching::default(), broadcast::Sender::new(BEHIND));
    let amqp_url = &config.broker.url;
    lifecycle.spawn(
        "tap",
        tap::run(amqp_url.clone(), watching.clone(), flows.clone(), lifecycle.soft()),
    );
    lifecycle.spawn(
        "health of the services",
        service_health::run(
            config.services.clone(),
            client.clone(),
            watching.clone(),
            lifecycle.soft(),
        ),
    );
    let queues = Queues::new(amqp_url.clone(), config.services.clone(), client.clone());
    let letters = DeadLetters { services: config.services.clone(), client, proxy: proxy.clone() };
    let ops = Ops { watching, flows, queues: Arc::new(queues), letters, verifier };
    let routes = routes(proxy, Sessions::new(signing), ops);
    // Nothing that the console needs is worth taking the shop down for: it is ready when it serves.
    let health = Health::new(lifecycle);
    Ok(http::router(&SERVICE, routes, &health, lifecycle, &config.http))
}

/// Every route of the console but those that every service has.
fn routes(proxy: Proxy, sessions: Sessions, ops: Ops) -> OpenApiRouter {
    pages::router()
        .merge(session::router(sessions))
        .merge(ops::router(ops))
        .merge(proxy::router(proxy))
}

/// What tokens are signed and checked with; the private key does both.
fn keys(keys: &Keys) -> Result<(Option<SigningKey>, Option<Verifier>), KeyError> {
    let signing = keys.token_key_file.as_ref().map(SigningKey::read).transpose()?;
    let verifier = match (&signing, &keys.token_public_key_file) {
        (Some(key), _) => Some(key.verifier()),
        (None, Some(file)) => Some(Verifier::read(file)?),
        (None, None) => None,
    };
    if signing.is_none() {
        tracing::warn!("TOKEN_KEY_FILE is not set: the shop shows, but takes no orders");
    }
    Ok((signing, verifier))
}
