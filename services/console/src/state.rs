//! What the handlers share.

use std::{sync::Arc, time::Duration};

use axum::extract::FromRef;
use runtime::{
    Lifecycle,
    auth::{KeyError, SigningKey, Verifier},
    database::DatabaseError,
};
use sqlx::PgPool;
use tls::{
    TlsError,
    http::{HttpClient, Timeouts},
};

use crate::{
    app::Staff,
    audits::{AuditSettingsError, Audits},
    config::{Config, Keys},
    database,
    dead_letters::DeadLetters,
    event_batch::EventBatches,
    passwords::PasswordError,
    proxy::{POOL_IDLE_TIMEOUT, Proxy, ProxyTimeouts},
    queues::QueueInspector,
    service_client::ServiceClient,
    sessions::Sessions,
    viewers::Viewers,
    workers::{event_feed, retention, service_health},
};

/// The limit for a connection to a service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

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
    /// `None` without a database.
    pool: Option<PgPool>,
    /// `None` without a database or a signing key.
    staff: Option<Staff>,
}

/// Why the state cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot read the token keys")]
    Keys(#[source] KeyError),
    #[error("the address of the database cannot be used")]
    Database(#[from] DatabaseError),
    #[error("passwords cannot be hashed")]
    Passwords(#[from] PasswordError),
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    #[error("the audit is not configured correctly")]
    Audit(#[from] AuditSettingsError),
}

impl AppState {
    /// Builds the state and starts the workers that feed it.
    pub(crate) fn start(config: &Config, lifecycle: &Lifecycle) -> Result<AppState, StateError> {
        let (signing_key, verifier) = read_keys(&config.keys).map_err(StateError::Keys)?;
        let pool = database::pool(&config.database, &config.tls)?;
        let staff = match (&pool, &config.keys.token_key_file, &verifier) {
            (Some(pool), Some(file), Some(verifier)) => {
                let key = SigningKey::read(file).map_err(StateError::Keys)?;
                Some(Staff::new(pool.clone(), key, verifier.clone())?)
            }
            _ => None,
        };
        let services = &config.services;
        let (limits, trusted) = (config.http.client_limits, config.http.trusted_proxies.clone());
        let tls = config.tls.client()?;
        let timeouts = ProxyTimeouts::default();
        let proxy = Proxy::new(services.clone(), tls.clone(), timeouts, limits, trusted);
        let timeouts = Timeouts { connect: CONNECT_TIMEOUT, read: None, idle: POOL_IDLE_TIMEOUT };
        let client = ServiceClient::new(services.clone(), HttpClient::new(tls, timeouts));
        let (viewers, event_batches) = (Viewers::default(), EventBatches::default());
        let amqp_url = &config.tls.broker_url(&config.broker.url);

        let feed = event_feed::run(
            amqp_url.clone(),
            viewers.clone(),
            event_batches.clone(),
            lifecycle.soft(),
        );
        lifecycle.spawn("event feed", feed);
        let health = service_health::run(client.clone(), viewers.clone(), lifecycle.soft());
        lifecycle.spawn("service health", health);
        if let Some(pool) = &pool {
            lifecycle.spawn("retention", retention::run(pool.clone(), lifecycle.soft()));
        }

        Ok(AppState {
            proxy,
            sessions: Sessions::new(signing_key, verifier.clone(), pool.clone(), &limits),
            viewers,
            event_batches,
            queues: Arc::new(QueueInspector::new(amqp_url.clone(), client.clone())),
            dead_letters: DeadLetters::new(client),
            audits: Audits::new(config, lifecycle)?,
            verifier,
            pool,
            staff,
        })
    }
}

/// Reads the keys that sign and verify tokens. After a rotation, the file with the public keys has the former ones as well.
fn read_keys(keys: &Keys) -> Result<(Option<SigningKey>, Option<Verifier>), KeyError> {
    let signing_key = keys.token_key_file.as_ref().map(SigningKey::read).transpose()?;
    let verifier = match (&signing_key, &keys.token_public_key_file) {
        (_, Some(file)) => Some(Verifier::open_with(file, &keys.oidc)?),
        (Some(key), None) => Some(key.verifier()),
        (None, None) => None,
    };
    if signing_key.is_none() {
        tracing::warn!("TOKEN_KEY_FILE is not set: the shop cannot take orders");
    }
    Ok((signing_key, verifier))
}
