//! People who use the shop while it is struck. Like good clients they ask again until they are answered, under the same key.

use std::{
    fs,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hmac::{Hmac, Mac as _};
use reqwest::Client;
use runtime::auth::Scope;
use serde_json::{Value, json};
use sha2::Sha256;
use system_tests::Shop;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    doors::{Doors, PAUSE, Patience},
    keepers::{Keepers, Kept},
};
use crate::failure::Failure;

/// How many buy at once.
const BUYERS: usize = 6;

/// How many hesitate at once: they pay about when the time for it is over.
const HESITANT: usize = 3;

/// How many buy at once whose payment a provider tells of, and whose parcel a carrier.
const TOLD: usize = 2;

/// How long an order waits for its payment, in seconds, as the order service is told.
pub(super) const PAYMENT_TIMEOUT: &str = "8";

/// How long somebody hesitates at least, and how much longer one in five of them each time, so that some pay before that time is
/// over and some after it.
const HESITATION: (Duration, Duration) = (Duration::from_millis(6_500), Duration::from_millis(800));

/// How many buy at once while there is a rush.
const RUSHING: usize = 4;

/// How many look around at once.
const VISITORS: usize = 2;

/// How many products there are.
const PRODUCTS: usize = 12;

/// How many pieces there are of the first products, which sell out, and of the others, which do not; half of them in each of
/// two warehouses. What is scarce is bought by the piece and never called off, so that all of it is sold in the end.
const SCARCE: (usize, i64) = (2, 300);
const PLENTY: i64 = 100_000;

/// How many user events are sent together.
const EVENTS: u64 = 20;

/// How long one answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);

/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_mins(2);

/// How many pieces there are of a product.
const fn pieces(number: usize) -> i64 {
    if number < SCARCE.0 { SCARCE.1 } else { PLENTY }
}

/// How an order may end when what was last asked of it was never answered.
const ANY_END: &[&str] = &["delivered", "expired", "cancelled"];

/// An order that was accepted.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: String,
    /// How it may end, after all that was answered to whoever placed it.
    pub(super) ends: &'static [&'static str],
}

/// What somebody does with an order.
#[derive(Debug, Clone, Copy)]
enum Intent {
    /// Pays at once.
    Buy,
    /// Has no money.
    Decline,
    /// Pays by hand, as soon as that can be done.
    Pay,
    /// Pays at a provider, which tells twice; a carrier tells that the parcel has arrived.
    Told,
    /// Pays by hand, about when the time for it is over.
    Hesitate,
    /// Never pays.
    Forget,
    /// Pays at once and calls it off.
    CallOff,
}

impl Intent {
    /// What the customers want, one after the other: most buy.
    const MIX: [Self; 10] = [
        Self::Buy,
        Self::Buy,
        Self::CallOff,
        Self::Buy,
        Self::Buy,
        Self::Decline,
        Self::Buy,
        Self::Pay,
        Self::Buy,
        Self::Forget,
    ];

    /// The method of payment.
    const fn method(self) -> &'static str {
        match self {
            Self::Buy | Self::CallOff => "test",
            Self::Decline => "test_decline",
            Self::Pay | Self::Told | Self::Hesitate | Self::Forget => "manual",
        }
    }
}

/// What was accepted.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// The orders, each accepted under one key.
    pub(super) orders: Vec<Order>,
    /// How many questions were never answered, so that nobody knows what they did.
    pub(super) unanswered: usize,
    /// How many times a provider or a carrier told something.
    pub(super) callbacks: usize,
    /// What was answered to those who keep the shop.
    pub(super) kept: Kept,
    /// The user events.
    pub(super) events: u64,
    /// The SKUs on sale, with how many pieces of each there were.
    pub(super) pieces: Vec<(String, i64)>,
    /// The SKUs that sell out.
    pub(super) scarce: Vec<String>,
}

/// What everybody needs.
pub(super) struct Load {
    client: Client,
    patience: Patience,
    orders: Doors,
    catalogue: Doors,
    behavior: Doors,
    buyer: String,
    editor: String,
    /// Signs what providers tell.
    secret: Hmac<Sha256>,
    keepers: Arc<Keepers>,
    products: Vec<(String, String)>,
    events: AtomicU64,
    callbacks: AtomicUsize,
    rush: watch::Sender<bool>,
}

/// The people at work.
pub(super) struct Loading {
    load: Arc<Load>,
    buyers: JoinSet<Vec<Order>>,
    others: JoinSet<()>,
    keeping: JoinSet<Kept>,
}

