//! The load during the faults: clients that retry with the same idempotency key until they get an answer.

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

use crate::{
    admin_clients::{AdminClients, AdminResults},
    client::{PAUSE, RetryPolicy, ServiceClient},
    error::Error,
};

/// Concurrent buyers with the usual mix of intents.
const BUYERS: usize = 6;

/// Concurrent buyers that pay close to the payment timeout.
const LATE_PAYERS: usize = 3;

/// Concurrent buyers whose payment and delivery arrive as webhooks.
const WEBHOOK_BUYERS: usize = 2;

/// The setting of the order service, in seconds.
pub(super) const PAYMENT_TIMEOUT: &str = "8";

/// The minimal delay of a late payment, and the step between five different delays. Some are shorter than the
/// payment timeout, some longer.
const PAY_LATE_DELAY: (Duration, Duration) =
    (Duration::from_millis(6_500), Duration::from_millis(800));

/// Concurrent buyers during a rush.
const RUSH_BUYERS: usize = 4;

/// Concurrent visitors that send user events.
const VISITORS: usize = 2;

/// The number of products.
const PRODUCTS: usize = 12;

/// The number and the stock of the scarce products, which sell out; then the stock of all other products. Two
/// warehouses have half of it each. Scarce products are ordered one at a time and never cancelled, so that
/// all of them are sold in the end.
const SCARCE: (usize, i64) = (2, 300);
const PLENTIFUL: i64 = 100_000;

/// User events per request.
const EVENTS_PER_REQUEST: u64 = 20;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout until all clients have their last answer.
const FINISH_TIMEOUT: Duration = Duration::from_mins(2);

/// The initial stock of a product.
const fn stock(number: usize) -> i64 {
    if number < SCARCE.0 { SCARCE.1 } else { PLENTIFUL }
}

/// The possible final statuses of an order whose last request was never answered.
const ANY_STATUS: &[&str] = &["delivered", "expired", "cancelled"];

/// An order that was accepted.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: String,
    /// The final statuses that the answers allow.
    pub(super) statuses: &'static [&'static str],
}

/// What a buyer does with an order.
#[derive(Debug, Clone, Copy)]
enum Intent {
    /// Pays immediately.
    Buy,
    /// The payment is declined.
    Decline,
    /// Pays through the payment route as soon as the order is reserved.
    PayManually,
    /// Pays by webhook, which arrives twice; another webhook reports the delivery.
    Webhook,
    /// Pays through the payment route, close to the payment timeout.
    PayLate,
    /// Never pays.
    NeverPay,
    /// Pays immediately and cancels.
    Cancel,
}

impl Intent {
    /// The usual mix: most buy.
    const MIX: [Self; 10] = [
        Self::Buy,
        Self::Buy,
        Self::Cancel,
        Self::Buy,
        Self::Buy,
        Self::Decline,
        Self::Buy,
        Self::PayManually,
        Self::Buy,
        Self::NeverPay,
    ];

    /// The method of payment.
    const fn method(self) -> &'static str {
        match self {
            Self::Buy | Self::Cancel => "test",
            Self::Decline => "test_decline",
            Self::PayManually | Self::Webhook | Self::PayLate | Self::NeverPay => "manual",
        }
    }
}

/// Everything that the services accepted.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// Each was placed with one idempotency key.
    pub(super) orders: Vec<Order>,
    /// The number of requests without an answer: their effects are unknown.
    pub(super) unanswered: usize,
    /// The number of accepted webhooks.
    pub(super) webhooks: usize,
    pub(super) admin: AdminResults,
    /// The number of accepted user events.
    pub(super) events: u64,
    /// The SKUs and their initial stock.
    pub(super) stock: Vec<(String, i64)>,
    /// The SKUs of the scarce products.
    pub(super) scarce: Vec<String>,
}

/// The clients, and what they share.
pub(super) struct Load {
    client: Client,
    policy: RetryPolicy,
    orders: ServiceClient,
    catalogue: ServiceClient,
    behavior: ServiceClient,
    buyer: String,
    editor_token: String,
    /// Signs webhooks.
    secret: Hmac<Sha256>,
    admin_clients: Arc<AdminClients>,
    products: Vec<(String, String)>,
    events: AtomicU64,
    webhooks: AtomicUsize,
    rush: watch::Sender<bool>,
}

/// The tasks of the load.
pub(super) struct RunningLoad {
    load: Arc<Load>,
    buyers: JoinSet<Vec<Order>>,
    others: JoinSet<()>,
    admins: JoinSet<AdminResults>,
}

