//! Clients that administer the shop during the faults: they import products, create, change and delete
//! others, and change stock. No other client writes their data, so that in the end it must equal the last
//! answer.

use std::{sync::Arc, time::Duration};

use reqwest::Client;
use runtime::auth::Scope;
use serde_json::{Value, json};
use system_tests::Shop;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::client::{PAUSE, RetryPolicy, ServiceClient};
use crate::error::Error;

/// The prefix and the number of imported SKUs; every import contains all of them.
pub(super) const IMPORTED_SKUS: (&str, usize) = ("IMPORT-", 20);

/// The SKUs with stock changes, and the initial stock of each. The last one is set, the others are adjusted.
const ADJUSTED_SKUS: [&str; 4] = ["COUNT-0", "COUNT-1", "COUNT-2", "COUNT-3"];
const INITIAL_STOCK: i64 = 1_000;

/// The stock changes, one after the other; their sum is positive.
const DELTAS: [i64; 5] = [5, -3, 4, -6, 1];

/// The pauses between imports, product writes and stock changes.
const IMPORT_PAUSE: Duration = Duration::from_millis(2_500);
const WRITE_PAUSE: Duration = Duration::from_millis(500);
const STOCK_PAUSE: Duration = Duration::from_millis(200);

/// A product that was created, and perhaps deleted.
#[derive(Debug)]
pub(super) struct WrittenProduct {
    pub(super) id: String,
    /// Unique.
    pub(super) brand: String,
    /// The version of the last write; none if it was deleted.
    pub(super) version: Option<i64>,
}

/// The accepted imports.
#[derive(Debug, Default)]
pub(super) struct Imports {
    pub(super) accepted: usize,
    /// The number of imports that did not process all their products.
    pub(super) incomplete: usize,
    /// The brand of the products of the last import.
    pub(super) brand: Option<String>,
}

/// The accepted stock changes.
#[derive(Debug, Default)]
pub(super) struct StockChanges {
    pub(super) accepted: usize,
    /// The expected stock of each SKU.
    pub(super) levels: Vec<(String, i64)>,
}

/// The answers to the admin clients.
#[derive(Debug, Default)]
pub(super) struct AdminResults {
    pub(super) imports: Imports,
    pub(super) products: Vec<WrittenProduct>,
    pub(super) stock_changes: StockChanges,
}

/// The admin clients.
pub(super) struct AdminClients {
    client: Client,
    catalogue: ServiceClient,
    inventory: ServiceClient,
    token: String,
}

impl AdminClients {
    /// Creates the products whose stock will change.
    pub(super) async fn prepare(
        shop: &Shop,
        client: &Client,
        policy: &RetryPolicy,
    ) -> Result<Self, Error> {
        for sku in ADJUSTED_SKUS {
            shop.stocked_product("混沌 仓库", sku, 9_900, INITIAL_STOCK).await?;
        }
        Ok(Self {
            client: client.clone(),
            catalogue: ServiceClient::new(shop, "product-catalog", policy),
            inventory: ServiceClient::new(shop, "inventory", policy),
            token: shop.token("admin", &[Scope::CatalogWrite, Scope::StockWrite])?,
        })
    }

