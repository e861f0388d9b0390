//! Fills a shop with the sample catalogue, through the same public routes that everybody uses.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode, Url};
use runtime::auth::{Scope, SigningKey, TokenError, mint};
use sample_catalogue::{SampleProduct, opening_stock, products, write_ndjson};
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use crate::config::under;

/// How many SKUs one request stocks.
const TOGETHER: usize = 500;
/// How long a single answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The first pause before something is asked again; each is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Who the seeding is in the services' books.
const SUBJECT: &str = "sample-catalogue";

/// What to seed, and where.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Address of product-catalog.
    pub product_catalog: Url,
    /// Address of inventory.
    pub inventory: Url,
    /// Address of search-sync.
    pub search_sync: Url,
    /// How many products.
    pub count: usize,
    /// The seed of the generator: the same number gives the same catalogue.
    pub seed: u64,
    /// How long all of it may take.
    pub deadline: Duration,
}

/// How far the seeding is; told again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The services are not all there yet.
    Waiting,
    /// So many lines of the import are done.
    Importing {
        /// Lines done.
        done: u64,
        /// Lines in all.
        total: u64,
    },
    /// So many SKUs are stocked.
    Stocking {
        /// SKUs done.
        done: u64,
        /// SKUs in all.
        total: u64,
    },
    /// So many products are found by the search.
    Indexing {
        /// Products found.
        done: u64,
        /// Products in all.
        total: u64,
    },
}

/// What the seeding came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeded {
    /// The sample catalogue is there already; nothing was done.
    AlreadyThere,
    /// All is imported, stocked and searchable.
    Filled {
        /// How many products.
        products: u64,
        /// How many SKUs.
        skus: u64,
    },
}

/// Why the shop is not filled.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// No token for the seeding.
    #[error("no token can be made")]
    Token(#[from] TokenError),
    /// The sample catalogue cannot be written as NDJSON.
    #[error("the sample catalogue cannot be written")]
    Write(#[source] std::io::Error),
    /// No HTTP client.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
    /// A service broke off.
    #[error("{what} failed")]
    Broken {
        /// What was asked.
        what: &'static str,
        /// How it failed.
        #[source]
        source: reqwest::Error,
    },
    /// A service refused.
    #[error("{what} was answered with {status}: {body}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// The beginning of the answer's body.
        body: String,
    },
    /// The import ended without having taken every line.
    #[error("the import did not take every line: {refused} were refused")]
    Import {
        /// How many lines were refused; 0 if the import failed as a whole.
        refused: u64,
    },
    /// Inventory would not take the stock of a SKU.
    #[error("the stock of {sku} was refused: {code}")]
    Stock {
        /// Which SKU.
        sku: String,
        /// Why, in inventory's words.
        code: String,
    },
    /// It took too long.
    #[error("the sample catalogue was not there after {0:?}")]
    Deadline(Duration),
}

/// Loads the sample catalogue and waits until all of it is stocked and searchable. It does nothing where an earlier seeding
/// came to its end, and goes on where one broke off: products that are there already are not written again.
pub async fn run(
    seed: &Seed,
    key: &SigningKey,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Seeded, SeedError> {
    let scopes = [Scope::CatalogWrite, Scope::StockWrite];
    let token = mint(key, SUBJECT, &scopes, seed.deadline + ANSWER)?;
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER).build();
    let seeding = Seeding { seed, token, client: client.map_err(SeedError::Client)? };
    match tokio::time::timeout(seed.deadline, seeding.run(&mut progress)).await {
        Ok(result) => result,
        Err(_) => Err(SeedError::Deadline(seed.deadline)),
    }
}

struct Seeding<'a> {
    seed: &'a Seed,
    token: String,
    client: reqwest::Client,
}

/// How an import goes.
#[derive(Debug, Deserialize)]
struct Import {
    id: String,
    state: ImportState,
    #[serde(default)]
    processed: u64,
    #[serde(default)]
    refused: u64,
}

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ImportState {
    Running,
    Done,
    Failed,
}

/// What became of the lines of a request for stock.
#[derive(Deserialize)]
struct Verdicts {
    items: Vec<Verdict>,
}

/// What became of one of them.
#[derive(Deserialize)]
struct Verdict {
    sku: String,
    status: String,
    code: Option<String>,
}

/// What there is of a SKU.
#[derive(Deserialize)]
struct Level {
    on_hand: i64,
}

#[derive(Deserialize)]
struct Found {
    total: u64,
}

