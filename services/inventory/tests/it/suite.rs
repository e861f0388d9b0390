//! The inventory service with its servers, and doubles of the order service and the catalogue.

use std::{collections::BTreeMap, path::Path, time::Duration};

use contracts::{
    inventory::{
        AVAILABILITY, RESERVATION, STOCK, StockAvailabilityChangedV1, StockChangedV1,
        StockDeductedV1, StockLowV1, StockRejectedV1, StockReleasedV1, StockReservedV1,
    },
    order::{
        CancelledPieces, OrderCancelledV1, OrderExpiredV1, OrderLine, OrderLineCancelledV1,
        OrderParcelShippedV1, OrderPaymentFailedV1, OrderPlacedV1, OrderReason, OrderRejectedV1,
        OrderReturnReceivedV1, OrderShippedV1, ParcelLine,
    },
    receipts::{ProductAppliedV1, ProductFailedV1, RECEIPT},
};
use inventory::{Config, InventoryService};
use messaging::{OnReject, Subscription, Topology};
use reqwest::{Method, RequestBuilder, StatusCode};
use runtime::{
    Lifecycle,
    auth::Scope,
    clock,
    config::{Common, Signatures},
};
use serde_json::{Value, json};
use service_testkit::{
    Credentials, Instance, LONGEST_WAIT, Recorder, ServiceDouble, answer, assert_dead_letters,
    events::product_changed, wait_until_published,
};
use sqlx::PgPool;
use testkit::{Database, Proxy, Vhost};
use tokio_util::sync::DropGuard;
use vocabulary::{
    CustomerId, OrderId, ParcelId, ProductId, Quantity, RefundId, ReturnId, ShipmentId, Sku,
    WarehouseId,
};

/// A running inventory service with its surroundings.
pub struct Suite {
    pub order: ServiceDouble,
    pub catalogue: ServiceDouble,
    pub reserved: Recorder<StockReservedV1>,
    pub rejected: Recorder<StockRejectedV1>,
    pub released: Recorder<StockReleasedV1>,
    pub deducted: Recorder<StockDeductedV1>,
    pub changed: Recorder<StockChangedV1>,
    pub availability: Recorder<StockAvailabilityChangedV1>,
    pub low: Recorder<StockLowV1>,
    pub applied: Recorder<ProductAppliedV1>,
    pub failed: Recorder<ProductFailedV1>,
    pub pool: PgPool,
    service: Instance,
    credentials: Credentials,
    doubles: Lifecycle,
    _doubles_guard: DropGuard,
    database: Database,
    vhost: Vhost,
}

impl Suite {
    /// The service under test, and what signs its tokens.
    pub fn service(&self) -> (&Instance, &Credentials) {
        (&self.service, &self.credentials)
    }

    /// Starts everything.
    pub async fn start() -> Self {
        let vhost = Vhost::create().await.unwrap();
        let url = vhost.url().to_owned();
        Self::start_at(vhost, &url, None).await
    }

    /// Starts everything. All services sign their messages with the keys of this folder, and refuse what is not signed: `<service>.key`,
    /// and `public/<service>/<name>.pub`.
    pub async fn start_signing(keys: &Path) -> Self {
        let vhost = Vhost::create().await.unwrap();
        let url = vhost.url().to_owned();
        Self::start_at(vhost, &url, Some(keys)).await
    }

    /// Starts everything, with a fault proxy between inventory and the broker.
    pub async fn start_behind_proxy() -> (Self, Proxy) {
        let vhost = Vhost::create().await.unwrap();
        let (proxy, url) = Proxy::in_front_of(vhost.url()).await.unwrap();
        (Self::start_at(vhost, &url, None).await, proxy)
    }

    async fn start_at(vhost: Vhost, amqp_url: &str, keys: Option<&Path>) -> Self {
        let signatures = |service| signatures(keys, service);
        let credentials = Credentials::new();
        let database = Database::migrated(&inventory::migrators()).await.unwrap();
        messaging::declare(vhost.url(), &inventory::topology()).await.unwrap();
        let doubles = Lifecycle::new(Duration::from_secs(20));
        let guard = doubles.hard().drop_guard();
        let (reserved, rejected, released, deducted) =
            (Recorder::default(), Recorder::default(), Recorder::default(), Recorder::default());
        let reservation = Subscription::to(RESERVATION, ["inventory"], OnReject::Continue)
            .on(reserved.clone())
            .on(rejected.clone())
            .on(released.clone())
            .on(deducted.clone());
        let changed = Recorder::default();
        let stock = Subscription::to(STOCK, ["inventory"], OnReject::Continue).on(changed.clone());
        let (availability, low) = (Recorder::default(), Recorder::default());
        let in_stock = Subscription::to(AVAILABILITY, ["inventory"], OnReject::Continue)
            .on(availability.clone())
            .on(low.clone());
        let order =
            Topology::new("order").subscribes(reservation).subscribes(stock).subscribes(in_stock);
        let keys = signatures("order").open("order").unwrap();
        let order = ServiceDouble::start_signing(&doubles, &vhost, order, keys).await;
        let (applied, failed) = (Recorder::default(), Recorder::default());
        let receipts = Subscription::to(RECEIPT, ["inventory"], OnReject::Continue)
            .on(applied.clone())
            .on(failed.clone());
        let catalogue = Topology::new("product-catalog").subscribes(receipts);
        let keys = signatures("product-catalog").open("product-catalog").unwrap();
        let catalogue = ServiceDouble::start_signing(&doubles, &vhost, catalogue, keys).await;

        let signatures = signatures("inventory");
        let common = Common { signatures, ..credentials.common(database.url(), amqp_url) };
        let config = Config { common, low_stock_threshold: 5 };
        let service = Instance::start::<InventoryService>(&config).await;
        let pool = database.connect().await.unwrap();
        Self {
            order,
            catalogue,
            reserved,
            rejected,
            released,
            deducted,
            changed,
            availability,
            low,
            applied,
            failed,
            pool,
            service,
            credentials,
            doubles,
            _doubles_guard: guard,
            database,
            vhost,
        }
    }