impl Load {
    /// Puts products on sale.
    pub(super) async fn prepare(shop: &Shop) -> Result<Self, Failure> {
        let other_warehouse = shop.open_warehouse("Chaos").await?;
        let mut products = Vec::new();
        for number in 0..PRODUCTS {
            let (sku, half) = (format!("CHAOS-{number}"), pieces(number) / 2);
            let made = shop.stocked_product("混沌 机械键盘", &sku, 19_900, half).await?;
            shop.stock_in(&sku, half, Some(&other_warehouse)).await?;
            products.push((made.text("/id"), sku));
        }
        let client = Client::builder().no_proxy().timeout(ANSWER).build();
        let client = client.map_err(Failure::unreachable("the HTTP client"))?;
        let patience = Patience::default();
        let file = shop.folder().join("webhook.secret");
        let secret = fs::read(&file).map_err(Failure::file(file))?;
        Ok(Self {
            secret: Hmac::new_from_slice(secret.trim_ascii()).map_err(|_| no_key())?,
            keepers: Arc::new(Keepers::prepare(shop, &client, &patience).await?),
            client,
            orders: Doors::of(shop, "order", &patience),
            catalogue: Doors::of(shop, "product-catalog", &patience),
            behavior: Doors::of(shop, "behavior-analytics", &patience),
            buyer: shop.token("chaos", &[Scope::OrdersAdmin, Scope::OrdersWrite])?,
            editor: shop.token("chaos", &[Scope::CatalogWrite])?,
            products,
            patience,
            events: AtomicU64::new(0),
            callbacks: AtomicUsize::new(0),
            rush: watch::Sender::new(false),
        })
    }

    /// Begins or ends a rush: more people buy, who pay at once and wait for nothing.
    pub(super) fn rush(&self, is_on: bool) {
        self.rush.send_replace(is_on);
    }

    /// Lets everybody in, until `stop`.
    pub(super) fn start(self: Arc<Self>, stop: &CancellationToken) -> Loading {
        let (mut buyers, mut others, mut keeping) =
            (JoinSet::new(), JoinSet::new(), JoinSet::new());
        for buyer in 0..BUYERS {
            buyers.spawn(self.clone().buy(buyer, Intent::MIX.into(), stop.clone()));
        }
        for buyer in 0..HESITANT {
            buyers.spawn(self.clone().buy(buyer, vec![Intent::Hesitate], stop.clone()));
        }
        for buyer in 0..TOLD {
            buyers.spawn(self.clone().buy(buyer, vec![Intent::Told], stop.clone()));
        }
        for buyer in 0..RUSHING {
            buyers.spawn(self.clone().buy_in_a_rush(buyer, stop.clone()));
        }
        for visitor in 0..VISITORS {
            others.spawn(self.clone().look_around(visitor, stop.clone()));
        }
        others.spawn(self.clone().edit(stop.clone()));
        keeping.spawn(self.keepers.clone().keep(stop.clone()));
        Loading { load: self, buyers, others, keeping }
    }

    /// Places orders, one after the other, with these intents in turn: those that were accepted.
    async fn buy(
        self: Arc<Self>,
        first: usize,
        intents: Vec<Intent>,
        stop: CancellationToken,
    ) -> Vec<Order> {
        let mut accepted = Vec::new();
        for (number, intent) in intents.iter().copied().cycle().enumerate() {
            if stop.is_cancelled() {
                break;
            }
            accepted.extend(self.order(first, number, intent, &stop).await);
            sleep(PAUSE).await;
        }
        accepted
    }

    /// Places orders for as long as there is a rush: those that were accepted.
    async fn buy_in_a_rush(self: Arc<Self>, first: usize, stop: CancellationToken) -> Vec<Order> {
        let (mut accepted, mut rush) = (Vec::new(), self.rush.subscribe());
        loop {
            let is_on = tokio::select! {
                () = stop.cancelled() => false,
                found = rush.wait_for(|is_on| *is_on) => found.is_ok(),
            };
            if !is_on {
                break accepted;
            }
            accepted.extend(self.order(first, accepted.len(), Intent::Buy, &stop).await);
            sleep(PAUSE).await;
        }
    }

    /// Places order `number` of a buyer and does with it what is intended.
    async fn order(
        &self,
        first: usize,
        number: usize,
        intent: Intent,
        stop: &CancellationToken,
    ) -> Option<Order> {
        let order = json!({
            "customer_id": Uuid::now_v7(),
            "lines": self.lines(first + number, intent),
            "shipping_address": { "name": "Chaos", "line1": "Street 1", "city": "Hangzhou", "country": "CN" },
            "payment": { "method": intent.method() },
        });
        let key = Uuid::now_v7().to_string();
        let place = |door: &str| {
            let request = self.client.post(format!("{door}/v1/orders"));
            request.bearer_auth(&self.buyer).header("idempotency-key", &key).json(&order)
        };
        let placed = self.orders.insist(first, place).await?;
        let id = placed["id"].as_str()?.to_owned();
        let ends: &[&str] = match intent {
            // Only what is scarce can be short.
            Intent::Buy if self.is_scarce(&order["lines"]) => &["delivered", "rejected"],
            Intent::Buy => &["delivered"],
            Intent::Decline => &["payment_failed"],
            Intent::Forget => &["expired"],
            Intent::Pay => self.pay(first, &id).await,
            Intent::Told => self.tell(first, &id).await,
            Intent::Hesitate => {
                let (least, more) = HESITATION;
                tokio::select! {
                    () = sleep(least + more * u32::try_from(number % 5).unwrap_or(0)) => {}
                    () = stop.cancelled() => {}
                }
                self.pay(first, &id).await
            }
            Intent::CallOff => self.call_off(first, &id).await,
        };
        Some(Order { id, ends })
    }