    /// Runs all of them until `stop`, and waits for their last answers.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) -> AdminResults {
        let (imports, products, stock_changes) =
            tokio::join!(self.import(&stop), self.write_products(&stop), self.change_stock(&stop));
        AdminResults { imports, products, stock_changes }
    }

    /// Imports the same products repeatedly, each time with another brand, and waits for the end of each
    /// import.
    async fn import(&self, stop: &CancellationToken) -> Imports {
        let mut imports = Imports::default();
        for round in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let brand = format!("Import {round}");
            let (prefix, products) = IMPORTED_SKUS;
            let lines = (0..products)
                .map(|number| format!("{}\n", product(&format!("{prefix}{number}"), &brand)));
            let (lines, key): (String, _) = (lines.collect(), Uuid::now_v7().to_string());
            let start = |url: &str| {
                let request =
                    self.client.post(format!("{url}/v1/imports")).bearer_auth(&self.token);
                let request = request.header("content-type", "application/x-ndjson");
                request.header("idempotency-key", &key).body(lines.clone())
            };
            let Some(import) = self.catalogue.send(round, start).await else { break };
            let Some(import) = self.wait_for_import(round, &import).await else { break };
            let is_complete = import["state"] == "done"
                && import["processed"] == products
                && import["refused"] == 0;
            imports.accepted += 1;
            imports.incomplete += usize::from(!is_complete);
            imports.brand = Some(brand);
            pause(IMPORT_PAUSE, stop).await;
        }
        imports
    }

    /// Polls an import until it has ended.
    async fn wait_for_import(&self, round: usize, import: &Value) -> Option<Value> {
        let id = import["id"].as_str()?;
        let read =
            |url: &str| self.client.get(format!("{url}/v1/imports/{id}")).bearer_auth(&self.token);
        loop {
            let import = self.catalogue.send(round, read).await?;
            if import["state"] != "running" {
                return Some(import);
            }
            sleep(PAUSE).await;
        }
    }

    /// Creates products, changes each once, and deletes every second one.
    async fn write_products(&self, stop: &CancellationToken) -> Vec<WrittenProduct> {
        let mut products = Vec::new();
        for round in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let Some(product) = self.write_product(round).await else { break };
            products.push(product);
            pause(WRITE_PAUSE, stop).await;
        }
        products
    }

    async fn write_product(&self, round: usize) -> Option<WrittenProduct> {
        let (sku, brand, key) =
            (format!("MADE-{round}"), format!("Made {round}"), Uuid::now_v7().to_string());
        let create = |url: &str| {
            let request = self.client.post(format!("{url}/v1/products")).bearer_auth(&self.token);
            request.header("idempotency-key", &key).json(&product(&sku, "Made"))
        };
        let id = self.catalogue.send(round, create).await?["id"].as_str()?.to_owned();
        // A repeated request changes nothing and returns the same version.
        let change = |url: &str| {
            let request = self.client.put(format!("{url}/v1/products/{id}"));
            request.bearer_auth(&self.token).json(&product(&sku, &brand))
        };
        let version = self.catalogue.send(round, change).await?["version"].as_i64()?;
        if round.is_multiple_of(2) {
            return Some(WrittenProduct { id, brand, version: Some(version) });
        }
        let delete = |url: &str| {
            self.client.delete(format!("{url}/v1/products/{id}")).bearer_auth(&self.token)
        };
        // A repeated request is answered with 404.
        self.catalogue.send_expecting(round, Some("not_found"), delete).await?;
        Some(WrittenProduct { id, brand, version: None })
    }

    /// Adjusts the stock of some SKUs and sets that of another.
    async fn change_stock(&self, stop: &CancellationToken) -> StockChanges {
        let levels = ADJUSTED_SKUS.map(|sku| (sku.to_owned(), INITIAL_STOCK)).into();
        let mut stock_changes = StockChanges { accepted: 0, levels };
        for round in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let which = round % ADJUSTED_SKUS.len();
            let (sku, level) = &mut stock_changes.levels[which];
            let change = DELTAS[round % DELTAS.len()];
            let changed = if which + 1 == ADJUSTED_SKUS.len() {
                self.set(round, sku, *level + change).await
            } else {
                self.adjust(round, sku, change).await
            };
            if changed.is_none() {
                break;
            }
            *level += change;
            stock_changes.accepted += 1;
            pause(STOCK_PAUSE, stop).await;
        }
        stock_changes
    }

    /// Adds `delta` to the stock, once.
    async fn adjust(&self, round: usize, sku: &str, delta: i64) -> Option<()> {
        let key = Uuid::now_v7().to_string();
        let adjust = |url: &str| {
            let request = self.client.post(format!("{url}/v1/stock/{sku}/adjustments"));
            let request = request.bearer_auth(&self.token).header("idempotency-key", &key);
            request.json(&json!({ "delta": delta, "reason": "counted" }))
        };
        self.inventory.send(round, adjust).await.map(drop)
    }

    /// Sets the stock with `If-Match`: an earlier request may still be in flight in a paused process and must
    /// not overwrite later changes.
    async fn set(&self, round: usize, sku: &str, on_hand: i64) -> Option<()> {
        let read = |url: &str| self.client.get(format!("{url}/v1/stock/{sku}"));
        let version = self.inventory.send(round, read).await?["version"].as_i64()?;
        let set = |url: &str| {
            let request = self.client.put(format!("{url}/v1/stock/{sku}")).bearer_auth(&self.token);
            request
                .header("if-match", format!("\"{version}\""))
                .json(&json!({ "on_hand": on_hand }))
        };
        // There is no other writer: a changed version means that this request succeeded.
        self.inventory.send_expecting(round, Some("precondition_failed"), set).await.map(drop)
    }
}

/// Pauses until `stop` at most.
async fn pause(time: Duration, stop: &CancellationToken) {
    let _stopped = stop.run_until_cancelled(sleep(time)).await;
}

/// The body of a product.
fn product(sku: &str, brand: &str) -> Value {
    json!({
        "title": { "zh": "混沌 鼠标" },
        "brand": brand,
        "category": "数码/电脑外设/鼠标",
        "variants": [{ "sku": sku, "options": {}, "price": { "amount": 9_900, "currency": "CNY" } }],
    })
}
