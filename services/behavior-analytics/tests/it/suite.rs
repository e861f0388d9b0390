//! An instance of behavior-analytics with its database and vhost, and doubles of the services around it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use behavior_analytics::{BehaviorAnalytics, Config, migrators, topology};
use contracts::{
    behavior::{ERASURE, ErasureCompletedV1, POPULARITY, PopularityChangedV1},
    order::{OrderConfirmedV1, OrderLine},
    receipts::{ProductAppliedV1, ProductFailedV1, ProductVersion, RECEIPT},
};
use hmac::{Hmac, Mac as _};
use messaging::{OnReject, Subscription, Topology};
use reqwest::{Method, RequestBuilder, StatusCode};
use runtime::{Lifecycle, auth::Scope, clients::TrustedProxies, clock};
use serde_json::{Value, json};
use service_testkit::{
    Credentials, Instance, LONGEST_WAIT, Recorder, ServiceDouble, answer, assert_dead_letters,
    count,
    events::{product_changed, stock_changed},
    wait_until_published,
};
use sha2::Sha256;
use sqlx::PgPool;
use testkit::{Database, Vhost, wait_for};
use tokio_util::sync::DropGuard;
use uuid::Uuid;
use vocabulary::{Currency, CustomerId, Money, OrderId, PaymentId, ProductId, Quantity, Version};

/// The key of visitor ids.
const VISITOR_KEY: &str = "the visitors' key of these tests, 2026";

/// The running instance and everything around it.
pub struct Suite {
    pub order: ServiceDouble,
    pub catalogue: ServiceDouble,
    pub inventory: ServiceDouble,
    pub applied: Recorder<ProductAppliedV1>,
    pub failed: Recorder<ProductFailedV1>,
    pub popularity: Recorder<PopularityChangedV1>,
    pub erasures: Recorder<ErasureCompletedV1>,
    pub pool: PgPool,
    pub instance: Instance,
    pub vhost: Vhost,
    amqp_url: String,
    analyst: String,
    unauthorized: String,
    operator: String,
    doubles: Lifecycle,
    database: Database,
    credentials: Credentials,
    _guard: DropGuard,
}

impl Suite {
    /// The service under test, and what signs its tokens.
    pub fn service(&self) -> (&Instance, &Credentials) {
        (&self.instance, &self.credentials)
    }

    pub async fn start() -> Self {
        Self::start_with_broker_at(Vhost::create().await.unwrap(), None).await
    }

    /// Starts everything. Only the instance reaches the broker at `amqp_url`, for example through a proxy.
    pub async fn start_with_broker_at(vhost: Vhost, amqp_url: Option<String>) -> Self {
        let credentials = Credentials::new();
        let database = Database::migrated(&migrators()).await.unwrap();
        messaging::declare(vhost.url(), &topology()).await.unwrap();

        let doubles = Lifecycle::new(LONGEST_WAIT);
        let guard = doubles.hard().drop_guard();
        let (applied, failed, popularity) =
            (Recorder::default(), Recorder::default(), Recorder::default());
        let receipts = Subscription::to(RECEIPT, ["behavior-analytics"], OnReject::Continue)
            .on(applied.clone())
            .on(failed.clone());
        let popularities = Subscription::to(POPULARITY, ["behavior-analytics"], OnReject::Continue)
            .on(popularity.clone());
        let catalogue =
            Topology::new("product-catalog").subscribes(receipts).subscribes(popularities);
        let catalogue = ServiceDouble::start(&doubles, &vhost, catalogue).await;
        let erasures = Recorder::default();
        let completions = Subscription::to(ERASURE, ["behavior-analytics"], OnReject::Continue)
            .on(erasures.clone());
        let order = Topology::new("order").subscribes(completions);
        let order = ServiceDouble::start(&doubles, &vhost, order).await;
        let inventory = ServiceDouble::start(&doubles, &vhost, Topology::new("inventory")).await;

        let amqp_url = amqp_url.unwrap_or_else(|| vhost.url().to_owned());
        let instance = start_instance(&database, &amqp_url, &credentials).await;
        instance.wait_until_ready().await;
        Self {
            order,
            catalogue,
            inventory,
            applied,
            failed,
            popularity,
            erasures,
            pool: database.connect().await.unwrap(),
            instance,
            vhost,
            amqp_url,
            analyst: credentials.token("analyst", &[Scope::AnalyticsRead]),
            operator: credentials.token("operator", &[Scope::Ops]),
            unauthorized: credentials
                .token("merchandiser", &[Scope::CatalogWrite, Scope::OrdersAdmin]),
            doubles,
            database,
            credentials,
            _guard: guard,
        }
    }

