//! The catalogue with its servers, a subscriber that records its events, and services that publish receipts.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{
    catalog::{
        PRODUCT, ProductChangedV1, ProductDeletedV1, RuleChangedV1, RuleRemovedV1, SEARCH,
        STOCK_COUNT, StockCountedV1, SynonymsChangedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1, ProductVersion},
};
use messaging::{Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction};
use product_catalog::{Config, ProductCatalogService, migrators, topology};
use reqwest::{Method, RequestBuilder, Response};
use runtime::{Lifecycle, auth::Scope};
use serde_json::{Value, json};
use service_testkit::{
    Credentials, Instance, LONGEST_WAIT, Recorder, ServiceDouble, wait_until_published,
};
use sqlx::PgPool;
use testkit::{Database, Proxy, Vhost, wait_for};
use vocabulary::{Money, ProductId, Version};

/// A received event of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedEvent {
    pub product: ProductId,
    pub version: i64,
    pub deleted: bool,
}

/// The received events of both types, in order.
#[derive(Clone, Default)]
struct ReceivedEvents(Arc<Mutex<Vec<ReceivedEvent>>>);

impl ReceivedEvents {
    fn extend_after_commit(&self, tx: &mut Transaction, events: Vec<ReceivedEvent>) {
        let received = self.0.clone();
        tx.after_commit(move || received.lock().unwrap().extend(events));
    }
}

/// What buyers see of a product's first variant: amounts of the price and of the compare-at price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedOffer {
    pub product: ProductId,
    pub version: i64,
    pub price: i64,
    pub compare_at_price: Option<i64>,
}

impl ReceivedOffer {
    fn of(event: &ProductChangedV1) -> Self {
        let variant = &event.variants[0];
        Self {
            product: event.product_id,
            version: event.version.get(),
            price: variant.price.amount(),
            compare_at_price: variant.compare_at_price.map(Money::amount),
        }
    }
}

struct RecordChanged(ReceivedEvents, Arc<Mutex<Vec<ReceivedOffer>>>);
struct RecordDeleted(ReceivedEvents);

impl Handler for RecordChanged {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|delivery| ReceivedEvent {
            product: delivery.event.product_id,
            version: delivery.event.version.get(),
            deleted: false,
        });
        self.0.extend_after_commit(tx, events.collect());
        let delivered = batch.delivered().iter();
        let offers: Vec<ReceivedOffer> =
            delivered.map(|delivery| ReceivedOffer::of(&delivery.event)).collect();
        let all = self.1.clone();
        tx.after_commit(move || all.lock().unwrap().extend(offers));
        Ok(())
    }
}

impl Handler for RecordDeleted {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|delivery| ReceivedEvent {
            product: delivery.event.product_id,
            version: delivery.event.version.get(),
            deleted: true,
        });
        self.0.extend_after_commit(tx, events.collect());
        Ok(())
    }
}

/// A running catalogue with its surroundings. Dropping it stops everything.
pub struct Suite {
    pub catalogue: Instance,
    pub database: Database,
    pub synonyms: Recorder<SynonymsChangedV1>,
    pub rules: Recorder<RuleChangedV1>,
    pub removed_rules: Recorder<RuleRemovedV1>,
    pub pool: PgPool,
    received: ReceivedEvents,
    offers: Arc<Mutex<Vec<ReceivedOffer>>>,
    counts: Recorder<StockCountedV1>,
    credentials: Credentials,
    doubles: Lifecycle,
    _subscriber: ServiceDouble,
    vhost: Vhost,
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.doubles.abort();
    }
}

impl Suite {
    /// The service under test, and what signs its tokens.
    pub fn service(&self) -> (&Instance, &Credentials) {
        (&self.catalogue, &self.credentials)
    }

