//! Services of their own for a bench, with private servers on the disk and durable defaults.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use runtime::auth::{Scope, SigningKey, mint};
use sqlx::PgPool;
use suite::{Figures, Http, Target, install};
use testkit::{
    DataDir, ManagementClient, Postgres, Process, Program, RabbitMq, free_port, wait_for,
};
use xtask::programs::{self, Profile};

use crate::{
    error::Error,
    message_keys::{PUBLIC_KEYS, write_keys},
};

/// The service at which the others replay the catalogue.
const CATALOGUE: &str = "product-catalog";

/// Timeout of a start and of a stop.
const TIMEOUT: Duration = Duration::from_mins(1);

/// How long tokens are valid.
const TOKEN_LIFETIME: Duration = Duration::from_hours(6);

/// What the services allow one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    /// The defaults.
    Default,
    /// Everything is counted, and nothing is refused.
    Bench,
}

impl Limits {
    fn profile(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Bench => "bench",
        }
    }

    /// Names the profile among figures: 1 for the defaults, else 0.
    pub(crate) fn record(self, figures: &mut Figures) {
        record_limits(figures, self == Self::Default);
    }
}

/// Names the profile of the bounds per client among figures.
pub(crate) fn record_limits(figures: &mut Figures, is_default: bool) {
    let value = f64::from(u8::from(is_default));
    figures.record("setting_client_limits_default", value, Target::None);
}

/// The running services and servers. All are killed when this value is dropped.
pub(crate) struct PrivateSuite {
    services: Vec<RunningService>,
    http: Http,
    key: SigningKey,
    // Dropped after the processes that use them.
    rabbitmq: RabbitMq,
    postgres: Postgres,
    folder: DataDir,
}

/// Whether services sign their messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageKeys {
    None,
    /// Each service has a key, and refuses what is not signed.
    Generated,
}

struct RunningService {
    name: &'static str,
    url: String,
    database_url: String,
    process: Process,
}

/// A service that has an address and a database, and does not run yet.
struct PreparedService {
    name: &'static str,
    url: String,
    database_url: String,
    program: Program,
}