    /// Starts a second instance with the same database.
    pub async fn start_replica(&self) -> Instance {
        start_instance(&self.database, &self.amqp_url, &self.credentials).await
    }

    /// Kills the instance and starts a new one.
    pub async fn restart(&mut self) {
        self.instance.kill().await;
        self.instance = self.start_replica().await;
        self.instance.wait_until_ready().await;
    }

    /// A request without a token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.instance.request(method, path)
    }

    /// A request with the scope `analytics:read`.
    pub fn as_analyst(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.analyst)
    }

    /// A request whose token has only scopes of other services.
    pub fn as_unauthorized(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.unauthorized)
    }

    /// A request of a visitor's own browser.
    pub fn as_visitor(&self, visitor: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(self.credentials.token(visitor, &[]))
    }

    /// A request with the scope `ops`.
    pub fn as_operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.operator)
    }

    /// Sends a GET with the scope `analytics:read`.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.as_analyst(Method::GET, path)).await
    }

    /// Posts user events.
    pub async fn post_events(&self, events: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, "/v1/events").json(events)).await
    }

    /// Posts user events and asserts that all are accepted.
    pub async fn send(&self, events: &[Value]) {
        let (status, response) = self.post_events(&json!(events)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{response}");
        assert_eq!(response, json!({ "accepted": events.len(), "rejected": [] }));
    }

    /// The products of the list at `path`, in order.
    pub async fn products_at(&self, path: &str) -> Vec<ProductId> {
        let (status, list) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        products_of(&list)
    }

    /// Waits until the list at `path` consists of these products.
    pub async fn wait_for_list(&self, path: &str, expected: &[ProductId]) {
        wait_for(&format!("{path} lists {expected:?}"), LONGEST_WAIT, async || {
            let found = self.products_at(path).await;
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await
        .unwrap();
    }

    /// The row of the report `conservation`.
    pub async fn conservation(&self) -> Value {
        let (status, report) = self.get("/v1/reports/conservation").await;
        assert_eq!(status, StatusCode::OK, "{report}");
        report["items"][0].clone()
    }

    /// Waits until `count` events have been read from the stream. Returns the row of the report
    /// `conservation`.
    pub async fn wait_until_received(&self, count: u64) -> Value {
        wait_for(&format!("{count} events are received"), LONGEST_WAIT, async || {
            let row = self.conservation().await;
            if row["received"] == count { Ok(row) } else { Err(row) }
        })
        .await
        .unwrap()
    }

    /// Waits until all stored events have verdicts by the present rules, and the model has learned from them.
    pub async fn wait_until_recounted(&self) {
        wait_for("the events are recounted", LONGEST_WAIT, async || {
            let (status, rules) = self.get("/v1/event-rules").await;
            assert_eq!(status, StatusCode::OK, "{rules}");
            if rules["recounted"] == true { Ok(()) } else { Err(rules) }
        })
        .await
        .unwrap();
    }

    /// The number of events with each verdict, from the report `event-verdicts`.
    pub async fn verdicts(&self) -> std::collections::BTreeMap<String, i64> {
        let (status, report) = self.get("/v1/reports/event-verdicts").await;
        assert_eq!(status, StatusCode::OK, "{report}");
        let mut verdicts = std::collections::BTreeMap::new();
        for row in report["items"].as_array().unwrap() {
            let verdict = row["verdict"].as_str().unwrap().to_owned();
            *verdicts.entry(verdict).or_default() += row["events"].as_i64().unwrap();
        }
        verdicts
    }

    /// Publishes an active product with one SKU in stock, and waits until the instance has stored both.
    pub async fn stocked_product(&self, sku: &str, category: &str) -> ProductId {
        let mut product = product_changed(ProductId::new(), 1, &[sku]);
        product.category = category.to_owned();
        self.catalogue.publish(&product).await;
        self.inventory.publish(&stock_changed(sku, 1, 10)).await;
        self.applied.wait_one(is_receipt_for(product.product_id, 1)).await;
        wait_for("the product is in stock", LONGEST_WAIT, async || {
            let in_stock = "select count(*) from product where in_stock and $1 = any(skus)";
            let count: i64 =
                sqlx::query_scalar(in_stock).bind(sku).fetch_one(&self.pool).await.unwrap();
            if count == 1 { Ok(()) } else { Err(count) }
        })
        .await
        .unwrap();
        product.product_id
    }

    /// Runs a query on the instance's database that returns one number.
    pub async fn count(&self, query: &'static str) -> i64 {
        count(&self.pool, query).await
    }

    /// Waits until all published events are handled.
    pub async fn wait_until_idle(&self) {
        for double in [&self.order, &self.catalogue, &self.inventory] {
            double.wait_until_published().await;
        }
        wait_until_published(&self.pool).await;
        self.vhost.wait_until_drained(LONGEST_WAIT).await.unwrap();
    }

    /// Asserts that nothing is left over: queues and outboxes are empty, exactly `dead_letters` are pending,
    /// and every user event is accounted for. Then stops everything.
    pub async fn finish(self, dead_letters: i64) {
        self.wait_until_idle().await;
        assert_dead_letters(&self.pool, dead_letters).await;
        let row = self.conservation().await;
        assert_eq!(row["holds"], true, "{row}");

        self.pool.close().await;
        self.instance.stop().await;
        self.doubles.shutdown();
        self.doubles.run_until_shutdown().await;
    }
}

async fn start_instance(
    database: &Database,
    amqp_url: &str,
    credentials: &Credentials,
) -> Instance {
    let visitor_key_file = credentials.file("visitor.key");
    std::fs::write(&visitor_key_file, VISITOR_KEY).unwrap();
    Instance::start::<BehaviorAnalytics>(&Config {
        common: credentials.common(database.url(), amqp_url),
        model_days: Config::MODEL_DAYS,
        retention_days: Config::RETENTION_DAYS,
        visitor_key_file: Some(visitor_key_file),
        event_senders: TrustedProxies::default(),
    })
    .await
}

/// The signature of a visitor's id.
pub fn signature(visitor: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(VISITOR_KEY.as_bytes()).unwrap();
    mac.update(format!("visitor:{visitor}").as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// The products of a list, in order.
pub fn products_of(list: &Value) -> Vec<ProductId> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["product_id"].as_str().unwrap().parse().unwrap()).collect()
}

/// Whether a receipt contains a version of a product.
pub fn is_receipt_for(product_id: ProductId, number: i64) -> impl Fn(&ProductAppliedV1) -> bool {
    let version = Version::try_from(number).unwrap();
    move |receipt| receipt.applied.contains(&ProductVersion { product_id, version })
}

/// A user event of the visitor's only session, with a signature.
pub fn event(kind: &str, visitor: &str, product: ProductId) -> Value {
    json!({
        "event_id": Uuid::now_v7(),
        "type": kind,
        "visitor_id": visitor,
        "visitor_signature": signature(visitor),
        "session_id": "s",
        "product_id": product,
        "occurred_at": clock::now(),
    })
}

/// A view of a product.
pub fn view(visitor: &str, product: ProductId) -> Value {
    event("product_viewed", visitor, product)
}

/// A paid order of one piece of each product, and of a line without a product id.
pub fn order_confirmed(customer_id: CustomerId, products: &[ProductId]) -> OrderConfirmedV1 {
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
        parcels: None,
        confirmed_at: clock::now(),
    }
}
