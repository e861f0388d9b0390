//! People who use the shop while it is struck. Like good clients they ask again until they are answered, under the same key.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, RequestBuilder};
use runtime::auth::Scope;
use serde_json::{Value, json};
use system_tests::{Shop, second};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::failure::Failure;

/// How many buy at once.
const BUYERS: usize = 6;

/// How many look around at once.
const VISITORS: usize = 2;

/// How many products there are.
const PRODUCTS: usize = 12;

/// How many pieces there are of the first products, which sell out, and of the others, which do not.
const SCARCE: (usize, i64) = (2, 600);
const PLENTY: i64 = 100_000;

/// How many user events are sent together.
const EVENTS: u64 = 20;

/// How long one answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);

/// How long somebody pauses before the next thing, and before asking again.
const PAUSE: Duration = Duration::from_millis(60);

/// How many pieces there are of a product.
const fn pieces(number: usize) -> i64 {
    if number < SCARCE.0 { SCARCE.1 } else { PLENTY }
}

/// What was accepted.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// The orders, each accepted under one key.
    pub(super) orders: Vec<String>,
    /// The user events.
    pub(super) events: u64,
    /// The SKUs on sale, with how many pieces of each there were.
    pub(super) pieces: Vec<(String, i64)>,
}

/// Where the instances of a service listen.
struct Doors([String; 2]);

impl Doors {
    fn of(shop: &Shop, service: &str) -> Self {
        Self([shop.url(service).to_owned(), shop.url(&second(service)).to_owned()])
    }

    /// Asks until the answer is a success, as a good client does: another instance each time, the `first` one first. `ask` makes
    /// the request to where an instance listens, and every request here may be repeated.
    async fn insist(&self, first: usize, ask: impl Fn(&str) -> RequestBuilder) -> Value {
        for door in self.0.iter().cycle().skip(first % self.0.len()) {
            if let Ok(answer) = ask(door).send().await
                && answer.status().is_success()
                && let Ok(body) = answer.json().await
            {
                return body;
            }
            sleep(PAUSE).await;
        }
        Value::Null
    }
}

/// What everybody needs.
pub(super) struct Load {
    client: Client,
    orders: Doors,
    catalogue: Doors,
    behavior: Doors,
    buyer: String,
    editor: String,
    products: Vec<(String, String)>,
    events: AtomicU64,
}

/// The people at work.
pub(super) struct Loading {
    load: Arc<Load>,
    buyers: JoinSet<Vec<String>>,
    others: JoinSet<()>,
}

impl Load {
    /// Puts products on sale.
    pub(super) async fn prepare(shop: &Shop) -> Result<Self, Failure> {
        let mut products = Vec::new();
        for number in 0..PRODUCTS {
            let sku = format!("CHAOS-{number}");
            let made = shop.stocked_product("混沌 机械键盘", &sku, 19_900, pieces(number)).await?;
            products.push((made.text("/id"), sku));
        }
        let client = Client::builder().no_proxy().timeout(ANSWER).build();
        Ok(Self {
            client: client.map_err(Failure::unreachable("the HTTP client"))?,
            orders: Doors::of(shop, "order"),
            catalogue: Doors::of(shop, "product-catalog"),
            behavior: Doors::of(shop, "behavior-analytics"),
            buyer: shop.token("chaos", &[Scope::OrdersAdmin, Scope::OrdersWrite])?,
            editor: shop.token("chaos", &[Scope::CatalogWrite])?,
            products,
            events: AtomicU64::new(0),
        })
    }

    /// Lets everybody in, until `stop`.
    pub(super) fn start(self: Arc<Self>, stop: &CancellationToken) -> Loading {
        let (mut buyers, mut others) = (JoinSet::new(), JoinSet::new());
        for buyer in 0..BUYERS {
            buyers.spawn(self.clone().buy(buyer, stop.clone()));
        }
        for visitor in 0..VISITORS {
            others.spawn(self.clone().look_around(visitor, stop.clone()));
        }
        others.spawn(self.clone().edit(stop.clone()));
        Loading { load: self, buyers, others }
    }

    /// Places orders, one after the other: the ids of those that were accepted.
    async fn buy(self: Arc<Self>, first: usize, stop: CancellationToken) -> Vec<String> {
        let mut accepted = Vec::new();
        for (_, sku) in self.products.iter().cycle() {
            if stop.is_cancelled() {
                break;
            }
            let order = json!({
                "customer_id": Uuid::now_v7(),
                "lines": [{ "sku": sku, "quantity": 1 }],
                "shipping_address": { "name": "Chaos", "line1": "Street 1", "city": "Hangzhou", "country": "CN" },
                "payment": { "method": "test" },
            });
            let key = Uuid::now_v7().to_string();
            let place = |door: &str| {
                let request = self.client.post(format!("{door}/v1/orders"));
                request.bearer_auth(&self.buyer).header("idempotency-key", &key).json(&order)
            };
            let answer = self.orders.insist(first, place).await;
            accepted.extend(answer["id"].as_str().map(ToOwned::to_owned));
            sleep(PAUSE).await;
        }
        accepted
    }

    /// Sends user events, a few at a time.
    async fn look_around(self: Arc<Self>, first: usize, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let visitor = Uuid::now_v7().to_string();
            let event = |number: u64| {
                let product = &self.products[usize::try_from(number).unwrap_or(0) % PRODUCTS].0;
                json!({
                    "event_id": Uuid::now_v7(), "type": "product_viewed", "visitor_id": visitor,
                    "session_id": visitor, "product_id": product, "occurred_at": runtime::clock::now(),
                })
            };
            let events = Value::Array((0..EVENTS).map(event).collect());
            let send = |door: &str| self.client.post(format!("{door}/v1/events")).json(&events);
            let answer = self.behavior.insist(first, send).await;
            let accepted = answer["accepted"].as_u64().unwrap_or_default();
            self.events.fetch_add(accepted, Ordering::SeqCst);
            sleep(PAUSE).await;
        }
    }

    /// Changes products, one after the other. A change that is not answered may have been made; the next one follows it.
    async fn edit(self: Arc<Self>, stop: CancellationToken) {
        for (number, (id, _)) in self.products.iter().cycle().enumerate() {
            if stop.is_cancelled() {
                break;
            }
            let patch = json!({ "brand": format!("混沌 {number}") });
            let change = |door: &str| {
                let request = self.client.patch(format!("{door}/v1/products/{id}"));
                request.bearer_auth(&self.editor).json(&patch)
            };
            self.catalogue.insist(number, change).await;
            sleep(PAUSE).await;
        }
    }
}

impl Loading {
    /// Waits until everybody has their last answer.
    pub(super) async fn finish(self) -> Result<Accepted, Failure> {
        let Self { load, buyers, others } = self;
        let orders = buyers.join_all().await.into_iter().flatten().collect();
        others.join_all().await;
        let products = load.products.iter().enumerate();
        let pieces = products.map(|(number, (_, sku))| (sku.clone(), pieces(number))).collect();
        let events = load.events.load(Ordering::SeqCst);
        Ok(Accepted { orders, events, pieces })
    }
}
