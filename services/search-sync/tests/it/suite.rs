//! A search service with its servers, the other services and the index folder.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode as Status,
    routing::get,
};
use contracts::{
    behavior::PopularityChangedV1,
    catalog::{ProductChangedV1, ProductDeletedV1},
    inventory::StockChangedV1,
    receipts::{ProductAppliedV1, ProductFailedV1, RECEIPT},
};
use messaging::{MessagingRuntime, OnReject, Outbox, Subscription, Topology};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{
    Lifecycle,
    auth::{self, Scope, SigningKey},
    config, host,
};
use search_sync::{Config, SearchSync};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use testkit::{Database, Vhost, wait_for};
use tokio_util::sync::DropGuard;
use vocabulary::ProductId;

use crate::services::{FakeService, Received, run, wait_outbox_empty};

/// The limit of every wait; generous, because tests share few processors.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The products that the HTTP API of the catalogue returns, as JSON by id.
pub type CatalogProducts = Arc<Mutex<std::collections::BTreeMap<ProductId, Value>>>;

/// A search service with its environment.
pub struct Suite {
    pub catalogue: FakeService,
    pub inventory: FakeService,
    pub analytics: FakeService,
    pub applied: Received<ProductAppliedV1>,
    pub failed: Received<ProductFailedV1>,
    pub catalog_products: CatalogProducts,
    pub pool: PgPool,
    config: Config,
    service: Option<Service>,
    client: Client,
    operator: String,
    unprivileged: String,
    services: Lifecycle,
    folders: TempDir,
    database: Database,
    pub vhost: Vhost,
    _guard: DropGuard,
}

/// The process under test.
struct Service {
    base: String,
    lifecycle: Lifecycle,
    _guard: DropGuard,
}

impl Suite {
    /// Starts the environment and the service.
    pub async fn start() -> Self {
        let mut suite = Self::without_service().await;
        suite.start_service().await;
        suite
    }

    /// Starts the environment without the service.
    pub async fn without_service() -> Self {
        let folders = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let public_key_file = folders.path().join("public.der");
        key.write_pair(folders.path().join("private.der"), &public_key_file).unwrap();
        let token = |subject, scopes: &[Scope]| {
            auth::mint(&key, subject, scopes, Duration::from_mins(10)).unwrap()
        };
        let vhost = Vhost::create().await.unwrap();
        let database = Database::migrated(&search_sync::migrators()).await.unwrap();
        messaging::declare(vhost.url(), &search_sync::topology()).await.unwrap();
        let services = Lifecycle::new(Duration::from_secs(20));
        let guard = services.hard().drop_guard();
        let (catalog_products, product_catalog_url) = serve_catalogue(&services).await;
        let config = Config {
            common: config::Common {
                database: config::Database::at(database.url()),
                broker: config::Broker::at(vhost.url()),
                outbox: config::Outbox::default(),
                http: config::Http::at("127.0.0.1:0".parse().unwrap()),
                tokens: config::Tokens { public_key_file },
                shutdown: config::Shutdown::default(),
            },
            index_dir: folders.path().join("index"),
            product_catalog_url: product_catalog_url.parse().unwrap(),
        };
        let (applied, failed) = (Received::new(), Received::new());
        let receipts = Subscription::to(RECEIPT, ["search-sync"], OnReject::Continue)
            .on(applied.clone())
            .on(failed.clone());
        let catalogue = Topology::new("product-catalog")
            .publishes::<ProductChangedV1>()
            .publishes::<ProductDeletedV1>()
            .subscribes(receipts);
        let inventory = Topology::new("inventory").publishes::<StockChangedV1>();
        let analytics = Topology::new("behavior-analytics").publishes::<PopularityChangedV1>();
        Self {
            catalogue: FakeService::start(&services, &vhost, catalogue).await,
            inventory: FakeService::start(&services, &vhost, inventory).await,
            analytics: FakeService::start(&services, &vhost, analytics).await,
            applied,
            failed,
            catalog_products,
            pool: database.connect().await.unwrap(),
            config,
            service: None,
            client: Client::new(),
            operator: token("operator", &[Scope::Ops]),
            unprivileged: token("unprivileged", &[Scope::CatalogWrite, Scope::OrdersAdmin]),
            services,
            folders,
            database,
            vhost,
            _guard: guard,
        }
    }

    /// Starts the service and waits until it is ready.
    pub async fn start_service(&mut self) {
        self.service = Some(start(self.config.clone()).await);
        self.wait_ready().await;
    }

    /// Starts a second process with its own index; dropping the replica stops it.
    pub async fn start_replica(&self) -> Replica {
        let index_dir = self.folders.path().join("replica");
        let service = start(Config { index_dir, ..self.config.clone() }).await;
        Replica { base: service.base.clone(), _service: service }
    }

    pub async fn wait_ready(&self) {
        wait_for("the service is ready", TIMEOUT, async || {
            let (status, body) = answer(self.request(Method::GET, "/health/ready")).await;
            if status == StatusCode::OK { Ok(()) } else { Err(body.to_string()) }
        })
        .await
        .unwrap();
    }

    /// Stops the service immediately, like a kill.
    pub async fn kill_service(&mut self) {
        let service = self.service.take().unwrap();
        service.lifecycle.abort();
        service.lifecycle.run_until_shutdown().await;
    }

    /// Stops the service gracefully.
    pub async fn stop_service(&mut self) {
        let service = self.service.take().unwrap();
        service.lifecycle.shutdown();
        service.lifecycle.run_until_shutdown().await;
    }