    /// Starts everything, with these SKUs and quantities in the main warehouse.
    pub async fn stocked(levels: &[(&str, i64)]) -> Self {
        let suite = Self::start().await;
        let skus: Vec<&str> = levels.iter().map(|(sku, _)| *sku).collect();
        suite.catalogue.publish(&product_changed(ProductId::new(), 1, &skus)).await;
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
        self.service.request(method, path)
    }

    fn request_as(
        &self,
        subject: &str,
        scopes: &[Scope],
        method: Method,
        path: &str,
    ) -> RequestBuilder {
        self.request(method, path).bearer_auth(self.credentials.token(subject, scopes))
    }

    /// A request with the scope `stock:write`.
    pub fn as_clerk(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as("clerk", &[Scope::StockWrite], method, path)
    }

    /// A request with the scopes of other services.
    pub fn as_unauthorized(&self, method: Method, path: &str) -> RequestBuilder {
        let scopes = [Scope::CatalogWrite, Scope::OrdersAdmin];
        self.request_as("unauthorized", &scopes, method, path)
    }

    /// A request with the scope `ops`.
    pub fn as_operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as("operator", &[Scope::Ops], method, path)
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

    /// The address of the broker.
    pub fn amqp_url(&self) -> &str {
        self.vhost.url()
    }

    /// Queries a number from the inventory's database.
    pub async fn count(&self, query: &'static str) -> i64 {
        service_testkit::count(&self.pool, query).await
    }

    /// Waits until every queue is empty.
    pub async fn wait_until_queues_are_empty(&self) {
        self.vhost.wait_until_drained(LONGEST_WAIT).await.unwrap();
    }

    /// Waits until queues and outboxes are empty, checks the invariants and stops everything. `dead_letters`
    /// is the expected number of pending dead letters.
    pub async fn finish(self, dead_letters: i64) {
        self.order.wait_until_published().await;
        self.catalogue.wait_until_published().await;
        wait_until_published(&self.pool).await;
        self.wait_until_queues_are_empty().await;
        assert_dead_letters(&self.pool, dead_letters).await;
        assert_eq!(self.count("select count(*) from ledger_discrepancy").await, 0);
        assert_eq!(self.count("select count(*) from reservation_discrepancy").await, 0);
        let oversold = "select count(*) from stock where reserved > on_hand or reserved < 0";
        assert_eq!(self.count(oversold).await, 0);
        self.last_events_match_the_levels().await;

        self.pool.close().await;
        self.service.stop().await;
        self.doubles.shutdown();
        self.doubles.run_until_shutdown().await;
        drop(self.database);
    }

    /// The last event of each SKU holds its level, and versions have no gap.
    async fn last_events_match_the_levels(&self) {
        let mut last: BTreeMap<Sku, StockChangedV1> = BTreeMap::new();
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

/// The keys of a service.
fn signatures(keys: Option<&Path>, service: &str) -> Signatures {
    Signatures {
        key_file: keys.map(|folder| folder.join(format!("{service}.key"))),
        public_keys: keys.map(|folder| folder.join("public")),
    }
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
        destination: None,
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

fn parcel_lines(lines: &[(&str, u32)]) -> Vec<ParcelLine> {
    let line = |(sku, pieces): &(&str, u32)| ParcelLine {
        sku: sku.parse().unwrap(),
        quantity: Quantity::new(*pieces).unwrap(),
    };
    lines.iter().map(line).collect()
}

/// A return with a line per (SKU, quantity) that can be sold again, or not.
pub fn return_received(
    order_id: OrderId,
    warehouse_id: Option<WarehouseId>,
    restocked: &[(&str, u32)],
    written_off: &[(&str, u32)],
) -> OrderReturnReceivedV1 {
    OrderReturnReceivedV1 {
        order_id,
        return_id: ReturnId::new(),
        warehouse_id,
        restocked: parcel_lines(restocked),
        written_off: parcel_lines(written_off),
        received_at: clock::now(),
    }
}

/// A parcel with a line per (SKU, quantity).
pub fn parcel_shipped(
    order_id: OrderId,
    warehouse_id: WarehouseId,
    lines: &[(&str, u32)],
) -> OrderParcelShippedV1 {
    OrderParcelShippedV1 {
        order_id,
        parcel_id: ParcelId::new(),
        warehouse_id,
        lines: parcel_lines(lines),
        shipment_id: ShipmentId::new(),
        carrier: "test".to_owned(),
        tracking_number: "1".to_owned(),
        shipped_at: clock::now(),
    }
}

/// A line of which this many pieces are cancelled, in a warehouse if it is known.
pub fn line_cancelled(
    order_id: OrderId,
    sku: &str,
    pieces: &[(Option<WarehouseId>, u32)],
) -> OrderLineCancelledV1 {
    let pieces = pieces.iter().map(|(warehouse_id, quantity)| CancelledPieces {
        warehouse_id: *warehouse_id,
        quantity: Quantity::new(*quantity).unwrap(),
    });
    OrderLineCancelledV1 {
        order_id,
        cancellation_id: RefundId::new(),
        sku: sku.parse().unwrap(),
        pieces: pieces.collect(),
        cancelled_at: clock::now(),
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