    pub async fn start() -> Suite {
        let (database, vhost) =
            tokio::join!(async { Database::migrated(&migrators()).await.unwrap() }, async {
                Vhost::create().await.unwrap()
            },);
        messaging::declare(vhost.url(), &topology()).await.unwrap();
        let received = ReceivedEvents::default();
        let offers: Arc<Mutex<Vec<ReceivedOffer>>> = Arc::default();
        let subscription = Subscription::to(PRODUCT, ["product-catalog"], OnReject::Continue)
            .on(RecordChanged(received.clone(), offers.clone()))
            .on(RecordDeleted(received.clone()));
        let doubles = Lifecycle::new(Duration::from_secs(1));
        let counts = Recorder::default();
        let counted = Subscription::to(STOCK_COUNT, ["product-catalog"], OnReject::Continue);
        let (synonyms, rules) = (Recorder::default(), Recorder::default());
        let removed_rules = Recorder::default();
        let search = Subscription::to(SEARCH, ["product-catalog"], OnReject::Continue)
            .on(synonyms.clone())
            .on(rules.clone())
            .on(removed_rules.clone());
        let subscriber = Topology::new("subscriber")
            .subscribes(subscription)
            .subscribes(counted.on(counts.clone()))
            .subscribes(search);
        let subscriber = ServiceDouble::start(&doubles, &vhost, subscriber).await;

        let credentials = Credentials::new();
        let config = config(&credentials, &database, vhost.url());
        Suite {
            catalogue: Instance::start::<ProductCatalogService>(&config).await,
            pool: database.connect().await.unwrap(),
            database,
            synonyms,
            rules,
            removed_rules,
            received,
            offers,
            counts,
            credentials,
            doubles,
            _subscriber: subscriber,
            vhost,
        }
    }

    /// Kills the catalogue and starts it again.
    pub async fn restart_catalogue(&mut self) {
        let amqp_url = self.vhost.url().to_owned();
        self.restart_catalogue_at(&amqp_url).await;
    }

    /// Kills the catalogue and starts it again, with a fault proxy between it and the broker.
    pub async fn restart_catalogue_behind_proxy(&mut self) -> Proxy {
        let (proxy, url) = Proxy::in_front_of(self.vhost.url()).await.unwrap();
        self.restart_catalogue_at(&url).await;
        proxy
    }

    async fn restart_catalogue_at(&mut self, amqp_url: &str) {
        self.catalogue.kill().await;
        let config = config(&self.credentials, &self.database, amqp_url);
        self.catalogue = Instance::start::<ProductCatalogService>(&config).await;
    }

    /// Starts a further instance of the catalogue on the same database.
    pub async fn start_replica(&self) -> Instance {
        let config = config(&self.credentials, &self.database, self.vhost.url());
        Instance::start::<ProductCatalogService>(&config).await
    }

    /// Waits until all events are published and every queue is empty.
    pub async fn settled(&self) {
        wait_until_published(&self.pool).await;
        self.vhost.wait_until_drained(LONGEST_WAIT).await.unwrap();
    }

    pub fn token(&self, scopes: &[Scope]) -> String {
        self.credentials.token("tester", scopes)
    }

    /// A request without a token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.catalogue.request(method, path)
    }

    /// A request with the scope `catalog:write`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(self.token(&[Scope::CatalogWrite]))
    }

    /// Reads as an operator, who may read what is not public.
    pub async fn get(&self, path: &str) -> Value {
        let token = self.token(&[Scope::CatalogWrite, Scope::Ops]);
        let request = self.anonymous(Method::GET, path).bearer_auth(token);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Creates a product, and returns it with the id of its change.
    pub async fn create(&self, product: &Value) -> (Value, String) {
        let request = self.request(Method::POST, "/v1/products").json(product);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        let change = change_of(&response);
        (response.json().await.unwrap(), change)
    }

    /// The offers of a product that the subscriber has received, in order.
    pub fn offers_of(&self, product: ProductId) -> Vec<ReceivedOffer> {
        let offers = self.offers.lock().unwrap();
        offers.iter().filter(|offer| offer.product == product).copied().collect()
    }

    /// Waits until the subscriber has received `count` counts of stock. SKUs and quantities, sorted by SKU, those
    /// of a SKU in order.
    pub async fn counts(&self, count: usize) -> Vec<(String, i64)> {
        let counts = self.counts.wait(count, |_| true).await.into_iter();
        let mut counts: Vec<(String, i64)> =
            counts.map(|one| (one.sku.to_string(), one.quantity)).collect();
        counts.sort_by(|a, b| a.0.cmp(&b.0));
        counts
    }

    /// The events that the subscriber has received.
    pub fn received(&self) -> Vec<ReceivedEvent> {
        self.received.0.lock().unwrap().clone()
    }

    /// Waits until the subscriber has received `count` events.
    pub async fn receive(&self, count: usize) -> Vec<ReceivedEvent> {
        wait_for("the events are received", LONGEST_WAIT, async || {
            let received = self.received();
            match received.len() {
                enough if enough >= count => Ok(received),
                fewer => Err(format!("{fewer} events")),
            }
        })
        .await
        .unwrap()
    }

    /// Waits until an import is no longer running.
    pub async fn finished(&self, location: &str) -> Value {
        wait_for("the import is finished", LONGEST_WAIT, async || {
            let import = self.get(location).await;
            if import["state"] == "running" { Err(import.to_string()) } else { Ok(import) }
        })
        .await
        .unwrap()
    }

    /// Starts a service that publishes receipts.
    pub async fn downstream(&self, service: &'static str) -> Downstream {
        let topology =
            Topology::new(service).publishes::<ProductAppliedV1>().publishes::<ProductFailedV1>();
        let double = ServiceDouble::start(&self.doubles, &self.vhost, topology).await;
        Downstream { service, double }
    }
}

