//! A service with everything around it: the servers, and the other services as far as it needs them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use behavior_analytics::{app, config::Config, migrators, topology};
use contracts::{
    Event,
    behavior::{POPULARITY, PopularityChangedV1},
    catalog::{ProductChangedV1, ProductDeletedV1, ProductStatus, Variant},
    inventory::StockChangedV1,
    order::{OrderConfirmedV1, OrderLine},
    receipts::{ProductAppliedV1, ProductFailedV1, ProductVersion, RECEIPT},
};
use messaging::{
    Batch, Failure, Handler, Kit, Messaging, OnReject, Subscription, Topology, Transaction,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{
    Lifecycle,
    auth::{self, Scope, SigningKey},
    clock, config,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use testkit::{Database, Vhost, wait_for};
use tokio_util::sync::DropGuard;
use uuid::Uuid;
use vocabulary::{
    ChangeId, Currency, CustomerId, Money, OrderId, PaymentId, ProductId, Quantity, Version,
};

/// How long anything may take. It is long because tests run side by side on few processors.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What was heard of one type, in the order in which it was heard.
#[derive(Debug)]
pub struct Heard<E>(Arc<Mutex<Vec<E>>>);

impl<E> Clone for Heard<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Clone> Heard<E> {
    fn new() -> Self {
        Self(Arc::default())
    }

    /// All of it, so far.
    pub fn all(&self) -> Vec<E> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until one has been heard that `fits`, and gives it.
    pub async fn wait(&self, fits: impl Fn(&E) -> bool) -> E {
        wait_for("the event has been heard", PATIENCE, async || {
            let heard = self.all();
            heard.iter().find(|one| fits(one)).cloned().ok_or(format!("{} others", heard.len()))
        })
        .await
        .unwrap()
    }
}

impl<E: Event + Clone> Handler for Heard<E> {
    type Event = E;

    async fn handle(&self, _: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|one| one.event.clone());
        self.0.lock().unwrap().extend(events);
        Ok(())
    }
}

/// A service that is played by the test.
#[derive(Debug)]
pub struct Actor {
    kit: Kit,
    _database: Database,
}

impl Actor {
    async fn enter(lifecycle: &Lifecycle, vhost: &Vhost, topology: Topology) -> Self {
        let database = Database::migrated(&[&messaging::MIGRATOR]).await.unwrap();
        let kit = Kit::new(database.connect().await.unwrap());
        messaging::declare(vhost.url(), &topology).await.unwrap();
        let messaging = Messaging::new(kit.clone(), vhost.url(), topology);
        let (relay, consumers, soft) = (messaging.clone(), messaging, lifecycle.soft());
        let stop = soft.clone();
        lifecycle.spawn("relay", async move {
            relay.relay(stop).await;
            Ok::<_, Infallible>(())
        });
        lifecycle.spawn("consumers", async move {
            consumers.consume(soft).await;
            Ok::<_, Infallible>(())
        });
        Self { kit, _database: database }
    }

    /// Says one event.
    pub async fn say(&self, event: &impl Event) {
        self.say_all(std::slice::from_ref(event)).await;
    }

    /// Says events in one transaction.
    pub async fn say_all<E: Event>(&self, events: &[E]) {
        let mut tx = self.kit.begin().await.unwrap();
        for event in events {
            tx.emit(event).unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Sends `data` as if it were an event of type `E`.
    pub async fn say_raw<E: Event>(&self, key: &str, sequence: i64, data: &str) {
        sqlx::query_scalar::<_, i64>(
            "insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
             values ($1, $2, $3, $4, $5, $6, now(), $7) returning id",
        )
        .bind(Uuid::now_v7())
        .bind(E::TYPE)
        .bind(E::AGGREGATE)
        .bind(key)
        .bind(i16::from(contracts::Slot::of(key).number()))
        .bind(sequence)
        .bind(data)
        .fetch_one(self.kit.pool())
        .await
        .unwrap();
    }
}

async fn outbox_is_empty(pool: &PgPool) {
    wait_for("the outbox is empty", PATIENCE, async || {
        let waiting =
            sqlx::query_scalar("select count(*) from messaging.outbox").fetch_one(pool).await;
        match waiting.map_err(|error| error.to_string())? {
            0_i64 => Ok(()),
            waiting => Err(format!("{waiting} wait")),
        }
    })
    .await
    .unwrap();
}

/// A running process of the service.
#[derive(Debug)]
pub struct Service {
    pub base: String,
    lifecycle: Lifecycle,
    _guard: DropGuard,
}

/// A service with everything around it.
#[derive(Debug)]
pub struct Suite {
    pub order: Actor,
    pub catalogue: Actor,
    pub inventory: Actor,
    pub applied: Heard<ProductAppliedV1>,
    pub failed: Heard<ProductFailedV1>,
    pub popularity: Heard<PopularityChangedV1>,
    pub pool: PgPool,
    pub service: Service,
    pub vhost: Vhost,
    amqp_url: String,
    client: Client,
    analyst: String,
    stranger: String,
    operator: String,
    actors: Lifecycle,
    database: Database,
    keys: TempDir,
    _guard: DropGuard,
}

impl Suite {
    /// Starts it all.
    pub async fn start() -> Self {
        Self::start_at(Vhost::create().await.unwrap(), None).await
    }

    /// Starts it all; the service, and nobody else, reaches the broker at `amqp_url`.
    pub async fn start_at(vhost: Vhost, amqp_url: Option<String>) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let public = keys.path().join("public.der");
        key.write_pair(keys.path().join("private.der"), &public).unwrap();
        let token = |subject, scopes: &[Scope]| {
            auth::mint(&key, subject, scopes, Duration::from_mins(10)).unwrap()
        };
        let database = Database::migrated(&migrators()).await.unwrap();
        messaging::declare(vhost.url(), &topology()).await.unwrap();

        let actors = Lifecycle::new(Duration::from_secs(20));
        let guard = actors.hard().drop_guard();
        let (applied, failed, popularity) = (Heard::new(), Heard::new(), Heard::new());
        let receipts = Subscription::to(RECEIPT, ["behavior-analytics"], OnReject::GoOn)
            .on(applied.clone())
            .on(failed.clone());
        let ranking = Subscription::to(POPULARITY, ["behavior-analytics"], OnReject::GoOn)
            .on(popularity.clone());
        let catalogue = Topology::of("product-catalog").hears(receipts).hears(ranking);
        let catalogue = Actor::enter(&actors, &vhost, catalogue).await;
        let order = Actor::enter(&actors, &vhost, Topology::of("order")).await;
        let inventory = Actor::enter(&actors, &vhost, Topology::of("inventory")).await;

        let amqp_url = amqp_url.unwrap_or_else(|| vhost.url().to_owned());
        let service = serve(&database, &amqp_url, &keys).await;
        let suite = Self {
            order,
            catalogue,
            inventory,
            applied,
            failed,
            popularity,
            pool: database.connect().await.unwrap(),
            service,
            vhost,
            amqp_url,
            client: Client::builder().no_proxy().build().unwrap(),
            analyst: token("analyst", &[Scope::AnalyticsRead]),
            operator: token("operator", &[Scope::Ops]),
            stranger: token("stranger", &[Scope::CatalogWrite, Scope::OrdersAdmin]),
            actors,
            database,
            keys,
            _guard: guard,
        };
        suite.is_ready().await;
        suite
    }

    /// One more process of the service, beside the first.
    pub async fn replica(&self) -> Service {
        serve(&self.database, &self.amqp_url, &self.keys).await
    }

    /// Ends the service as a kill does, and starts it anew.
    pub async fn restart(&mut self) {
        self.service.lifecycle.abort();
        self.service.lifecycle.run_until_shutdown().await;
        self.service = serve(&self.database, &self.amqp_url, &self.keys).await;
        self.is_ready().await;
    }

    async fn is_ready(&self) {
        wait_for("the service is ready", PATIENCE, async || {
            match answer(self.request(Method::GET, "/health/ready")).await {
                (StatusCode::OK, _) => Ok(()),
                (_, readiness) => Err(readiness),
            }
        })
        .await
        .unwrap();
    }

    /// A request of whoever comes.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.service.base))
    }

    /// A request of one who may see numbers.
    pub fn as_analyst(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.analyst)
    }

    /// A request of one who may do other things.
    pub fn as_stranger(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.stranger)
    }

    /// A request of one who looks after the service.
    pub fn as_operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.operator)
    }

    /// The answer to a GET of one who may see numbers.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.as_analyst(Method::GET, path)).await
    }

    /// Sends events.
    pub async fn post(&self, events: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, "/v1/events").json(events)).await
    }

    /// Sends events, all of which must be accepted.
    pub async fn send(&self, events: &[Value]) {
        let (status, verdicts) = self.post(&json!(events)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{verdicts}");
        assert_eq!(verdicts, json!({ "accepted": events.len(), "rejected": [] }));
    }

    /// The products of a list, in its order.
    pub async fn products_at(&self, path: &str) -> Vec<ProductId> {
        let (status, list) = answer(self.request(Method::GET, path)).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        products_of(&list)
    }

    /// Waits until a list is of these products.
    pub async fn shows(&self, path: &str, expected: &[ProductId]) {
        wait_for(&format!("{path} shows {expected:?}"), PATIENCE, async || {
            let found = self.products_at(path).await;
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await
        .unwrap();
    }

    /// The row of the report that says what became of every event.
    pub async fn conservation(&self) -> Value {
        let (status, report) = self.get("/v1/reports/conservation").await;
        assert_eq!(status, StatusCode::OK, "{report}");
        report["items"][0].clone()
    }

    /// Waits until `count` events have been read from the stream, and says what became of them.
    pub async fn has_received(&self, count: u64) -> Value {
        wait_for(&format!("{count} events have been read"), PATIENCE, async || {
            let row = self.conservation().await;
            if row["received"] == count { Ok(row) } else { Err(row) }
        })
        .await
        .unwrap()
    }

    /// A product that is for sale, with one SKU in stock.
    pub async fn stocked_product(&self, sku: &str, category: &str) -> ProductId {
        let mut product = product(ProductId::new(), 1, &[sku]);
        product.category = category.to_owned();
        self.catalogue.say(&product).await;
        self.inventory.say(&stock(sku, 1, 10)).await;
        self.applied.wait(is_receipt_for(product.product_id, 1)).await;
        wait_for("the product is in stock", PATIENCE, async || {
            let in_stock = "select count(*) from product where in_stock and $1 = any(skus)";
            let count: i64 =
                sqlx::query_scalar(in_stock).bind(sku).fetch_one(&self.pool).await.unwrap();
            if count == 1 { Ok(()) } else { Err(count) }
        })
        .await
        .unwrap();
        product.product_id
    }

    /// A number from the service's database.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until everything that was said has been heard.
    pub async fn at_rest(&self) {
        for actor in [&self.order, &self.catalogue, &self.inventory] {
            outbox_is_empty(actor.kit.pool()).await;
        }
        outbox_is_empty(&self.pool).await;
        self.vhost.at_rest(PATIENCE).await.unwrap();
    }

    /// Waits for rest, and looks whether everything is in order: queues and outboxes empty, `dead_letters` pending, every
    /// event accounted for. Then everything ends.
    pub async fn finish(self, dead_letters: i64) {
        self.at_rest().await;
        let pending = "select count(*) from messaging.dead_letter where state = 'pending'";
        assert_eq!(self.count(pending).await, dead_letters, "dead letters");
        let books = self.conservation().await;
        assert_eq!(books["holds"], true, "{books}");

        self.pool.close().await;
        for lifecycle in [&self.service.lifecycle, &self.actors] {
            lifecycle.shutdown();
            lifecycle.run_until_shutdown().await;
        }
    }
}

impl Service {
    /// Ends it as SIGTERM does.
    pub async fn stop(self) {
        self.lifecycle.shutdown();
        self.lifecycle.run_until_shutdown().await;
    }
}

async fn serve(database: &Database, amqp_url: &str, keys: &TempDir) -> Service {
    let config = Config {
        common: config::Common {
            database: config::Database::at(database.url()),
            broker: config::Broker::at(amqp_url),
            outbox: config::Outbox::default(),
            http: config::Http::at("127.0.0.1:0".parse().unwrap()),
            tokens: config::Tokens { public_key_file: keys.path().join("public.der") },
            shutdown: config::Shutdown::default(),
        },
        model_days: Config::MODEL_DAYS,
        retention_days: Config::RETENTION_DAYS,
    };
    let running = app::start(config).await.unwrap();
    Service {
        base: format!("http://{}", running.address),
        _guard: running.lifecycle.hard().drop_guard(),
        lifecycle: running.lifecycle,
    }
}

/// Sends a request; the status and the body.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// The products of a list, in its order.
pub fn products_of(list: &Value) -> Vec<ProductId> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["product_id"].as_str().unwrap().parse().unwrap()).collect()
}

