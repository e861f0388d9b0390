//! What the handlers share.

use std::{sync::Arc, time::Duration};

use axum::extract::FromRef;
use runtime::{
    Lifecycle,
    auth::{KeyError, SigningKey, Verifier},
};

use crate::{
    audits::{AuditSettingsError, Audits},
    config::{Config, Keys},
    dead_letters::DeadLetters,
    event_batch::EventBatches,
    proxy::{POOL_IDLE_TIMEOUT, Proxy, ProxyTimeouts},
    queues::QueueInspector,
    service_client::ServiceClient,
    sessions::Sessions,
    viewers::Viewers,
    workers::{event_feed, service_health},
};

#[derive(Clone, FromRef)]
pub(crate) struct AppState {
    proxy: Proxy,
    sessions: Sessions,
    viewers: Viewers,
    event_batches: EventBatches,
    queues: Arc<QueueInspector>,
    dead_letters: DeadLetters,
    audits: Audits,
    /// `None` without a key: then every operations route answers 503.
    verifier: Option<Verifier>,
}

/// Why the state cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot read the token keys")]
    Keys(#[source] KeyError),
    #[error("cannot create the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("the audit is not configured correctly")]
    Audit(#[from] AuditSettingsError),
}

impl AppState {
    /// Builds the state and starts the workers that feed it.
    pub(crate) fn start(config: &Config, lifecycle: &Lifecycle) -> Result<AppState, StateError> {
        let (signing_key, verifier) = read_keys(&config.keys).map_err(StateError::Keys)?;
        let services = &config.services;
        let (limits, trusted) = (config.http.client_limits, config.http.trusted_proxies.clone());
        let proxy = Proxy::new(services.clone(), ProxyTimeouts::default(), limits, trusted);
        let proxy = proxy.map_err(StateError::Client)?;
        let client = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(2));
        let client =
            client.pool_idle_timeout(POOL_IDLE_TIMEOUT).build().map_err(StateError::Client)?;
        let client = ServiceClient::new(services.clone(), client);
        let (viewers, event_batches) = (Viewers::default(), EventBatches::default());
        let amqp_url = &config.broker.url;

        let feed = event_feed::run(
            amqp_url.clone(),
            viewers.clone(),
            event_batches.clone(),
            lifecycle.soft(),
        );
        lifecycle.spawn("event feed", feed);
        let health = service_health::run(client.clone(), viewers.clone(), lifecycle.soft());
        lifecycle.spawn("service health", health);

        Ok(AppState {
            proxy,
            sessions: Sessions::new(signing_key, &limits),
            viewers,
            event_batches,
            queues: Arc::new(QueueInspector::new(amqp_url.clone(), client.clone())),
            dead_letters: DeadLetters::new(client),
            audits: Audits::new(config, lifecycle)?,
            verifier,
        })
    }
}

/// Reads the keys that sign and verify tokens. The private key does both.
fn read_keys(keys: &Keys) -> Result<(Option<SigningKey>, Option<Verifier>), KeyError> {
    let signing_key = keys.token_key_file.as_ref().map(SigningKey::read).transpose()?;
    let verifier = match (&signing_key, &keys.token_public_key_file) {
        (Some(key), _) => Some(key.verifier()),
        (None, Some(file)) => Some(Verifier::read(file)?),
        (None, None) => None,
    };
    if signing_key.is_none() {
        tracing::warn!("TOKEN_KEY_FILE is not set: the shop cannot take orders");
    }
    Ok((signing_key, verifier))
}
