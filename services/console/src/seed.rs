//! The command `seed`: loads the sample catalogue through the public routes of the services.

use std::{collections::BTreeMap, time::Duration};

use axum::http::{
    Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
    request::Builder,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use reqwest::Url;
use runtime::auth::{Scope, SigningKey, TokenError, mint};
use sample_catalogue::{SampleProduct, opening_stock, products, write_ndjson};
use serde::Deserialize;
use serde_json::json;
use tls::{
    ClientTls,
    http::{HttpClient, HttpError, Timeouts},
};
use tokio::time::{sleep, timeout};

use crate::config::join_path;

/// How many SKUs one request contains.
const STOCK_BATCH_SIZE: usize = 500;
/// The limit for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the time after which a service closes an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Upper bound for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The first delay before a retry; each further delay is half as long again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(2);
/// The subject of the token.
const SUBJECT: &str = "sample-catalogue";

/// What to load, and the base URLs of the services.
#[derive(Debug, Clone)]
pub struct Seed {
    pub product_catalog: Url,
    pub inventory: Url,
    pub search_sync: Url,
    /// Whom it trusts at `https` addresses.
    pub tls: Option<ClientTls>,
    /// The number of products.
    pub count: usize,
    /// The seed of the random generator: the same number gives the same catalogue.
    pub seed: u64,
    /// Time limit for the whole command.
    pub deadline: Duration,
}

/// The progress of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// For the services to start.
    Waiting,
    /// In lines of the import.
    Importing { done: u64, total: u64 },
    /// In SKUs.
    Stocking { done: u64, total: u64 },
    /// In products that the search finds.
    Indexing { done: u64, total: u64 },
}

/// The result of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeded {
    /// An earlier run has finished; nothing was changed.
    AlreadyThere,
    /// All products are imported, in stock and searchable.
    Filled { products: u64, skus: u64 },
}