/// Whether a receipt settles a version of a product.
pub fn is_receipt_for(product_id: ProductId, number: i64) -> impl Fn(&ProductAppliedV1) -> bool {
    let version = Version::try_from(number).unwrap();
    move |receipt| receipt.applied.contains(&ProductVersion { product_id, version })
}

/// An event of a visitor with a product, in the visitor's one session.
pub fn event(kind: &str, visitor: &str, product: ProductId) -> Value {
    json!({
        "event_id": Uuid::now_v7(),
        "type": kind,
        "visitor_id": visitor,
        "session_id": "s",
        "product_id": product,
        "occurred_at": clock::now(),
    })
}

/// A view of a product.
pub fn view(visitor: &str, product: ProductId) -> Value {
    event("product_viewed", visitor, product)
}

/// A product in a version, with one variant per SKU.
pub fn product(product_id: ProductId, version: i64, skus: &[&str]) -> ProductChangedV1 {
    let now = clock::now();
    ProductChangedV1 {
        product_id,
        version: Version::try_from(version).unwrap(),
        change_id: ChangeId::new(),
        title: serde_json::from_value(json!({"zh": "键盘", "en": "Keyboard"})).unwrap(),
        description: serde_json::from_value(json!({})).unwrap(),
        brand: Some("AULA".to_owned()),
        category: "数码/电脑外设".to_owned(),
        attributes: serde_json::from_value(json!({})).unwrap(),
        images: Vec::new(),
        status: ProductStatus::Active,
        variants: skus
            .iter()
            .map(|sku| Variant {
                sku: sku.parse().unwrap(),
                options: serde_json::from_value(json!({})).unwrap(),
                price: Money::new(12_900, Currency::CNY).unwrap(),
                barcode: None,
            })
            .collect(),
        created_at: now,
        updated_at: now,
    }
}

