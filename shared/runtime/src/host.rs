//! Runs a service: one command line, one start-up sequence and one start error for all of them.
//!
//! A service implements [`ServiceDefinition`]; its `main` is one call of [`run`].

use std::{error::Error, net::SocketAddr, process::ExitCode};

use ::messaging::{
    MessagingRuntime, Outbox, SignatureKeyError, Topology, Transaction, reconcile::LostCommits,
    republish::Republisher,
};
use clap::Args;
use sqlx::migrate::Migrator;
use tls::{ClientTls, TlsError};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    auth::{KeyError, Verifier},
    cli::{self, Command},
    config::Common,
    database::{self, DatabaseError},
    health::Health,
    http::{self, ServeError},
    lifecycle::Lifecycle,
    messaging, reconcile,
    service::Service,
};

/// What the host needs to know of a service.
pub trait ServiceDefinition {
    /// The service's own configuration, with [`Common`] flattened into it.
    type Config: Args + AsRef<Common> + Send + Sync;

    /// What the service's handlers share.
    type State: Clone + Send + Sync + 'static;

    /// Name, description, version and default address.
    const SERVICE: Service;

    /// The migrations of the service's database, in the order in which they run.
    fn migrators() -> Vec<&'static Migrator>;

    /// Everything that the service publishes and subscribes to.
    fn topology() -> Topology;

    /// The service's routes, without those that every service has.
    fn routes() -> OpenApiRouter<Self::State>;

    /// Starts the service's workers and its messaging, and builds the state of its handlers.
    ///
    /// It calls [`Host::start_messaging`] once, with handlers that share the service's state.
    fn start(
        host: &Host,
        config: &Self::Config,
    ) -> impl Future<Output = Result<Self::State, StartError>> + Send;

    /// Repairs what the service alone knows about commits that its database has lost. It runs in the transaction that raises the
    /// sequence numbers of their keys, so the events that it emits take effect.
    fn repair(
        _tx: &mut Transaction,
        _lost: &[LostCommits],
    ) -> impl Future<Output = Result<(), ::messaging::Error>> + Send {
        async { Ok(()) }
    }
}

/// What the host has prepared when a service starts.
pub struct Host {
    /// Spawns and stops the service's tasks.
    pub lifecycle: Lifecycle,
    /// The components that `/health/ready` reports.
    pub health: Health,
    /// The service's database, and transactions that emit events.
    pub outbox: Outbox,
    /// Verifies bearer tokens.
    pub verifier: Verifier,
    common: Common,
}

impl Host {
    /// The address of the broker, with its credentials.
    pub fn amqp_url(&self) -> &str {
        self.common.broker.url.expose()
    }

    /// Whom clients of other services trust; `None` if all addresses are plain.
    pub fn client_tls(&self) -> Result<Option<ClientTls>, TlsError> {
        self.common.tls.client()
    }

    /// Starts the relay and the consumers of `topology`. Returns the topology with the slot groups of the configuration, and what
    /// publishes the events of the service again.
    pub fn start_messaging(&self, topology: Topology) -> (Topology, Republisher) {
        let topology = topology.slot_groups(self.common.broker.queues.slot_groups.clone());
        let republisher = Republisher::new(self.outbox.clone(), self.amqp_url(), &topology);
        let runtime = MessagingRuntime::new(self.outbox.clone(), self.amqp_url(), topology.clone())
            .outbox_bounds((&self.common.outbox).into())
            .message_log((&self.common.message_log).into());
        messaging::start(&self.lifecycle, &self.health, &runtime);
        (topology, republisher)
    }
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Database(#[from] DatabaseError),
    /// The keys that verify tokens cannot be used.
    #[error("the keys that verify tokens cannot be used")]
    TokenKey(#[from] KeyError),
    /// The keys of messages cannot be used.
    #[error("the keys of messages cannot be used")]
    MessageKeys(#[from] SignatureKeyError),
    /// The files of TLS cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// The HTTP server cannot listen.
    #[error("the HTTP server cannot start")]
    Serve(#[from] ServeError),
    /// A part of this service alone cannot start.
    #[error("{part} cannot start")]
    Part {
        /// The part, for example `the search index`.
        part: String,
        /// What it reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StartError {
    /// Maps an error of the part called `part`; for `map_err`.
    pub fn part<E: Into<Box<dyn Error + Send + Sync>>>(
        part: impl Into<String>,
    ) -> impl FnOnce(E) -> StartError {
        let part = part.into();
        move |error| StartError::Part { part, source: error.into() }
    }
}

/// The whole `main` of a service: reads the command line and runs `serve`, `migrate`, `healthcheck`, `openapi`, `topology` or
/// `reconcile`.
pub fn run<S: ServiceDefinition>() -> ExitCode {
    cli::run(&S::SERVICE, async |command: Command<S::Config>| match command {
        Command::Serve(config) => Ok(serve::<S>(&config).await?),
        Command::Migrate(servers) => {
            let topology = S::topology().slot_groups(servers.broker.queues.slot_groups.clone());
            messaging::migrate(&S::SERVICE, &servers, &S::migrators(), &topology).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Healthcheck(healthcheck) => {
            healthcheck.ask().await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => cli::print_openapi(&http::document(&S::SERVICE, S::routes())),
        Command::Topology(queues) => {
            cli::print_topology(&S::topology().slot_groups(queues.slot_groups))
        }
        Command::Reconcile(arguments) => {
            let (migrators, topology) = (S::migrators(), S::topology());
            let reconciled =
                reconcile::run(&S::SERVICE, &arguments, &migrators, &topology, S::repair);
            Ok(reconciled.await?)
        }
    })
}

/// Starts the service under `lifecycle` and returns the address on which it listens.
pub async fn start<S: ServiceDefinition>(
    config: &S::Config,
    lifecycle: &Lifecycle,
) -> Result<SocketAddr, StartError> {
    let common = config.as_ref().clone().with_tls_files();
    let verifier = Verifier::open(&common.tokens)?;
    let signatures = common.signatures.open(S::SERVICE.name)?;
    let health = Health::new(lifecycle);
    let pool = database::connect(&S::SERVICE, &common.database).await?;
    database::check_schema(&pool, &S::migrators()).await?;
    database::watch(lifecycle, &health, pool.clone());
    let host = Host {
        lifecycle: lifecycle.clone(),
        health,
        outbox: Outbox::new(pool).with_signatures(signatures),
        verifier,
        common,
    };
    let state = S::start(&host, config).await?;
    let routes = S::routes().with_state(state);
    let Host { health, verifier, common: Common { http, tls, .. }, .. } = &host;
    let app = http::router(&S::SERVICE, routes, health, lifecycle, http, Some(verifier));
    Ok(http::serve_with_tls(lifecycle, http, tls, health, app).await?.http)
}

/// Serves until SIGTERM, SIGINT or a failed task; the exit code tells whether a task failed.
async fn serve<S: ServiceDefinition>(config: &S::Config) -> Result<ExitCode, StartError> {
    let lifecycle = Lifecycle::new(config.as_ref().shutdown.timeout);
    start::<S>(config, &lifecycle).await?;
    Ok(lifecycle.run_until_shutdown().await)
}