    /// Runs the consumers without an indexer.
    pub fn consume_without_indexer(&self) -> Lifecycle {
        let lifecycle = Lifecycle::new(TIMEOUT);
        let outbox = Outbox::new(self.pool.clone());
        run(&lifecycle, &MessagingRuntime::new(outbox, self.vhost.url(), search_sync::topology()));
        lifecycle
    }

    /// The index folder.
    pub fn index_dir(&self) -> PathBuf {
        self.config.index_dir.clone()
    }

    /// A request without a token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = &self.service.as_ref().unwrap().base;
        self.client.request(method, format!("{base}{path}")).timeout(TIMEOUT)
    }

    /// A request with the scope `ops`.
    pub fn as_operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.operator)
    }

    /// A request with other scopes.
    pub fn as_unprivileged(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.unprivileged)
    }

    /// A search that must succeed.
    pub async fn search(&self, parameters: &[(&str, &str)]) -> Value {
        let request = self.request(Method::GET, "/v1/search").query(parameters);
        let (status, body) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// The version in which a search finds a product.
    pub async fn found(&self, id: ProductId) -> Option<i64> {
        let answer = self.search(&[("q", &crate::events::sku_of(id)), ("limit", "100")]).await;
        let id = json!(id);
        let hit = answer["items"].as_array().unwrap().iter().find(|hit| hit["product_id"] == id);
        hit.map(|hit| hit["version"].as_i64().unwrap())
    }

    /// Waits for the receipt of a product in this version.
    pub async fn wait_applied(&self, id: ProductId, version: i64) {
        wait_for("the receipt is received", TIMEOUT, async || {
            if self.published_receipt(id) == Some(version) { Ok(()) } else { Err("not yet") }
        })
        .await
        .unwrap();
    }

    /// The newest version of a product with a receipt.
    pub fn published_receipt(&self, id: ProductId) -> Option<i64> {
        let receipts = self.applied.all();
        let applied = receipts.iter().flat_map(|receipt| &receipt.applied);
        applied.filter(|one| one.product_id == id).map(|one| one.version.get()).max()
    }

    /// `GET /v1/index`.
    pub async fn index(&self) -> Value {
        let (status, body) = answer(self.as_operator(Method::GET, "/v1/index")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Queries a number from the service's database.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until a query on the service's database returns `expected`.
    pub async fn wait_count(&self, query: &'static str, expected: i64) {
        wait_for(query, TIMEOUT, async || {
            let count = self.count(query).await;
            if count == expected { Ok(()) } else { Err(count) }
        })
        .await
        .unwrap();
    }

    /// Waits until all outboxes and queues are empty.
    pub async fn settle(&self) {
        for service in [&self.catalogue, &self.inventory, &self.analytics] {
            service.wait_published().await;
        }
        self.vhost.at_rest(TIMEOUT).await.unwrap();
        if self.service.is_some() {
            self.wait_count("select count(*) from receipt_due", 0).await;
            wait_outbox_empty(&self.pool).await;
            self.vhost.at_rest(TIMEOUT).await.unwrap();
        }
    }

    /// Verifies the final state and stops everything: queues and outboxes are empty, `dead_letters` are
    /// pending, and the index equals the projection.
    pub async fn finish(mut self, dead_letters: i64) {
        self.settle().await;
        let pending = "select count(*) from messaging.dead_letter where state = 'pending'";
        assert_eq!(self.count(pending).await, dead_letters, "dead letters");
        let state = self.index().await;
        assert_eq!(state["behind"], 0, "{state}");
        let active = self.count("select count(*) from document where state = 'active'").await;
        assert_eq!(state["documents"], active, "{state}");

        self.stop_service().await;
        self.pool.close().await;
        self.services.shutdown();
        self.services.run_until_shutdown().await;
        drop(self.database);
    }
}

async fn start(config: Config) -> Service {
    let lifecycle = Lifecycle::new(config.common.shutdown.timeout);
    let address = host::start::<SearchSync>(&config, &lifecycle).await.unwrap();
    Service { base: format!("http://{address}"), _guard: lifecycle.hard().drop_guard(), lifecycle }
}

/// A second process of the service.
pub struct Replica {
    base: String,
    _service: Service,
}

impl Replica {
    /// The number of hits of a search in this process.
    pub async fn total(&self, q: &str) -> i64 {
        let request = Client::new().get(format!("{}/v1/search", self.base)).query(&[("q", q)]);
        answer(request).await.1["total"].as_i64().unwrap_or_default()
    }
}

/// Serves the HTTP API of the catalogue that consistency checks use.
async fn serve_catalogue(lifecycle: &Lifecycle) -> (CatalogProducts, String) {
    let products = CatalogProducts::default();
    let router = Router::new()
        .route(
            "/v1/export",
            get(async |State(products): State<CatalogProducts>| {
                let lines = products.lock().unwrap();
                lines.values().map(Value::to_string).collect::<Vec<_>>().join("\n")
            }),
        )
        .route(
            "/v1/products/{id}",
            get(async |State(products): State<CatalogProducts>, Path(id): Path<ProductId>| {
                let product = products.lock().unwrap().get(&id).map(Value::to_string);
                product.ok_or(Status::NOT_FOUND)
            }),
        )
        .with_state(products.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = lifecycle.soft();
    lifecycle.spawn("catalogue", async move {
        axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    });
    (products, format!("http://{address}"))
}

/// Sends a request and returns status and body.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap())
}

/// The products of the hits, in order.
pub fn ids(answer: &Value) -> Vec<ProductId> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|hit| hit["product_id"].as_str().unwrap().parse().unwrap()).collect()
}