impl PrivateSuite {
    /// Starts `services`, all with the bounds per client `limits` and the environment variables `settings`, and waits until
    /// they are ready.
    pub(crate) async fn start(
        name: &str,
        services: &[&'static str],
        limits: Limits,
        settings: &[(&str, &str)],
    ) -> Result<Self, Error> {
        Self::start_with(name, services, limits, settings, MessageKeys::None).await
    }

    /// The same with signed messages, or without.
    pub(crate) async fn start_with(
        name: &str,
        services: &[&'static str],
        limits: Limits,
        settings: &[(&str, &str)],
        keys: MessageKeys,
    ) -> Result<Self, Error> {
        install::servers(true, true).await?;
        let folder = DataDir::temporary(name)?;
        let (postgres, rabbitmq) =
            (DataDir::temporary("postgres")?, DataDir::temporary("rabbitmq")?);
        let (postgres, rabbitmq) =
            tokio::try_join!(Postgres::start_in(postgres), RabbitMq::start_in(rabbitmq))?;
        let key = SigningKey::generate()?;
        let public_key = folder.path().join("token.pub");
        key.write_pair(folder.path().join("token.key"), &public_key)?;
        let mut addresses = Vec::new();
        for service in services {
            addresses.push((*service, format!("127.0.0.1:{}", free_port()?)));
        }
        let internal_catalogue = format!("127.0.0.1:{}", free_port()?);
        let mut prepared = Vec::new();
        for (name, address) in addresses {
            let database_url = postgres.create_database(name).await?;
            let log = folder.path().join(format!("{name}.log"));
            let mut program = Program::new(name, programs::path(name, Profile::Release), log)
                .variable("DATABASE_URL", &database_url)
                .variable("AMQP_URL", rabbitmq.url())
                .variable("HTTP_ADDR", &address)
                .variable("CLIENT_LIMITS", limits.profile())
                // The bench stands for the proxy before the services, which connects for all clients.
                .variable("TRUSTED_PROXIES", "127.0.0.1")
                .variable("TOKEN_PUBLIC_KEY_FILE", &public_key)
                .variable("INDEX_DIR", folder.path().join("index"))
                .variable("PRODUCT_CATALOG_URL", format!("http://{internal_catalogue}"))
                // As in the suite.
                .variable("MALLOC_ARENA_MAX", "2")
                .variable("MALLOC_TRIM_THRESHOLD_", "262144")
                .variable("MALLOC_MMAP_THRESHOLD_", "524288");
            if name == CATALOGUE {
                program = program.variable("INTERNAL_ADDR", &internal_catalogue);
            }
            if keys == MessageKeys::Generated {
                program = program
                    .variable("MESSAGE_KEY_FILE", write_keys(folder.path(), name)?)
                    .variable("MESSAGE_PUBLIC_KEYS", folder.path().join(PUBLIC_KEYS));
            }
            for (variable, value) in settings {
                program = program.variable(variable, value);
            }
            let url = format!("http://{address}");
            prepared.push(PreparedService { name, url, database_url, program });
        }
        // All queues before the first event.
        for service in &prepared {
            let migration = service.program.clone().argument("migrate");
            migration.start()?.wait_for_success(TIMEOUT).await?;
        }
        let start = |PreparedService { name, url, database_url, program }| {
            let process = program.argument("serve").start()?;
            Ok::<_, Error>(RunningService { name, url, database_url, process })
        };
        let services = prepared.into_iter().map(start).collect::<Result<_, _>>()?;
        let suite = Self { services, http: Http::new()?, key, rabbitmq, postgres, folder };
        suite.wait_until_ready().await?;
        Ok(suite)
    }

    async fn wait_until_ready(&self) -> Result<(), Error> {
        for service in &self.services {
            let url = format!("{}/health/ready", service.url);
            wait_for("the services are ready", TIMEOUT, async || match self.http.get(&url).await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(answer.text()),
                Err(error) => Err(format!("{error}\n{}", service.process.log_tail())),
            })
            .await?;
        }
        Ok(())
    }

    fn service(&self, name: &str) -> Result<&RunningService, Error> {
        let found = self.services.iter().find(|service| service.name == name);
        found.ok_or(Error::Timeout("the service is started"))
    }

    /// The address of a service.
    pub(crate) fn url(&self, service: &str) -> Result<&str, Error> {
        Ok(&self.service(service)?.url)
    }

    /// The process of a service.
    pub(crate) fn process(&self, service: &str) -> Result<&Process, Error> {
        Ok(&self.service(service)?.process)
    }

    /// A pool of connections to the database of a service.
    pub(crate) async fn database(&self, service: &str) -> Result<PgPool, Error> {
        Ok(PgPool::connect(&self.service(service)?.database_url).await?)
    }

    /// The names and process ids of services and servers.
    pub(crate) fn process_ids(&mut self) -> Result<Vec<(&'static str, u32)>, Error> {
        let services = self.services.iter().map(|service| (service.name, service.process.id()));
        let mut ids: Vec<_> = services.collect();
        ids.push(("postgresql", self.postgres.running()?.id()));
        ids.push(("rabbitmq", self.rabbitmq.running()?.id()));
        Ok(ids)
    }

    /// A client for requests without load.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    pub(crate) fn management(&self) -> &ManagementClient {
        self.rabbitmq.management()
    }

    /// Mints a token.
    pub(crate) fn token(&self, subject: &str, scopes: &[Scope]) -> Result<String, Error> {
        Ok(mint(&self.key, subject, scopes, TOKEN_LIFETIME)?)
    }

    /// A folder for other files on the same disk.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new file in this folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Stops the services, the last one first.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        for service in self.services.iter_mut().rev() {
            service.process.stop(TIMEOUT).await?;
        }
        Ok(())
    }
}
