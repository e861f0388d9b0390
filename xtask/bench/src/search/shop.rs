//! A catalogue and a search service of their own, with private servers on the disk and durable defaults.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::Method;
use runtime::auth::{Scope, SigningKey, mint};
use serde_json::Value;
use sqlx::PgPool;
use suite::{Answer, Http, install};
use testkit::{DataDir, Postgres, Process, Program, RabbitMq, free_port, wait_for};
use xtask::programs::{self, Profile};

use crate::error::Error;

const CATALOGUE: &str = "product-catalog";
const SEARCH: &str = "search-sync";

/// Timeout of a start, a stop, and a request.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Timeout of an import, of a rebuild, and until all is searchable.
const WORK_TIMEOUT: Duration = Duration::from_mins(30);

/// How often progress is read.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long the token is valid.
const TOKEN_LIFETIME: Duration = Duration::from_hours(6);

pub(super) struct Shop {
    catalogue: Process,
    search: Process,
    catalogue_url: String,
    search_url: String,
    http: Http,
    token: String,
    /// The database of the catalogue.
    pub(super) database: PgPool,
    // Dropped after the processes that use them.
    _rabbitmq: RabbitMq,
    _postgres: Postgres,
    folder: DataDir,
}

/// An import that the catalogue has processed.
pub(super) struct Imported {
    pub(super) id: String,
    /// The number of new and changed products.
    pub(super) accepted: u64,
    /// From the first byte to the last commit.
    pub(super) elapsed: Duration,
}