/// Why the sample catalogue cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("cannot mint a token")]
    Token(#[from] TokenError),
    #[error("cannot write the sample catalogue as NDJSON")]
    Write(#[source] std::io::Error),
    #[error("the address of a service is invalid")]
    Address(#[from] HttpError),
    #[error("{what}: the answer cannot be decoded")]
    Decode {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("{what} was answered with {status}: {body}")]
    Refused {
        what: &'static str,
        status: StatusCode,
        /// The first 500 characters.
        body: String,
    },
    #[error("the import did not accept every line: {refused} were refused")]
    Import {
        /// 0 if the import failed as a whole.
        refused: u64,
    },
    #[error("inventory refused the stock of {sku}: {code}")]
    Stock { sku: String, code: String },
    #[error("the sample catalogue was not loaded within {0:?}")]
    Deadline(Duration),
}

/// Loads the sample catalogue and waits until all products are in stock and searchable.
///
/// Does nothing if an earlier run has finished, and continues a run that was interrupted: products that exist are not written
/// again.
pub async fn run(
    seed: &Seed,
    key: &SigningKey,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Seeded, SeedError> {
    let scopes = [Scope::CatalogWrite, Scope::StockWrite];
    let token = mint(key, SUBJECT, &scopes, seed.deadline + REQUEST_TIMEOUT)?;
    let timeouts = Timeouts { connect: CONNECT_TIMEOUT, read: None, idle: IDLE_TIMEOUT };
    let seeder = Seeder { seed, token, client: HttpClient::new(seed.tls.clone(), timeouts) };
    match timeout(seed.deadline, seeder.run(&mut progress)).await {
        Ok(result) => result,
        Err(_) => Err(SeedError::Deadline(seed.deadline)),
    }
}

struct Seeder<'a> {
    seed: &'a Seed,
    token: String,
    client: HttpClient<Full<Bytes>>,
}

/// An answer with a status that is expected.
type Answer = (StatusCode, Bytes);

/// The response of `/v1/imports/{id}`.
#[derive(Debug, Deserialize)]
struct Import {
    id: String,
    state: ImportState,
    #[serde(default)]
    processed: u64,
    #[serde(default)]
    refused: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ImportState {
    Running,
    Done,
    Failed,
}

/// The response of `POST /v1/stock`.
#[derive(Deserialize)]
struct StockResults {
    items: Vec<StockResult>,
}

#[derive(Deserialize)]
struct StockResult {
    sku: String,
    status: String,
    code: Option<String>,
}

/// The response of `GET /v1/stock/{sku}`.
#[derive(Deserialize)]
struct StockLevel {
    on_hand: i64,
}

/// The response of `GET /v1/search`.
#[derive(Deserialize)]
struct SearchPage {
    total: u64,
}

impl Seeder<'_> {
    async fn run(&self, progress: &mut (impl FnMut(Progress) + Send)) -> Result<Seeded, SeedError> {
        progress(Progress::Waiting);
        let catalogue: Vec<SampleProduct> =
            products(self.seed.seed).take(self.seed.count).collect();
        let stock: BTreeMap<String, u32> = catalogue
            .iter()
            .flat_map(|product| &product.variants)
            .map(|variant| (variant.sku.clone(), opening_stock(&variant.sku)))
            .collect();
        let count = u64::try_from(catalogue.len()).unwrap_or(u64::MAX);
        if self.is_done(&stock, count).await? {
            return Ok(Seeded::AlreadyThere);
        }
        self.import(catalogue, count, progress).await?;
        let skus = u64::try_from(stock.len()).unwrap_or(u64::MAX);
        self.stock(stock, skus, progress).await?;
        self.wait_for_search(count, progress).await?;
        Ok(Seeded::Filled { products: count, skus })
    }

    /// Whether an earlier run has finished: stock is set last, in the order of the SKUs. If the last SKU has sold out since
    /// then, the run looks unfinished and its stock is set again.
    async fn is_done(&self, stock: &BTreeMap<String, u32>, count: u64) -> Result<bool, SeedError> {
        let Some((last, _)) = stock.iter().rfind(|(_, on_hand)| **on_hand > 0) else {
            return Ok(true);
        };
        let request = Request::get(stock_url(&self.seed.inventory, last).as_str());
        let expected = [StatusCode::NOT_FOUND];
        let answer =
            self.send_with_retries("reading stock", request, Bytes::new(), &expected).await?;
        if answer.0 == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let level: StockLevel = read("reading stock", &answer)?;
        Ok(level.on_hand > 0 && self.searchable().await? >= count)
    }

    async fn import(
        &self,
        catalogue: Vec<SampleProduct>,
        total: u64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), SeedError> {
        progress(Progress::Importing { done: 0, total });
        let mut lines = Vec::new();
        write_ndjson(&mut lines, catalogue).map_err(SeedError::Write)?;
        // The same key for the same catalogue, so that a retry after a lost response continues the same import.
        let key = format!("sample-catalogue-{}-{total}", self.seed.seed);
        let url = join_path(&self.seed.product_catalog, "/v1/imports");
        let request = Request::post(url.as_str())
            .header("idempotency-key", &key)
            .header(CONTENT_TYPE, "application/x-ndjson");
        let what = "starting the import";
        let answer = self.send_with_retries(what, request, Bytes::from(lines), &[]).await?;
        let mut import: Import = read(what, &answer)?;
        let url = join_path(&self.seed.product_catalog, &format!("/v1/imports/{}", import.id));
        let mut backoff = Backoff::new();
        while import.state == ImportState::Running {
            backoff.wait().await;
            let what = "following the import";
            let request = Request::get(url.as_str());
            import = read(what, &self.send_with_retries(what, request, Bytes::new(), &[]).await?)?;
            progress(Progress::Importing { done: import.processed.min(total), total });
        }
        if import.state == ImportState::Done && import.refused == 0 {
            return Ok(());
        }
        Err(SeedError::Import { refused: import.refused })
    }

    /// Inventory learns of SKUs by events. It refuses a SKU as unknown until then, so such SKUs are sent again.
    async fn stock(
        &self,
        stock: BTreeMap<String, u32>,
        total: u64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), SeedError> {
        let mut done = 0;
        let url = join_path(&self.seed.inventory, "/v1/stock");
        let lines: Vec<(String, u32)> = stock.into_iter().collect();
        for chunk in lines.chunks(STOCK_BATCH_SIZE) {
            let mut remaining: BTreeMap<&str, u32> =
                chunk.iter().map(|(sku, on_hand)| (sku.as_str(), *on_hand)).collect();
            let mut backoff = Backoff::new();
            while !remaining.is_empty() {
                progress(Progress::Stocking { done, total });
                let line = |(sku, on_hand)| json!({ "sku": sku, "on_hand": on_hand });
                let body: Vec<serde_json::Value> = remaining.iter().map(line).collect();
                let body = Bytes::from(json!(body).to_string());
                let request = Request::post(url.as_str()).header(CONTENT_TYPE, "application/json");
                let answer = self.send_with_retries("setting stock", request, body, &[]).await?;
                let results: StockResults = read("setting stock", &answer)?;
                for StockResult { sku, status, code } in results.items {
                    match code.as_deref() {
                        Some("unknown_sku") => {}
                        Some(code) if status == "refused" => {
                            return Err(SeedError::Stock { sku, code: code.to_owned() });
                        }
                        Some(_) | None => {
                            done += u64::from(remaining.remove(sku.as_str()).is_some());
                        }
                    }
                }
                if !remaining.is_empty() {
                    backoff.wait().await;
                }
            }
        }
        progress(Progress::Stocking { done, total });
        Ok(())
    }

    /// The number of products that the search finds.
    async fn searchable(&self) -> Result<u64, SeedError> {
        let mut url = join_path(&self.seed.search_sync, "/v1/search");
        url.set_query(Some("limit=1"));
        let request = Request::get(url.as_str());
        let answer = self.send_with_retries("searching", request, Bytes::new(), &[]).await?;
        Ok(read::<SearchPage>("searching", &answer)?.total)
    }

    async fn wait_for_search(
        &self,
        total: u64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), SeedError> {
        let mut backoff = Backoff::new();
        loop {
            let found = self.searchable().await?;
            progress(Progress::Indexing { done: found.min(total), total });
            if found >= total {
                return Ok(());
            }
            backoff.wait().await;
        }
    }

    /// Retries while the service is unreachable or busy, until it answers with success or a status in `expected`. Only the
    /// deadline of the whole command ends the retries.
    async fn send_with_retries(
        &self,
        what: &'static str,
        request: Builder,
        body: Bytes,
        expected: &[StatusCode],
    ) -> Result<Answer, SeedError> {
        let request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        let request = request.body(Full::new(body)).map_err(HttpError::from)?;
        let mut backoff = Backoff::new();
        loop {
            match self.send(request.clone()).await {
                Ok(answer) if answer.0.is_success() || expected.contains(&answer.0) => {
                    return Ok(answer);
                }
                Ok((status, _)) if is_transient(status) => {}
                Ok((status, body)) => {
                    let body = String::from_utf8_lossy(&body).chars().take(500).collect();
                    return Err(SeedError::Refused { what, status, body });
                }
                Err(error) => {
                    tracing::debug!(
                        what,
                        error = problem::chain(&error),
                        "request failed; retrying"
                    );
                }
            }
            backoff.wait().await;
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, HttpError> {
        let answer = async {
            let answer = self.client.send(request).await?;
            Ok((answer.status(), answer.into_body().collect().await?.to_bytes()))
        };
        timeout(REQUEST_TIMEOUT, answer).await.unwrap_or(Err(HttpError::TimedOut(REQUEST_TIMEOUT)))
    }
}

/// Whether a retry may succeed.
fn is_transient(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// Escapes the SKU, which may contain a slash.
fn stock_url(inventory: &Url, sku: &str) -> Url {
    let mut url = join_path(inventory, "/v1/stock");
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(sku);
    }
    url
}

fn read<T: serde::de::DeserializeOwned>(
    what: &'static str,
    (_, body): &Answer,
) -> Result<T, SeedError> {
    serde_json::from_slice(body).map_err(|source| SeedError::Decode { what, source })
}

/// An exponential backoff.
struct Backoff(Duration);

impl Backoff {
    fn new() -> Backoff {
        Backoff(MIN_RETRY_DELAY)
    }

    async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = self.0.mul_f64(1.5).min(MAX_RETRY_DELAY);
    }
}

#[cfg(test)]
mod tests {
    use super::stock_url;

    #[test]
    fn slash_in_a_sku_is_escaped() {
        let url = stock_url(&"http://inventory:8083/".parse().unwrap(), "KB/F87#1");
        assert_eq!(url.as_str(), "http://inventory:8083/v1/stock/KB%2FF87%231");
    }
}
