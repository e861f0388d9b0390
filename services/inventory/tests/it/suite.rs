//! The inventory service with its servers, and fakes of the order service and the catalogue.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use contracts::{
    catalog::{ProductChangedV1, ProductDeletedV1, ProductStatus, Variant},
    inventory::{
        RESERVATION, STOCK, StockChangedV1, StockDeductedV1, StockRejectedV1, StockReleasedV1,
        StockReservedV1,
    },
    order::{
        OrderCancelledV1, OrderExpiredV1, OrderLine, OrderPaymentFailedV1, OrderPlacedV1,
        OrderReason, OrderRejectedV1, OrderShippedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1, RECEIPT},
};
use envelope::Event;
use inventory::{Config, InventoryService};
use messaging::{
    Batch, Failure, Handler, MessagingRuntime, OnReject, Outbox, Subscription, Topology,
    Transaction,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{
    Lifecycle,
    auth::{self, Scope, SigningKey},
    clock, config, host,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{Database, Proxy, Vhost, wait_for};
use tokio_util::sync::DropGuard;
use vocabulary::{
    ChangeId, Currency, CustomerId, Money, OrderId, ProductId, Quantity, ShipmentId, Sku, Version,
};

/// The bound of every wait. It is long because tests share few processors.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// The received events of one type, in order.
#[derive(Debug)]
pub struct Received<E>(Arc<Mutex<Vec<E>>>);

impl<E> Clone for Received<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Clone> Received<E> {
    fn new() -> Self {
        Self(Arc::default())
    }

    /// All events so far.
    pub fn all(&self) -> Vec<E> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for `count` events that satisfy `fits`, and returns them.
    pub async fn wait(&self, count: usize, fits: impl Fn(&E) -> bool) -> Vec<E> {
        wait_for(&format!("{count} events are received"), TIMEOUT, async || {
            let received: Vec<E> = self.all().into_iter().filter(&fits).collect();
            match received.len() {
                enough if enough >= count => Ok(received),
                fewer => Err(format!("{fewer} are")),
            }
        })
        .await
        .unwrap()
    }
}

impl<E: Event + Clone> Handler for Received<E> {
    type Event = E;

    async fn handle(&self, _: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|delivery| delivery.event.clone());
        self.0.lock().unwrap().extend(events);
        Ok(())
    }
}

/// Another service, played by the test.
#[derive(Debug)]
pub struct FakeService {
    outbox: Outbox,
    database: Database,
}

impl FakeService {
    async fn start(lifecycle: &Lifecycle, vhost: &Vhost, topology: Topology) -> Self {
        let database = Database::migrated(&[&messaging::MIGRATOR]).await.unwrap();
        let outbox = Outbox::new(database.connect().await.unwrap());
        messaging::declare(vhost.url(), &topology).await.unwrap();
        let messaging = MessagingRuntime::new(outbox.clone(), vhost.url(), topology);
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
        Self { outbox, database }
    }

    /// Publishes one event.
    pub async fn publish(&self, event: &impl Event) {
        self.publish_all(std::slice::from_ref(event)).await;
    }

    /// Publishes events in one transaction.
    pub async fn publish_all<E: Event>(&self, events: &[E]) {
        let mut tx = self.outbox.begin().await.unwrap();
        for event in events {
            tx.emit(event).unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Publishes `event` again with the sequence number `sequence`, as a broker does after a lost acknowledgement.
    pub async fn redeliver<E: Event>(&self, event: &E, sequence: i64) {
        let data = serde_json::to_string(event).unwrap();
        self.publish_raw::<E>(&event.key(), sequence, &data).await;
    }

    /// Publishes `data` as an event of type `E`, without encoding it.
    pub async fn publish_raw<E: Event>(&self, key: &str, sequence: i64, data: &str) {
        sqlx::query_scalar::<_, i64>(
            "insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
             values ($1, $2, $3, $4, $5, $6, now(), $7) returning id",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(E::TYPE)
        .bind(E::AGGREGATE)
        .bind(key)
        .bind(i16::from(envelope::Slot::of(key).number()))
        .bind(sequence)
        .bind(data)
        .fetch_one(self.outbox.pool())
        .await
        .unwrap();
    }

    /// Waits until all events are with the broker.
    pub async fn outbox_is_empty(&self) {
        outbox_is_empty(self.outbox.pool()).await;
    }
}

async fn outbox_is_empty(pool: &PgPool) {
    wait_for("the outbox is empty", TIMEOUT, async || {
        let waiting =
            sqlx::query_scalar("select count(*) from messaging.outbox").fetch_one(pool).await;
        match waiting.map_err(|error| error.to_string())? {
            0_i64 => Ok(()),
            waiting => Err(format!("{waiting} events are in it")),
        }
    })
    .await
    .unwrap();
}

/// A running inventory service with its surroundings.
#[derive(Debug)]
pub struct Suite {
    pub order: FakeService,
    pub catalogue: FakeService,
    pub reserved: Received<StockReservedV1>,
    pub rejected: Received<StockRejectedV1>,
    pub released: Received<StockReleasedV1>,
    pub deducted: Received<StockDeductedV1>,
    pub changed: Received<StockChangedV1>,
    pub applied: Received<ProductAppliedV1>,
    pub failed: Received<ProductFailedV1>,
    pub pool: PgPool,
    base: String,
    client: Client,
    clerk: String,
    unauthorized: String,
    operator: String,
    fakes: Lifecycle,
    service: Lifecycle,
    database: Database,
    vhost: Vhost,
    _guards: (DropGuard, DropGuard),
}

impl Suite {
    /// Starts everything.
    pub async fn start() -> Self {
        let vhost = Vhost::create().await.unwrap();
        let url = vhost.url().to_owned();
        Self::start_at(vhost, &url).await
    }

    /// Starts everything, with a fault proxy between the inventory and the broker.
    pub async fn start_behind_proxy() -> (Self, Proxy) {
        let vhost = Vhost::create().await.unwrap();
        let (proxy, url) = Proxy::before(vhost.url()).await.unwrap();
        (Self::start_at(vhost, &url).await, proxy)
    }

    async fn start_at(vhost: Vhost, amqp_url: &str) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let public_key_file = keys.path().join("public.der");
        key.write_pair(keys.path().join("private.der"), &public_key_file).unwrap();
        let token = |subject, scopes: &[Scope]| {
            auth::mint(&key, subject, scopes, Duration::from_mins(10)).unwrap()
        };

        let database = Database::migrated(&inventory::migrators()).await.unwrap();
        messaging::declare(vhost.url(), &inventory::topology()).await.unwrap();
        let config = Config {
            common: config::Common {
                database: config::Database::at(database.url()),
                broker: config::Broker::at(amqp_url),
                outbox: config::Outbox::default(),
                http: config::Http::at("127.0.0.1:0".parse().unwrap()),
                tokens: config::Tokens { public_key_file },
                shutdown: config::Shutdown::default(),
            },
        };
        let fakes = Lifecycle::new(Duration::from_secs(20));
        let guard = fakes.hard().drop_guard();
        let (reserved, rejected, released, deducted, changed) =
            (Received::new(), Received::new(), Received::new(), Received::new(), Received::new());
        let reservation = Subscription::to(RESERVATION, ["inventory"], OnReject::Continue)
            .on(reserved.clone())
            .on(rejected.clone())
            .on(released.clone())
            .on(deducted.clone());
        let stock = Subscription::to(STOCK, ["inventory"], OnReject::Continue).on(changed.clone());
        let order = Topology::new("order").subscribes(reservation).subscribes(stock);
        let order = FakeService::start(&fakes, &vhost, order).await;
        let (applied, failed) = (Received::new(), Received::new());
        let receipts = Subscription::to(RECEIPT, ["inventory"], OnReject::Continue)
            .on(applied.clone())
            .on(failed.clone());
        let catalogue = Topology::new("product-catalog").subscribes(receipts);
        let catalogue = FakeService::start(&fakes, &vhost, catalogue).await;

        let service = Lifecycle::new(Duration::from_secs(20));
        let address = host::start::<InventoryService>(&config, &service).await.unwrap();
        Self {
            order,
            catalogue,
            reserved,
            rejected,
            released,
            deducted,
            changed,
            applied,
            failed,
            pool: database.connect().await.unwrap(),
            base: format!("http://{address}"),
            client: Client::new(),
            clerk: token("clerk", &[Scope::StockWrite]),
            unauthorized: token("unauthorized", &[Scope::CatalogWrite, Scope::OrdersAdmin]),
            operator: token("operator", &[Scope::Ops]),
            fakes,
            _guards: (guard, service.hard().drop_guard()),
            service,
            database,
            vhost,
        }
    }

    /// Starts everything, with these SKUs and quantities in the main warehouse.
    pub async fn stocked(levels: &[(&str, i64)]) -> Self {
        let suite = Self::start().await;
        let skus: Vec<&str> = levels.iter().map(|(sku, _)| *sku).collect();
        suite.catalogue.publish(&product(ProductId::new(), 1, &skus)).await;
        suite.applied.wait(1, |_| true).await;
        for (sku, on_hand) in levels {
            let (status, _) =
                suite.put(&format!("/v1/stock/{sku}"), json!({"on_hand": on_hand})).await;
            assert_eq!(status, StatusCode::OK);
        }
        suite
    }

    /// A request without a token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).timeout(TIMEOUT)
    }

    /// A request with the scope `stock:write`.
    pub fn as_clerk(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.clerk)
    }

    /// A request with other scopes than inventory's.
    pub fn as_unauthorized(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.unauthorized)
    }

    /// A request with the scope `ops`.
    pub fn as_operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.operator)
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.as_clerk(Method::GET, path)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.as_clerk(Method::PUT, path).json(&body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.as_clerk(Method::POST, path).json(&body)).await
    }

    /// (on hand, reserved, available) of a SKU, from the public endpoint.
    pub async fn levels(&self, sku: &str) -> (i64, i64, i64) {
        let (status, stock) = answer(self.request(Method::GET, &format!("/v1/stock/{sku}"))).await;
        assert_eq!(status, StatusCode::OK, "{stock}");
        let number = |name: &str| stock[name].as_i64().unwrap();
        (number("on_hand"), number("reserved"), number("available"))
    }

    /// Queries a number from the inventory's database.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until every queue is empty.
    pub async fn queues_are_empty(&self) {
        self.vhost.at_rest(TIMEOUT).await.unwrap();
    }

    /// Waits until queues and outboxes are empty, checks the invariants and stops everything. `dead_letters` is the expected
    /// number of pending dead letters.
    pub async fn finish(self, dead_letters: i64) {
        self.order.outbox_is_empty().await;
        self.catalogue.outbox_is_empty().await;
        outbox_is_empty(&self.pool).await;
        self.queues_are_empty().await;
        let pending = "select count(*) from messaging.dead_letter where state = 'pending'";
        assert_eq!(self.count(pending).await, dead_letters, "dead letters");
        assert_eq!(self.count("select count(*) from ledger_discrepancy").await, 0);
        assert_eq!(self.count("select count(*) from reservation_discrepancy").await, 0);
        let oversold = "select count(*) from stock where reserved > on_hand or reserved < 0";
        assert_eq!(self.count(oversold).await, 0);
        self.last_events_match_the_levels().await;

        self.pool.close().await;
        for lifecycle in [&self.service, &self.fakes] {
            lifecycle.shutdown();
            lifecycle.run_until_shutdown().await;
        }
        drop((self.order.database, self.catalogue.database, self.database));
    }

    /// The last event of each SKU holds its level, and versions have no gap.
    async fn last_events_match_the_levels(&self) {
        let mut last: std::collections::BTreeMap<Sku, StockChangedV1> =
            std::collections::BTreeMap::new();
        for changed in self.changed.all() {
            if let Some(before) = last.insert(changed.sku.clone(), changed.clone()) {
                assert_eq!(before.version.next(), changed.version, "{changed:?}");
            }
        }
        for (sku, changed) in last {
            assert_eq!(changed.available, changed.on_hand - changed.reserved);
            let levels = (changed.on_hand, changed.reserved, changed.available);
            let path = sku.as_str().replace('/', "%2F").replace('#', "%23");
            assert_eq!(self.levels(&path).await, levels, "{sku}");
        }
    }
}