impl Shop {
    pub(super) async fn start() -> Result<Self, Error> {
        install::servers(true, true).await?;
        let folder = DataDir::temporary("bench-search")?;
        let (postgres, rabbitmq) =
            (DataDir::temporary("postgres")?, DataDir::temporary("rabbitmq")?);
        let (postgres, rabbitmq) =
            tokio::try_join!(Postgres::start_in(postgres), RabbitMq::start_in(rabbitmq))?;
        let key = SigningKey::generate()?;
        let public_key = folder.path().join("token.pub");
        key.write_pair(folder.path().join("token.key"), &public_key)?;
        let catalogue_address = format!("127.0.0.1:{}", free_port()?);
        let search_address = format!("127.0.0.1:{}", free_port()?);
        let catalogue_url = format!("http://{catalogue_address}");
        let mut services = Vec::new();
        let mut database = String::new();
        for (service, address) in [(CATALOGUE, &catalogue_address), (SEARCH, &search_address)] {
            let url = postgres.create_database(service).await?;
            if service == CATALOGUE {
                database.clone_from(&url);
            }
            let path = programs::path(service, Profile::Release);
            let program = Program::new(service, path, folder.path().join(format!("{service}.log")))
                .variable("DATABASE_URL", url)
                .variable("AMQP_URL", rabbitmq.url())
                .variable("HTTP_ADDR", address)
                .variable("TOKEN_PUBLIC_KEY_FILE", &public_key)
                .variable("INDEX_DIR", folder.path().join("index"))
                .variable("PRODUCT_CATALOG_URL", &catalogue_url)
                // As in the suite.
                .variable("MALLOC_ARENA_MAX", "2")
                .variable("MALLOC_TRIM_THRESHOLD_", "262144")
                .variable("MALLOC_MMAP_THRESHOLD_", "524288");
            services.push(program);
        }
        // All queues before the first event.
        for program in &services {
            program.clone().argument("migrate").start()?.wait_for_success(TIMEOUT).await?;
        }
        let mut processes = services.into_iter().map(|program| program.argument("serve").start());
        let (Some(catalogue), Some(search)) = (processes.next(), processes.next()) else {
            return Err(Error::Timeout("both services start"));
        };
        let scopes = [Scope::CatalogWrite, Scope::Ops];
        let shop = Self {
            catalogue: catalogue?,
            search: search?,
            catalogue_url,
            search_url: format!("http://{search_address}"),
            http: Http::new()?,
            token: mint(&key, "bench", &scopes, TOKEN_LIFETIME)?,
            database: PgPool::connect(&database).await?,
            _rabbitmq: rabbitmq,
            _postgres: postgres,
            folder,
        };
        for (url, process) in
            [(&shop.catalogue_url, &shop.catalogue), (&shop.search_url, &shop.search)]
        {
            let url = format!("{url}/health/ready");
            wait_for("the services are ready", TIMEOUT, async || match shop.http.get(&url).await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(answer.text()),
                Err(error) => Err(format!("{error}\n{}", process.log_tail())),
            })
            .await?;
        }
        Ok(shop)
    }

    /// A folder for other files on the same disk.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The URL of a search.
    pub(super) fn search_url(&self) -> String {
        format!("{}/v1/search", self.search_url)
    }

    /// The resident memory of the search service in megabytes.
    pub(super) fn search_rss_mb(&self) -> f64 {
        super::resident_mb(&self.search.id().to_string())
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let answer = self.http.send_as(method, &url, &self.token, body, TIMEOUT).await?;
        Ok(answer.success()?)
    }

    /// Changes a part of a product; returns the product.
    pub(super) async fn patch(&self, id: &str, patch: &Value) -> Result<Value, Error> {
        let url = format!("{}/v1/products/{id}", self.catalogue_url);
        Ok(self.send(Method::PATCH, url, Some(patch)).await?.json()?)
    }

    /// Imports lines of JSON.
    pub(super) async fn import(&self, body: Vec<u8>) -> Result<Imported, Error> {
        let began = Instant::now();
        let url = format!("{}/v1/imports", self.catalogue_url);
        let sent = self.http.post_stream(&url, &self.token, "application/x-ndjson", body.into());
        let answer: Value = sent.await?.success()?.json()?;
        let id = answer["id"].as_str().unwrap_or_default().to_owned();
        let is_done = |import: &Value| import["state"] != "running";
        let import = self.poll("the import is processed", &self.import_url(&id), is_done).await?;
        let elapsed = began.elapsed();
        if import["state"] != "done" {
            return Err(Error::Inconsistent(import["reason"].to_string()));
        }
        let count = |name: &str| import["accepted"][name].as_u64().unwrap_or_default();
        Ok(Imported { id, accepted: count("created") + count("updated"), elapsed })
    }

    /// Waits until searches see all changes of an import.
    pub(super) async fn wait_until_searchable(&self, import: &Imported) -> Result<(), Error> {
        let is_applied = |answer: &Value| {
            let services = answer["downstream"].as_array().into_iter().flatten();
            let search = services.filter(|service| service["service"] == SEARCH);
            search.filter_map(|service| service["applied"].as_u64()).sum::<u64>() >= import.accepted
        };
        self.poll("the import is searchable", &self.import_url(&import.id), is_applied).await?;
        Ok(())
    }

    /// Rebuilds the index; returns how long it took until searches use the new one.
    pub(super) async fn rebuild(&self) -> Result<Duration, Error> {
        let began = Instant::now();
        self.send(Method::POST, format!("{}/v1/index/rebuild", self.search_url), None).await?;
        let is_done = |index: &Value| index["rebuilding"] == false;
        let index = self.poll("the index is rebuilt", &self.index_url(), is_done).await?;
        match index["last_rebuild"].get("error") {
            Some(error) => Err(Error::Inconsistent(error.to_string())),
            None => Ok(began.elapsed()),
        }
    }

    /// The state of the index.
    pub(super) async fn index(&self) -> Result<Value, Error> {
        Ok(self.send(Method::GET, self.index_url(), None).await?.json()?)
    }

    fn index_url(&self) -> String {
        format!("{}/v1/index", self.search_url)
    }

    fn import_url(&self, id: &str) -> String {
        format!("{}/v1/imports/{id}", self.catalogue_url)
    }

    /// Reads a resource until it is as expected, and returns it.
    async fn poll(
        &self,
        what: &'static str,
        url: &str,
        is_done: impl Fn(&Value) -> bool,
    ) -> Result<Value, Error> {
        let began = Instant::now();
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        while began.elapsed() < WORK_TIMEOUT {
            ticks.tick().await;
            let answer: Value = self.send(Method::GET, url.to_owned(), None).await?.json()?;
            if is_done(&answer) {
                return Ok(answer);
            }
        }
        Err(Error::Timeout(what))
    }

    /// Stops both services.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.search.stop(TIMEOUT).await?;
        self.catalogue.stop(TIMEOUT).await?;
        Ok(())
    }
}
