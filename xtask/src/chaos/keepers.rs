//! People who keep the shop while it is struck: they import products, make and delete some, and count pieces. Nobody else touches
//! what is theirs, so that it has to be in the end what the last answer said.

use std::{sync::Arc, time::Duration};

use reqwest::Client;
use runtime::auth::Scope;
use serde_json::{Value, json};
use system_tests::Shop;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::doors::{Doors, PAUSE, Patience};
use crate::failure::Failure;

/// What the SKUs of imported products begin with, and how many there are: every import has all of them.
pub(super) const IMPORTED: (&str, usize) = ("IMPORT-", 20);

/// The SKUs whose pieces are counted, and how many there are of each at first. The last is set anew each time, the others are
/// adjusted.
const COUNTED: [&str; 4] = ["COUNT-0", "COUNT-1", "COUNT-2", "COUNT-3"];
const PIECES: i64 = 1_000;

/// How many pieces come or go in an adjustment, one after the other: a few more come.
const DELTAS: [i64; 5] = [5, -3, 4, -6, 1];

/// How long the importer, the maker of products and the one who counts pause before their next turn.
const IMPORTING: Duration = Duration::from_millis(2_500);
const MAKING: Duration = Duration::from_millis(500);
const COUNTING: Duration = Duration::from_millis(200);

/// A product that was made, and perhaps deleted.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: String,
    /// No other product has its brand.
    pub(super) brand: String,
    /// The version of its last write; none if it was deleted.
    pub(super) version: Option<i64>,
}

/// The imports that were accepted.
#[derive(Debug, Default)]
pub(super) struct Imports {
    pub(super) accepted: usize,
    /// How many did not take all that was in them.
    pub(super) broken: usize,
    /// What the last one says the brand of its products is.
    pub(super) brand: Option<String>,
}

/// What became of counting pieces.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: usize,
    /// How many pieces there are of each SKU.
    pub(super) levels: Vec<(String, i64)>,
}

/// What was answered to the keepers.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) imports: Imports,
    pub(super) made: Vec<Made>,
    pub(super) counts: Counts,
}

/// What the keepers need.
pub(super) struct Keepers {
    client: Client,
    catalogue: Doors,
    inventory: Doors,
    token: String,
}

impl Keepers {
    /// Puts on sale what is to be counted.
    pub(super) async fn prepare(
        shop: &Shop,
        client: &Client,
        patience: &Patience,
    ) -> Result<Self, Failure> {
        for sku in COUNTED {
            shop.stocked_product("混沌 仓库", sku, 9_900, PIECES).await?;
        }
        Ok(Self {
            client: client.clone(),
            catalogue: Doors::of(shop, "product-catalog", patience),
            inventory: Doors::of(shop, "inventory", patience),
            token: shop.token("keeper", &[Scope::CatalogWrite, Scope::StockWrite])?,
        })
    }

    /// Lets all of them work until `stop`, and waits for their last answers.
    pub(super) async fn keep(self: Arc<Self>, stop: CancellationToken) -> Kept {
        let (imports, made, counts) =
            tokio::join!(self.import(&stop), self.make(&stop), self.count(&stop));
        Kept { imports, made, counts }
    }