    /// What order `number` is of: one piece of any product for whoever buys and does not think twice, else one to three pieces
    /// each of two products that do not sell out.
    fn lines(&self, number: usize, intent: Intent) -> Value {
        let line = |product: usize, quantity: usize| json!({ "sku": self.products[product].1, "quantity": quantity });
        let plenty = |number: usize| SCARCE.0 + number % (PRODUCTS - SCARCE.0);
        if matches!(intent, Intent::Buy) && number.is_multiple_of(2) {
            return json!([line(number / 2 % PRODUCTS, 1)]);
        }
        json!([line(plenty(number), 1 + number % 3), line(plenty(number + 1), 1 + number % 2)])
    }

    fn is_scarce(&self, lines: &Value) -> bool {
        self.products[..SCARCE.0].iter().any(|(_, sku)| lines[0]["sku"] == **sku)
    }

    /// Pays for an order, once it is reserved or has ended: how it may end after what was answered.
    async fn pay(&self, first: usize, id: &str) -> &'static [&'static str] {
        let key = Uuid::now_v7().to_string();
        let pay = |door: &str| {
            let request = self.client.post(format!("{door}/v1/orders/{id}/payment"));
            request.bearer_auth(&self.buyer).header("idempotency-key", &key)
        };
        let Some(answer) = self.orders.insist(first, pay).await else { return ANY_END };
        // Who pays too late is given the money back.
        if answer["status"] == "expired" { &["expired"] } else { &["delivered"] }
    }

    /// Lets a provider tell twice that an order is paid for, once it is reserved or has ended, and a carrier that the parcel has arrived, once
    /// it has been shipped: how the order may end after what was answered.
    async fn tell(&self, first: usize, id: &str) -> &'static [&'static str] {
        let paid = json!({ "event_id": Uuid::now_v7(), "order_id": id, "outcome": "approve" });
        for again in 0..2 {
            let Some(answer) = self.call_back("payments", first + again, &paid).await else {
                return ANY_END;
            };
            if answer["status"] == "expired" {
                return &["expired"];
            }
        }
        let arrived = json!({ "event_id": Uuid::now_v7(), "order_id": id, "status": "delivered" });
        self.call_back("shipments", first, &arrived).await.map_or(ANY_END, |_| &["delivered"])
    }

    /// Tells the order service something until it is taken, signed as it asks for.
    async fn call_back(&self, route: &str, first: usize, told: &Value) -> Option<Value> {
        let body = told.to_string();
        let call_back = |door: &str| {
            let request = self.client.post(format!("{door}/v1/webhooks/{route}"));
            let request = request.header("content-type", "application/json");
            request.header("x-signature", self.signature(&body)).body(body.clone())
        };
        let answer = self.orders.insist(first, call_back).await?;
        self.callbacks.fetch_add(1, Ordering::SeqCst);
        Some(answer)
    }

    /// The signature of what is told now.
    fn signature(&self, body: &str) -> String {
        let (now, mut mac) = (runtime::clock::now().timestamp(), self.secret.clone());
        mac.update(format!("{now}.{body}").as_bytes());
        format!("t={now},v1={:x}", mac.finalize().into_bytes())
    }

    /// Calls an order off, unless it has been shipped: how it may end after what was answered.
    async fn call_off(&self, first: usize, id: &str) -> &'static [&'static str] {
        let call_off = |door: &str| {
            self.client.post(format!("{door}/v1/orders/{id}/cancel")).bearer_auth(&self.buyer)
        };
        let answer = self.orders.insist_or(first, Some("not_cancellable"), call_off).await;
        let Some(answer) = answer else { return ANY_END };
        if answer["status"] == "cancelled" { &["cancelled"] } else { &["delivered"] }
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
            let Some(answer) = self.behavior.insist(first, send).await else { break };
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
    /// Waits until everybody has their last answer, but not for ever: what is broken may never answer.
    pub(super) async fn finish(self) -> Accepted {
        let Self { load, buyers, others, keeping } = self;
        let mut everybody = pin!(async {
            let orders = buyers.join_all().await;
            others.join_all().await;
            (orders, keeping.join_all().await)
        });
        let (orders, kept) = if let Ok(answers) = timeout(LAST_ANSWERS, &mut everybody).await {
            answers
        } else {
            load.patience.end();
            everybody.await
        };
        let products = load.products.iter().enumerate();
        Accepted {
            orders: orders.into_iter().flatten().collect(),
            unanswered: load.patience.unanswered(),
            callbacks: load.callbacks.load(Ordering::SeqCst),
            kept: kept.into_iter().next().unwrap_or_default(),
            events: load.events.load(Ordering::SeqCst),
            pieces: products.map(|(number, (_, sku))| (sku.clone(), pieces(number))).collect(),
            scarce: load.products[..SCARCE.0].iter().map(|(_, sku)| sku.clone()).collect(),
        }
    }
}

fn no_key() -> Failure {
    Failure::Unsound("the secret of webhooks signs nothing".to_owned())
}