impl Load {
    /// Creates the products.
    pub(super) async fn prepare(shop: &Shop) -> Result<Self, Error> {
        let other_warehouse = shop.create_warehouse("Chaos").await?;
        let mut products = Vec::new();
        for number in 0..PRODUCTS {
            let (sku, half) = (format!("CHAOS-{number}"), stock(number) / 2);
            let created = shop.stocked_product("混沌 机械键盘", &sku, 19_900, half).await?;
            shop.stock_in(&sku, half, Some(&other_warehouse)).await?;
            products.push((created.text("/id"), sku));
        }
        let client = Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build();
        let client = client.map_err(suite::Error::unreachable("the HTTP client"))?;
        let policy = RetryPolicy::default();
        let file = shop.folder().join("webhook.secret");
        let secret = fs::read(&file).map_err(suite::Error::file(file))?;
        Ok(Self {
            secret: Hmac::new_from_slice(secret.trim_ascii()).map_err(|_| Error::WebhookSecret)?,
            admin_clients: Arc::new(AdminClients::prepare(shop, &client, &policy).await?),
            client,
            orders: ServiceClient::new(shop, "order", &policy),
            catalogue: ServiceClient::new(shop, "product-catalog", &policy),
            behavior: ServiceClient::new(shop, "behavior-analytics", &policy),
            buyer: shop.token("chaos", &[Scope::OrdersAdmin, Scope::OrdersWrite])?,
            editor_token: shop.token("chaos", &[Scope::CatalogWrite])?,
            products,
            policy,
            events: AtomicU64::new(0),
            webhooks: AtomicUsize::new(0),
            rush: watch::Sender::new(false),
        })
    }

    /// Starts or ends a rush: more buyers, which pay immediately.
    pub(super) fn rush(&self, is_on: bool) {
        self.rush.send_replace(is_on);
    }

    /// Starts all clients; they run until `stop`.
    pub(super) fn start(self: Arc<Self>, stop: &CancellationToken) -> RunningLoad {
        let (mut buyers, mut others, mut admins) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        for buyer in 0..BUYERS {
            buyers.spawn(self.clone().buy(buyer, Intent::MIX.into(), stop.clone()));
        }
        for buyer in 0..LATE_PAYERS {
            buyers.spawn(self.clone().buy(buyer, vec![Intent::PayLate], stop.clone()));
        }
        for buyer in 0..WEBHOOK_BUYERS {
            buyers.spawn(self.clone().buy(buyer, vec![Intent::Webhook], stop.clone()));
        }
        for buyer in 0..RUSH_BUYERS {
            buyers.spawn(self.clone().buy_in_a_rush(buyer, stop.clone()));
        }
        for visitor in 0..VISITORS {
            others.spawn(self.clone().browse(visitor, stop.clone()));
        }
        others.spawn(self.clone().edit_products(stop.clone()));
        admins.spawn(self.admin_clients.clone().run(stop.clone()));
        RunningLoad { load: self, buyers, others, admins }
    }

    /// Places orders with these intents, one after the other; returns the accepted ones.
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

    /// Places orders during each rush; returns the accepted ones.
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