    /// Imports the same products again and again, each time with another brand, and follows each import to its end.
    async fn import(&self, stop: &CancellationToken) -> Imports {
        let mut imports = Imports::default();
        for turn in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let brand = format!("Import {turn}");
            let (prefix, products) = IMPORTED;
            let lines = (0..products)
                .map(|number| format!("{}\n", product(&format!("{prefix}{number}"), &brand)));
            let (lines, key): (String, _) = (lines.collect(), Uuid::now_v7().to_string());
            let start = |door: &str| {
                let request =
                    self.client.post(format!("{door}/v1/imports")).bearer_auth(&self.token);
                let request = request.header("content-type", "application/x-ndjson");
                request.header("idempotency-key", &key).body(lines.clone())
            };
            let Some(import) = self.catalogue.insist(turn, start).await else { break };
            let Some(import) = self.follow(turn, &import).await else { break };
            let whole = import["state"] == "done"
                && import["processed"] == products
                && import["refused"] == 0;
            imports.accepted += 1;
            imports.broken += usize::from(!whole);
            imports.brand = Some(brand);
            pause(IMPORTING, stop).await;
        }
        imports
    }

    /// Reads how an import goes until it is over.
    async fn follow(&self, turn: usize, import: &Value) -> Option<Value> {
        let id = import["id"].as_str()?;
        let read = |door: &str| {
            self.client.get(format!("{door}/v1/imports/{id}")).bearer_auth(&self.token)
        };
        loop {
            let import = self.catalogue.insist(turn, read).await?;
            if import["state"] != "running" {
                return Some(import);
            }
            sleep(PAUSE).await;
        }
    }

    /// Makes products, changes each once, and deletes every second one.
    async fn make(&self, stop: &CancellationToken) -> Vec<Made> {
        let mut made = Vec::new();
        for turn in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let Some(product) = self.make_one(turn).await else { break };
            made.push(product);
            pause(MAKING, stop).await;
        }
        made
    }

    async fn make_one(&self, turn: usize) -> Option<Made> {
        let (sku, brand, key) =
            (format!("MADE-{turn}"), format!("Made {turn}"), Uuid::now_v7().to_string());
        let make = |door: &str| {
            let request = self.client.post(format!("{door}/v1/products")).bearer_auth(&self.token);
            request.header("idempotency-key", &key).json(&product(&sku, "Made"))
        };
        let id = self.catalogue.insist(turn, make).await?["id"].as_str()?.to_owned();
        // Asked twice the second one changes nothing, and answers the same version.
        let change = |door: &str| {
            let request = self.client.put(format!("{door}/v1/products/{id}"));
            request.bearer_auth(&self.token).json(&product(&sku, &brand))
        };
        let version = self.catalogue.insist(turn, change).await?["version"].as_i64()?;
        if turn.is_multiple_of(2) {
            return Some(Made { id, brand, version: Some(version) });
        }
        let delete = |door: &str| {
            self.client.delete(format!("{door}/v1/products/{id}")).bearer_auth(&self.token)
        };
        // Asked twice the second one finds nothing to delete.
        self.catalogue.insist_or(turn, Some("not_found"), delete).await?;
        Some(Made { id, brand, version: None })
    }

    /// Counts pieces: of some SKUs a few come or go, of one it is said how many there are.
    async fn count(&self, stop: &CancellationToken) -> Counts {
        let levels = COUNTED.map(|sku| (sku.to_owned(), PIECES)).into();
        let mut counts = Counts { accepted: 0, levels };
        for turn in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let which = turn % COUNTED.len();
            let (sku, level) = &mut counts.levels[which];
            let change = DELTAS[turn % DELTAS.len()];
            let counted = if which + 1 == COUNTED.len() {
                self.set(turn, sku, *level + change).await
            } else {
                self.adjust(turn, sku, change).await
            };
            if counted.is_none() {
                break;
            }
            *level += change;
            counts.accepted += 1;
            pause(COUNTING, stop).await;
        }
        counts
    }

    /// Adds pieces, once.
    async fn adjust(&self, turn: usize, sku: &str, delta: i64) -> Option<()> {
        let key = Uuid::now_v7().to_string();
        let adjust = |door: &str| {
            let request = self.client.post(format!("{door}/v1/stock/{sku}/adjustments"));
            let request = request.bearer_auth(&self.token).header("idempotency-key", &key);
            request.json(&json!({ "delta": delta, "reason": "counted" }))
        };
        self.inventory.insist(turn, adjust).await.map(drop)
    }

    /// Says how many pieces there are, unless the level has changed since it was read: a request that was given up may still
    /// be under way in a process that stands still, and must not undo what comes after it.
    async fn set(&self, turn: usize, sku: &str, on_hand: i64) -> Option<()> {
        let read = |door: &str| self.client.get(format!("{door}/v1/stock/{sku}"));
        let version = self.inventory.insist(turn, read).await?["version"].as_i64()?;
        let set = |door: &str| {
            let request =
                self.client.put(format!("{door}/v1/stock/{sku}")).bearer_auth(&self.token);
            request
                .header("if-match", format!("\"{version}\""))
                .json(&json!({ "on_hand": on_hand }))
        };
        // Nobody else sets it: if it has changed, then by this request.
        self.inventory.insist_or(turn, Some("precondition_failed"), set).await.map(drop)
    }
}

/// Pauses, unless it is time to stop.
async fn pause(time: Duration, stop: &CancellationToken) {
    let _stopped = stop.run_until_cancelled(sleep(time)).await;
}

/// A product as it is sent.
fn product(sku: &str, brand: &str) -> Value {
    json!({
        "title": { "zh": "混沌 鼠标" },
        "brand": brand,
        "category": "数码/电脑外设/鼠标",
        "variants": [{ "sku": sku, "options": {}, "price": { "amount": 9_900, "currency": "CNY" } }],
    })
}