fn config(credentials: &Credentials, database: &Database, amqp_url: &str) -> Config {
    Config {
        common: credentials.common(database.url(), amqp_url),
        retention_days: Config::RETENTION_DAYS,
    }
}

/// A service that copies products and publishes receipts.
pub struct Downstream {
    service: &'static str,
    double: ServiceDouble,
}

impl Downstream {
    /// Publishes the receipt for applied versions.
    pub async fn applied(&self, products: &[(&Value, i64)], at: DateTime<Utc>) {
        self.applied_in_name_of(self.service, products, at).await;
    }

    /// Publishes a receipt that names this service.
    pub async fn applied_in_name_of(
        &self,
        service: &str,
        products: &[(&Value, i64)],
        at: DateTime<Utc>,
    ) {
        let applied = products.iter().map(|(product, version)| version_of(product, *version));
        let receipt = ProductAppliedV1 {
            service: service.to_owned(),
            receipt_key: "0".to_owned(),
            applied: applied.collect(),
            applied_at: at,
        };
        self.double.publish(&receipt).await;
    }

    /// Publishes the receipt for a failed version.
    pub async fn failed(&self, product: &Value, version: i64, reason: &str, at: DateTime<Utc>) {
        let receipt = ProductFailedV1 {
            service: self.service.to_owned(),
            receipt_key: "0".to_owned(),
            failed: version_of(product, version),
            reason: reason.to_owned(),
            failed_at: at,
        };
        self.double.publish(&receipt).await;
    }
}

fn version_of(product: &Value, version: i64) -> ProductVersion {
    ProductVersion { product_id: id_of(product), version: Version::try_from(version).unwrap() }
}

pub fn id_of(product: &Value) -> ProductId {
    product["id"].as_str().unwrap().parse().unwrap()
}

pub fn path_of(product: &Value) -> String {
    format!("/v1/products/{}", id_of(product))
}

/// The header `Change-Id`.
pub fn change_of(response: &Response) -> String {
    response.headers()["change-id"].to_str().unwrap().to_owned()
}

/// Status, code and invalid fields of a problem.
pub async fn problem_of(response: Response) -> (u16, String, Vec<String>) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = response.json().await.unwrap();
    assert!(body["trace_id"].is_string(), "{body}");
    let fields = body["errors"].as_array().into_iter().flatten();
    let fields = fields.map(|error| error["field"].as_str().unwrap().to_owned()).collect();
    (status, body["code"].as_str().unwrap().to_owned(), fields)
}

/// The request body for a product.
pub fn keyboard(sku: &str) -> Value {
    json!({
        "title": {"zh": "机械键盘", "en": "Mechanical keyboard"},
        "description": {"en": "It clicks."},
        "brand": "Keys",
        "category": "数码/电脑外设/机械键盘",
        "attributes": {"weight": 1.50, "wireless": true, "layout": ["ansi", "iso"], "keys": 87},
        "images": ["https://example.com/k.png"],
        "variants": [{
            "sku": sku, "options": {"颜色": "红"},
            "price": {"amount": 12900, "currency": "CNY"}, "barcode": "6901234567892"
        }]
    })
}

/// A time `milliseconds` from now.
pub fn later(milliseconds: i64) -> DateTime<Utc> {
    runtime::clock::now() + TimeDelta::milliseconds(milliseconds)
}
