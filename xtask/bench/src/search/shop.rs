//! A catalogue and a search service of their own, with private servers on the disk and durable defaults.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::Value;
use sqlx::PgPool;
use suite::Answer;

use crate::{
    error::Error,
    private_suite::{Limits, PrivateSuite},
};

const CATALOGUE: &str = "product-catalog";
const SEARCH: &str = "search-sync";

/// A few clients search as fast as they can.
pub(super) const LIMITS: Limits = Limits::Bench;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Timeout of an import, of a rebuild, and until all is searchable.
const WORK_TIMEOUT: Duration = Duration::from_mins(30);

/// How often progress is read.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) struct Shop {
    catalogue_url: String,
    search_url: String,
    token: String,
    /// The database of the catalogue.
    pub(super) database: PgPool,
    suite: PrivateSuite,
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
        let suite = PrivateSuite::start("bench-search", &[CATALOGUE, SEARCH], LIMITS, &[]).await?;
        Ok(Self {
            catalogue_url: suite.url(CATALOGUE)?.to_owned(),
            search_url: suite.url(SEARCH)?.to_owned(),
            token: suite.token("bench", &[Scope::CatalogWrite, Scope::Ops])?,
            database: suite.database(CATALOGUE).await?,
            suite,
        })
    }

    /// A folder for other files on the same disk.
    pub(super) fn folder(&self) -> PathBuf {
        self.suite.folder().to_owned()
    }

    /// The URL of a search.
    pub(super) fn search_url(&self) -> String {
        format!("{}/v1/search", self.search_url)
    }

    /// The resident memory of the search service in megabytes.
    pub(super) fn search_rss_mb(&self) -> Result<f64, Error> {
        Ok(super::resident_mb(&self.suite.process(SEARCH)?.id().to_string()))
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let answer = self.suite.http().send_as(method, &url, &self.token, body, TIMEOUT).await?;
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
        let sent =
            self.suite.http().post_stream(&url, &self.token, "application/x-ndjson", body.into());
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
    pub(super) async fn stop(self) -> Result<(), Error> {
        self.suite.stop().await
    }
}
