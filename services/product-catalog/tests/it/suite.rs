//! The catalogue on servers of its own, somebody who hears its events, and services that answer with receipts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::catalog::{PRODUCT, ProductChangedV1, ProductDeletedV1};
use contracts::receipts::{ProductAppliedV1, ProductFailedV1, ProductVersion};
use messaging::{
    Batch, Failure, Handler, Kit, Messaging, OnReject, Subscription, Topology, Transaction,
};
use product_catalog::{Config, app, migrators, topology};
use reqwest::{Client, Method, RequestBuilder, Response};
use runtime::Lifecycle;
use runtime::auth::{Scope, SigningKey, mint};
use runtime::config::{Broker, Common, Database, Http, Outbox, Shutdown, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Proxy, Vhost, wait_for};
use vocabulary::{ProductId, Version};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A service that hears the catalogue.
const LISTENER: &str = "listener";

/// What was heard of a product: its version, and whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    pub product: ProductId,
    pub version: i64,
    pub deleted: bool,
}

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Heard>>>);

struct Changed(Ear);
struct Deleted(Ear);

impl Handler for Changed {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let heard: Vec<Heard> = batch
            .delivered()
            .iter()
            .map(|one| &one.event)
            .map(|event| Heard {
                product: event.product_id,
                version: event.version.get(),
                deleted: false,
            })
            .collect();
        let ear = self.0.0.clone();
        tx.after_commit(move || ear.lock().unwrap().extend(heard));
        Ok(())
    }
}

impl Handler for Deleted {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let heard: Vec<Heard> = batch
            .delivered()
            .iter()
            .map(|one| &one.event)
            .map(|event| Heard {
                product: event.product_id,
                version: event.version.get(),
                deleted: true,
            })
            .collect();
        let ear = self.0.0.clone();
        tx.after_commit(move || ear.lock().unwrap().extend(heard));
        Ok(())
    }
}

/// Everything that a test needs. What was started ends with it.
pub struct Suite {
    /// The catalogue's own life.
    pub catalogue: Lifecycle,
    pub database: testkit::Database,
    pub client: Client,
    address: SocketAddr,
    ear: Ear,
    key: SigningKey,
    keys: TempDir,
    surroundings: Lifecycle,
    vhost: Vhost,
    _listener: testkit::Database,
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.catalogue.abort();
        self.surroundings.abort();
    }
}

impl Suite {
    pub async fn start() -> Suite {
        let (database, listener, vhost) = tokio::join!(
            async { testkit::Database::migrated(&migrators()).await.unwrap() },
            async { testkit::Database::migrated(&[&messaging::MIGRATOR]).await.unwrap() },
            async { Vhost::create().await.unwrap() },
        );
        let ear = Ear::default();
        let hears = Subscription::to(PRODUCT, ["product-catalog"], OnReject::GoOn)
            .on(Changed(ear.clone()))
            .on(Deleted(ear.clone()));
        let listening = Topology::of(LISTENER).hears(hears);
        messaging::declare(vhost.url(), &listening).await.unwrap();
        messaging::declare(vhost.url(), &topology()).await.unwrap();
        let surroundings = Lifecycle::new(Duration::from_secs(1));
        let kit = Kit::new(listener.connect().await.unwrap());
        run(&surroundings, Messaging::new(kit, vhost.url(), listening));

        let (key, keys) = (SigningKey::generate().unwrap(), TempDir::new().unwrap());
        key.write_pair(keys.path().join("private"), keys.path().join("public")).unwrap();
        let mut suite = Suite {
            catalogue: Lifecycle::new(Duration::from_secs(1)),
            database,
            client: Client::new(),
            address: ([127, 0, 0, 1], 0).into(),
            ear,
            key,
            keys,
            surroundings,
            vhost,
            _listener: listener,
        };
        suite.start_catalogue().await;
        suite
    }

    /// Starts the catalogue anew, after its life has ended.
    pub async fn start_catalogue(&mut self) {
        let amqp_url = self.vhost.url().to_owned();
        self.start_catalogue_at(&amqp_url).await;
    }

    /// Ends the catalogue, and starts it anew behind what stands before its broker.
    pub async fn restart_catalogue_behind(&mut self) -> Proxy {
        let (proxy, url) = Proxy::before(self.vhost.url()).await.unwrap();
        self.catalogue.abort();
        self.start_catalogue_at(&url).await;
        proxy
    }

    async fn start_catalogue_at(&mut self, amqp_url: &str) {
        let config = Config {
            common: Common {
                database: Database::at(self.database.url()),
                broker: Broker::at(amqp_url),
                outbox: Outbox::default(),
                http: Http::at(([127, 0, 0, 1], 0).into()),
                tokens: Tokens { public_key_file: self.keys.path().join("public") },
                shutdown: Shutdown { timeout: Duration::from_secs(1) },
            },
            retention_days: Config::RETENTION_DAYS,
        };
        self.catalogue = Lifecycle::new(Duration::from_secs(1));
        self.address = app::start(&config, &self.catalogue).await.unwrap();
    }