/// Sends a request, and returns status and body.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap())
}

/// A product with one variant per SKU.
pub fn product(product_id: ProductId, version: i64, skus: &[&str]) -> ProductChangedV1 {
    let now = clock::now();
    ProductChangedV1 {
        product_id,
        version: Version::try_from(version).unwrap(),
        change_id: ChangeId::new(),
        title: serde_json::from_value(json!({"zh": "键盘", "en": "Keyboard"})).unwrap(),
        description: serde_json::from_value(json!({})).unwrap(),
        brand: Some("AULA".to_owned()),
        category: "数码/电脑外设/机械键盘".to_owned(),
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

/// An order with a line per (SKU, quantity).
pub fn placed(lines: &[(&str, u32)]) -> OrderPlacedV1 {
    let line = |(sku, pieces): &(&str, u32)| OrderLine {
        sku: sku.parse().unwrap(),
        product_id: None,
        quantity: Quantity::new(*pieces).unwrap(),
    };
    OrderPlacedV1 {
        order_id: OrderId::new(),
        customer_id: CustomerId::new(),
        lines: lines.iter().map(line).collect(),
        placed_at: clock::now(),
    }
}

pub fn shipped(order_id: OrderId) -> OrderShippedV1 {
    OrderShippedV1 {
        order_id,
        shipment_id: ShipmentId::new(),
        carrier: "test".to_owned(),
        tracking_number: "1".to_owned(),
        shipped_at: clock::now(),
    }
}

fn reason() -> OrderReason {
    OrderReason { code: "test".to_owned(), text: "Test.".to_owned() }
}

pub fn cancelled(order_id: OrderId) -> OrderCancelledV1 {
    OrderCancelledV1 { order_id, reason: reason(), cancelled_at: clock::now() }
}

pub fn payment_failed(order_id: OrderId) -> OrderPaymentFailedV1 {
    OrderPaymentFailedV1 { order_id, reason: reason(), failed_at: clock::now() }
}

pub fn rejected(order_id: OrderId) -> OrderRejectedV1 {
    OrderRejectedV1 { order_id, reason: reason(), rejected_at: clock::now() }
}

pub fn expired(order_id: OrderId) -> OrderExpiredV1 {
    OrderExpiredV1 { order_id, expired_at: clock::now() }
}