pub fn deleted(product_id: ProductId, version: i64) -> ProductDeletedV1 {
    let version = Version::try_from(version).unwrap();
    ProductDeletedV1 { product_id, version, change_id: ChangeId::new(), deleted_at: clock::now() }
}

/// The level of a SKU in a version.
pub fn stock(sku: &str, version: i64, available: i64) -> StockChangedV1 {
    StockChangedV1 {
        sku: sku.parse().unwrap(),
        version: Version::try_from(version).unwrap(),
        on_hand: available,
        reserved: 0,
        available,
        changed_at: clock::now(),
    }
}

/// A paid order of one piece of each product, and of one that nobody knows.
pub fn confirmed(customer_id: CustomerId, products: &[ProductId]) -> OrderConfirmedV1 {
    let known = products.iter().map(|product| Some(*product));
    let lines = known.chain([None]).enumerate().map(|(number, product_id)| OrderLine {
        sku: format!("SKU-{number}").parse().unwrap(),
        product_id,
        quantity: Quantity::new(1).unwrap(),
    });
    OrderConfirmedV1 {
        order_id: OrderId::new(),
        customer_id,
        lines: lines.collect(),
        total: Money::new(12_900, Currency::CNY).unwrap(),
        payment_id: PaymentId::new(),
        confirmed_at: clock::now(),
    }
}