impl Seeding<'_> {
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

    /// Whether an earlier seeding came to its end: stock is put last, in the order of the SKUs. What is sold out meanwhile
    /// looks unfinished, and is stocked again.
    async fn is_done(&self, stock: &BTreeMap<String, u32>, count: u64) -> Result<bool, SeedError> {
        let Some((last, _)) = stock.iter().rfind(|(_, on_hand)| **on_hand > 0) else {
            return Ok(true);
        };
        let url = stock_url(&self.seed.inventory, last);
        let asking = || self.client.get(url.clone());
        let answer = self.patiently("reading stock", asking, &[StatusCode::NOT_FOUND]).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let level: Level = read("reading stock", answer).await?;
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
        let lines = bytes::Bytes::from(lines);
        // The same key for the same catalogue: a second try after a broken line is the same import.
        let key = format!("sample-catalogue-{}-{total}", self.seed.seed);
        let url = under(&self.seed.product_catalog, "/v1/imports");
        let posting = || {
            let post = self.client.post(url.clone()).header("idempotency-key", &key);
            post.header(CONTENT_TYPE, "application/x-ndjson").body(lines.clone())
        };
        let answer = self.patiently("starting the import", posting, &[]).await?;
        let mut import: Import = read("starting the import", answer).await?;
        let url = under(&self.seed.product_catalog, &format!("/v1/imports/{}", import.id));
        let mut pause = Pause::new();
        while import.state == ImportState::Running {
            pause.rest().await;
            let asking = || self.client.get(url.clone());
            let answer = self.patiently("following the import", asking, &[]).await?;
            import = read("following the import", answer).await?;
            progress(Progress::Importing { done: import.processed.min(total), total });
        }
        if import.state == ImportState::Done && import.refused == 0 {
            return Ok(());
        }
        Err(SeedError::Import { refused: import.refused })
    }

    /// Inventory hears of SKUs by events; until it has, it refuses them as unknown, and is asked again.
    async fn stock(
        &self,
        stock: BTreeMap<String, u32>,
        total: u64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), SeedError> {
        let mut done = 0;
        let url = under(&self.seed.inventory, "/v1/stock");
        let lines: Vec<(String, u32)> = stock.into_iter().collect();
        for chunk in lines.chunks(TOGETHER) {
            let mut left: BTreeMap<&str, u32> =
                chunk.iter().map(|(sku, on_hand)| (sku.as_str(), *on_hand)).collect();
            let mut pause = Pause::new();
            while !left.is_empty() {
                progress(Progress::Stocking { done, total });
                let line = |(sku, on_hand)| json!({ "sku": sku, "on_hand": on_hand });
                let body: Vec<serde_json::Value> = left.iter().map(line).collect();
                let posting = || self.client.post(url.clone()).json(&body);
                let answer = self.patiently("putting stock", posting, &[]).await?;
                let verdicts: Verdicts = read("putting stock", answer).await?;
                for Verdict { sku, status, code } in verdicts.items {
                    match code.as_deref() {
                        Some("unknown_sku") => {}
                        Some(code) if status == "refused" => {
                            return Err(SeedError::Stock { sku, code: code.to_owned() });
                        }
                        Some(_) | None => {
                            done += u64::from(left.remove(sku.as_str()).is_some());
                        }
                    }
                }
                if !left.is_empty() {
                    pause.rest().await;
                }
            }
        }
        progress(Progress::Stocking { done, total });
        Ok(())
    }

    /// How many products the search finds.
    async fn searchable(&self) -> Result<u64, SeedError> {
        let url = under(&self.seed.search_sync, "/v1/search");
        let asking = || self.client.get(url.clone()).query(&[("limit", "1")]);
        let answer = self.patiently("searching", asking, &[]).await?;
        Ok(read::<Found>("searching", answer).await?.total)
    }

    async fn wait_for_search(
        &self,
        total: u64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), SeedError> {
        let mut pause = Pause::new();
        loop {
            let found = self.searchable().await?;
            progress(Progress::Indexing { done: found.min(total), total });
            if found >= total {
                return Ok(());
            }
            pause.rest().await;
        }
    }

    /// Asks until there is an answer that counts: a success, or a status of `expected`. A service that is not there yet, or
    /// busy, is asked again. The deadline of the whole seeding ends it.
    async fn patiently(
        &self,
        what: &'static str,
        asking: impl Fn() -> RequestBuilder,
        expected: &[StatusCode],
    ) -> Result<reqwest::Response, SeedError> {
        let mut pause = Pause::new();
        loop {
            match asking().bearer_auth(&self.token).send().await {
                Ok(answer)
                    if answer.status().is_success() || expected.contains(&answer.status()) =>
                {
                    return Ok(answer);
                }
                Ok(answer) if is_passing(answer.status()) => {}
                Ok(answer) => {
                    let status = answer.status();
                    let body = answer.text().await.unwrap_or_default().chars().take(500).collect();
                    return Err(SeedError::Refused { what, status, body });
                }
                Err(error) => {
                    tracing::debug!(what, error = problem::chain(&error), "not there yet");
                }
            }
            pause.rest().await;
        }
    }
}

/// Whether the same question may get another answer soon.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// A SKU may hold a slash, which must not divide the path.
fn stock_url(inventory: &Url, sku: &str) -> Url {
    let mut url = under(inventory, "/v1/stock");
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(sku);
    }
    url
}

async fn read<T: serde::de::DeserializeOwned>(
    what: &'static str,
    answer: reqwest::Response,
) -> Result<T, SeedError> {
    answer.json().await.map_err(|source| SeedError::Broken { what, source })
}

/// Pauses that grow.
struct Pause(Duration);

impl Pause {
    fn new() -> Pause {
        Pause(FIRST_PAUSE)
    }

    async fn rest(&mut self) {
        sleep(self.0).await;
        self.0 = self.0.mul_f64(1.5).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::stock_url;

    #[test]
    fn a_slash_in_a_sku_is_no_division() {
        let url = stock_url(&"http://inventory:8083/".parse().unwrap(), "KB/F87#1");
        assert_eq!(url.as_str(), "http://inventory:8083/v1/stock/KB%2FF87%231");
    }
}