    /// Waits until everything that was said has been heard, and nothing is left anywhere.
    pub async fn at_rest(&self) {
        let pool = self.database.connect().await.unwrap();
        wait_for("the outbox is empty", PATIENCE, async || {
            let left = sqlx::query_scalar("select count(*) from messaging.outbox").fetch_one(&pool);
            match left.await.unwrap() {
                0_i64 => Ok(()),
                left => Err(format!("{left} events")),
            }
        })
        .await
        .unwrap();
        pool.close().await;
        self.vhost.at_rest(PATIENCE).await.unwrap();
    }

    pub fn token(&self, scopes: &[Scope]) -> String {
        mint(&self.key, "tester", scopes, Duration::from_mins(10)).unwrap()
    }

    /// A request without a token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A request of somebody who may write.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(self.token(&[Scope::CatalogWrite]))
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.anonymous(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// A product that was made, and its change.
    pub async fn create(&self, product: &Value) -> (Value, String) {
        let answer = self.request(Method::POST, "/v1/products").json(product).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let change = change_of(&answer);
        (answer.json().await.unwrap(), change)
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.ear.0.lock().unwrap().clone()
    }

    /// Waits until so many events have been heard.
    pub async fn hear(&self, count: usize) -> Vec<Heard> {
        wait_for("the events are heard", PATIENCE, async || {
            let heard = self.heard();
            if heard.len() >= count { Ok(heard) } else { Err(format!("{} events", heard.len())) }
        })
        .await
        .unwrap()
    }

    /// Waits until an import is no longer running.
    pub async fn finished(&self, location: &str) -> Value {
        wait_for("the import is finished", PATIENCE, async || {
            let import = self.get(location).await;
            if import["state"] == "running" { Err(import.to_string()) } else { Ok(import) }
        })
        .await
        .unwrap()
    }

    /// A service that says receipts.
    pub async fn speaker(&self, service: &'static str) -> Speaker {
        let database = testkit::Database::migrated(&[&messaging::MIGRATOR]).await.unwrap();
        let kit = Kit::new(database.connect().await.unwrap());
        let topology = Topology::of(service).says::<ProductAppliedV1>().says::<ProductFailedV1>();
        run(&self.surroundings, Messaging::new(kit.clone(), self.vhost.url(), topology));
        Speaker { service, kit, _database: database }
    }
}

/// Runs relay and consumers until the end of the test.
fn run(lifecycle: &Lifecycle, messaging: Messaging) {
    let (relaying, consuming) =
        (messaging.clone().relay(lifecycle.soft()), messaging.consume(lifecycle.soft()));
    lifecycle.spawn("relay", async move {
        relaying.await;
        Ok::<_, Infallible>(())
    });
    lifecycle.spawn("consumers", async move {
        consuming.await;
        Ok::<_, Infallible>(())
    });
}

/// A service that follows products.
pub struct Speaker {
    service: &'static str,
    kit: Kit,
    _database: testkit::Database,
}

impl Speaker {
    /// Says that these versions have taken effect.
    pub async fn applied(&self, products: &[(&Value, i64)], at: DateTime<Utc>) {
        let mut tx = self.kit.begin().await.unwrap();
        tx.emit(&ProductAppliedV1 {
            service: self.service.to_owned(),
            receipt_key: "0".to_owned(),
            applied: products
                .iter()
                .map(|(product, version)| version_of(product, *version))
                .collect(),
            applied_at: at,
        })
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// Says that a version will not take effect.
    pub async fn failed(&self, product: &Value, version: i64, reason: &str, at: DateTime<Utc>) {
        let mut tx = self.kit.begin().await.unwrap();
        tx.emit(&ProductFailedV1 {
            service: self.service.to_owned(),
            receipt_key: "0".to_owned(),
            failed: version_of(product, version),
            reason: reason.to_owned(),
            failed_at: at,
        })
        .unwrap();
        tx.commit().await.unwrap();
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

/// `Change-Id` of an answer.
pub fn change_of(answer: &Response) -> String {
    answer.headers()["change-id"].to_str().unwrap().to_owned()
}

/// The code of a problem, and the fields that are wrong.
pub async fn problem_of(answer: Response) -> (u16, String, Vec<String>) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert!(body["trace_id"].is_string(), "{body}");
    let fields = body["errors"].as_array().into_iter().flatten();
    let fields = fields.map(|error| error["field"].as_str().unwrap().to_owned()).collect();
    (status, body["code"].as_str().unwrap().to_owned(), fields)
}

/// A product as it is sent.
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

/// A time that is later than every write before this call by `milliseconds`.
pub fn later(milliseconds: i64) -> DateTime<Utc> {
    runtime::clock::now() + TimeDelta::milliseconds(milliseconds)
}
