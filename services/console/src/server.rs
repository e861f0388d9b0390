//! Start-up: the router, and the workers beside it, under one lifecycle.

use std::process::ExitCode;

use axum::{Router, extract::FromRef as _};
use runtime::{Lifecycle, auth::Verifier, health::Health};
use sqlx::PgPool;

use crate::{
    config::Config,
    http,
    names::SERVICE,
    state::{AppState, StateError},
};

/// Why the console cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("cannot start the HTTP server")]
    Serve(#[source] runtime::http::ServeError),
}

/// Serves until the process receives a stop signal.
pub async fn run(config: Config) -> Result<ExitCode, StartError> {
    let lifecycle = Lifecycle::new(config.shutdown.timeout);
    // The console has no dependency without which the shop must stop, so it is ready as soon as it serves.
    let health = Health::new(&lifecycle);
    let router = router(&config, &lifecycle, &health)?;
    let Config { http, tls, .. } = &config;
    let served = runtime::http::serve_with_tls(&lifecycle, http, tls, &health, router).await;
    served.map_err(StartError::Serve)?;
    Ok(lifecycle.run_until_shutdown().await)
}

/// Builds the router and starts the workers on `lifecycle`.
pub fn build(config: &Config, lifecycle: &Lifecycle) -> Result<Router, StartError> {
    router(config, lifecycle, &Health::new(lifecycle))
}

fn router(config: &Config, lifecycle: &Lifecycle, health: &Health) -> Result<Router, StartError> {
    let state = AppState::start(config, lifecycle)?;
    let verifier = Option::<Verifier>::from_ref(&state);
    let pool = Option::<PgPool>::from_ref(&state);
    let recorder = http::Recorder { pool, verifier: verifier.clone() };
    let recorded = axum::middleware::from_fn_with_state(recorder, http::record);
    let routes = http::routes().layer(recorded).with_state(state);
    let (http, verifier) = (&config.http, verifier.as_ref());
    Ok(runtime::http::router(&SERVICE, routes, health, lifecycle, http, verifier))
}