    /// Places order `number` of a buyer and carries out the intent.
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
        let place = |url: &str| {
            let request = self.client.post(format!("{url}/v1/orders"));
            request.bearer_auth(&self.buyer).header("idempotency-key", &key).json(&order)
        };
        let placed = self.orders.send(first, place).await?;
        let id = placed["id"].as_str()?.to_owned();
        let statuses: &[&str] = match intent {
            // Only scarce products can be out of stock.
            Intent::Buy if self.is_scarce(&order["lines"]) => &["delivered", "rejected"],
            Intent::Buy => &["delivered"],
            Intent::Decline => &["payment_failed"],
            Intent::NeverPay => &["expired"],
            Intent::PayManually => self.pay(first, &id).await,
            Intent::Webhook => self.pay_by_webhook(first, &id).await,
            Intent::PayLate => {
                let (least, more) = PAY_LATE_DELAY;
                tokio::select! {
                    () = sleep(least + more * u32::try_from(number % 5).unwrap_or(0)) => {}
                    () = stop.cancelled() => {}
                }
                self.pay(first, &id).await
            }
            Intent::Cancel => self.cancel_order(first, &id).await,
        };
        Some(Order { id, statuses })
    }

    /// The lines of order `number`: every second plain purchase is one piece of any product; all others are
    /// one to three pieces each of two products that are not scarce.
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

    /// Pays for an order once it is reserved or has ended; returns the final statuses that the answer allows.
    async fn pay(&self, first: usize, id: &str) -> &'static [&'static str] {
        let key = Uuid::now_v7().to_string();
        let pay = |url: &str| {
            let request = self.client.post(format!("{url}/v1/orders/{id}/payment"));
            request.bearer_auth(&self.buyer).header("idempotency-key", &key)
        };
        let Some(answer) = self.orders.send(first, pay).await else { return ANY_STATUS };
        // A payment after the timeout is refunded.
        if answer["status"] == "expired" { &["expired"] } else { &["delivered"] }
    }

    /// Sends the webhook of the payment twice, then the webhook of the delivery; returns the final statuses
    /// that the answers allow.
    async fn pay_by_webhook(&self, first: usize, id: &str) -> &'static [&'static str] {
        let paid = json!({ "event_id": Uuid::now_v7(), "order_id": id, "outcome": "approve" });
        for again in 0..2 {
            let Some(answer) = self.send_webhook("payments", first + again, &paid).await else {
                return ANY_STATUS;
            };
            if answer["status"] == "expired" {
                return &["expired"];
            }
        }
        let arrived = json!({ "event_id": Uuid::now_v7(), "order_id": id, "status": "delivered" });
        self.send_webhook("shipments", first, &arrived).await.map_or(ANY_STATUS, |_| &["delivered"])
    }

    /// Sends a signed webhook until it is accepted.
    async fn send_webhook(&self, route: &str, first: usize, event: &Value) -> Option<Value> {
        let body = event.to_string();
        let send_webhook = |url: &str| {
            let request = self.client.post(format!("{url}/v1/webhooks/{route}"));
            let request = request.header("content-type", "application/json");
            request.header("x-signature", self.signature(&body)).body(body.clone())
        };
        let answer = self.orders.send(first, send_webhook).await?;
        self.webhooks.fetch_add(1, Ordering::SeqCst);
        Some(answer)
    }

    /// The signature of a body with the current time.
    fn signature(&self, body: &str) -> String {
        let (now, mut mac) = (runtime::clock::now().timestamp(), self.secret.clone());
        mac.update(format!("{now}.{body}").as_bytes());
        format!("t={now},v1={:x}", mac.finalize().into_bytes())
    }

    /// Cancels an order unless it has been shipped; returns the final statuses that the answer allows.
    async fn cancel_order(&self, first: usize, id: &str) -> &'static [&'static str] {
        let cancel_order = |url: &str| {
            self.client.post(format!("{url}/v1/orders/{id}/cancel")).bearer_auth(&self.buyer)
        };
        let answer = self.orders.send_expecting(first, Some("not_cancellable"), cancel_order).await;
        let Some(answer) = answer else { return ANY_STATUS };
        if answer["status"] == "cancelled" { &["cancelled"] } else { &["delivered"] }
    }

    /// Sends batches of user events.
    async fn browse(self: Arc<Self>, first: usize, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let visitor = Uuid::now_v7().to_string();
            let event = |number: u64| {
                let product = &self.products[usize::try_from(number).unwrap_or(0) % PRODUCTS].0;
                json!({
                    "event_id": Uuid::now_v7(), "type": "product_viewed", "visitor_id": visitor,
                    "session_id": visitor, "product_id": product, "occurred_at": runtime::clock::now(),
                })
            };
            let events = Value::Array((0..EVENTS_PER_REQUEST).map(event).collect());
            let send = |url: &str| self.client.post(format!("{url}/v1/events")).json(&events);
            let Some(answer) = self.behavior.send(first, send).await else { break };
            let accepted = answer["accepted"].as_u64().unwrap_or_default();
            self.events.fetch_add(accepted, Ordering::SeqCst);
            sleep(PAUSE).await;
        }
    }

    /// Changes products, one after the other. A change without an answer may have been applied; the next
    /// change overwrites it.
    async fn edit_products(self: Arc<Self>, stop: CancellationToken) {
        for (number, (id, _)) in self.products.iter().cycle().enumerate() {
            if stop.is_cancelled() {
                break;
            }
            let patch = json!({ "brand": format!("混沌 {number}") });
            let change = |url: &str| {
                let request = self.client.patch(format!("{url}/v1/products/{id}"));
                request.bearer_auth(&self.editor_token).json(&patch)
            };
            self.catalogue.send(number, change).await;
            sleep(PAUSE).await;
        }
    }
}

impl RunningLoad {
    /// Waits until all clients have their last answer, or the timeout.
    pub(super) async fn finish(self) -> Accepted {
        let Self { load, buyers, others, admins } = self;
        let mut all = pin!(async {
            let orders = buyers.join_all().await;
            others.join_all().await;
            (orders, admins.join_all().await)
        });
        let (orders, admin) = if let Ok(answers) = timeout(FINISH_TIMEOUT, &mut all).await {
            answers
        } else {
            load.policy.expire();
            all.await
        };
        let products = load.products.iter().enumerate();
        Accepted {
            orders: orders.into_iter().flatten().collect(),
            unanswered: load.policy.unanswered(),
            webhooks: load.webhooks.load(Ordering::SeqCst),
            admin: admin.into_iter().next().unwrap_or_default(),
            events: load.events.load(Ordering::SeqCst),
            stock: products.map(|(number, (_, sku))| (sku.clone(), stock(number))).collect(),
            scarce: load.products[..SCARCE.0].iter().map(|(_, sku)| sku.clone()).collect(),
        }
    }
}
