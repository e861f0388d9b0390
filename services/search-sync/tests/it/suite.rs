//! A search service with its servers, the other services and the index folder.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{FromRef, Path, State},
    http::StatusCode as Status,
    routing::get,
};
use contracts::{
    behavior::PopularityChangedV1,
    catalog::{
        ProductChangedV1, ProductDeletedV1, RuleChangedV1, RuleRemovedV1, SynonymsChangedV1,
    },
    inventory::StockChangedV1,
    receipts::{ProductAppliedV1, ProductFailedV1, RECEIPT},
};
use messaging::{MessagingRuntime, OnReject, Outbox, Subscription, Topology};
use reqwest::{Method, RequestBuilder, StatusCode};
use runtime::{Lifecycle, auth::Scope};
use search_sync::{Config, SearchSync};
use serde_json::{Value, json};
use service_testkit::{
    Credentials, Instance, LONGEST_WAIT, Recorder, ServiceDouble, answer, assert_dead_letters,
    count, run_messaging, wait_until_published,
};
use sqlx::PgPool;
use testkit::{Database, Vhost, wait_for};
use tokio_util::sync::DropGuard;
use vocabulary::{Currency, ProductId};

use crate::events::sku_of;

/// The products that the HTTP API of the catalogue returns, as JSON by id.
pub type CatalogProducts = Arc<Mutex<BTreeMap<ProductId, Value>>>;

/// The entries of the catalogue's snapshot of synonyms and rules.
pub type SearchSnapshot = Arc<Mutex<Vec<Value>>>;

/// What the HTTP API of the catalogue returns.
#[derive(Clone, Default, FromRef)]
struct CatalogApi {
    products: CatalogProducts,
    snapshot: SearchSnapshot,
}

/// A search service with its environment.
pub struct Suite {
    pub catalogue: ServiceDouble,
    pub inventory: ServiceDouble,
    pub analytics: ServiceDouble,
    pub applied: Recorder<ProductAppliedV1>,
    pub failed: Recorder<ProductFailedV1>,
    pub catalog_products: CatalogProducts,
    pub search_snapshot: SearchSnapshot,
    pub pool: PgPool,
    config: Config,
    instance: Option<Instance>,
    operator: String,
    unprivileged: String,
    doubles: Lifecycle,
    credentials: Credentials,
    database: Database,
    pub vhost: Vhost,
    _guard: DropGuard,
}

impl Suite {
    /// The service under test, and what signs its tokens.
    pub fn service(&self) -> (&Instance, &Credentials) {
        (self.instance.as_ref().unwrap(), &self.credentials)
    }

    /// Starts the environment and the service.
    pub async fn start() -> Self {
        let mut suite = Self::without_service().await;
        suite.start_service().await;
        suite
    }

    /// Starts the environment without the service.
    pub async fn without_service() -> Self {
        let credentials = Credentials::new();
        let vhost = Vhost::create().await.unwrap();
        let database = Database::migrated(&search_sync::migrators()).await.unwrap();
        messaging::declare(vhost.url(), &search_sync::topology()).await.unwrap();
        let doubles = Lifecycle::new(LONGEST_WAIT);
        let guard = doubles.hard().drop_guard();
        let (api, product_catalog_url) = serve_catalogue(&doubles).await;
        let config = Config {
            common: credentials.common(database.url(), vhost.url()),
            index_dir: credentials.file("index"),
            product_catalog_url: product_catalog_url.parse().unwrap(),
            shop_currency: Currency::CNY,
        };
        let (applied, failed) = (Recorder::default(), Recorder::default());
        let receipts = Subscription::to(RECEIPT, ["search-sync"], OnReject::Continue)
            .on(applied.clone())
            .on(failed.clone());
        let catalogue = Topology::new("product-catalog")
            .publishes::<ProductChangedV1>()
            .publishes::<ProductDeletedV1>()
            .publishes::<SynonymsChangedV1>()
            .publishes::<RuleChangedV1>()
            .publishes::<RuleRemovedV1>()
            .subscribes(receipts);
        let inventory = Topology::new("inventory").publishes::<StockChangedV1>();
        let analytics = Topology::new("behavior-analytics").publishes::<PopularityChangedV1>();
        Self {
            catalogue: ServiceDouble::start(&doubles, &vhost, catalogue).await,
            inventory: ServiceDouble::start(&doubles, &vhost, inventory).await,
            analytics: ServiceDouble::start(&doubles, &vhost, analytics).await,
            applied,
            failed,
            catalog_products: api.products,
            search_snapshot: api.snapshot,
            pool: database.connect().await.unwrap(),
            config,
            instance: None,
            operator: credentials.token("operator", &[Scope::Ops]),
            unprivileged: credentials
                .token("unprivileged", &[Scope::CatalogWrite, Scope::OrdersAdmin]),
            doubles,
            credentials,
            database,
            vhost,
            _guard: guard,
        }
    }

    /// Starts the service and waits until it is ready.
    pub async fn start_service(&mut self) {
        let instance = Instance::start::<SearchSync>(&self.config).await;
        instance.wait_until_ready().await;
        self.instance = Some(instance);
    }

    /// Starts a second process with its own index; it stops when dropped.
    pub async fn start_replica(&self) -> Instance {
        let index_dir = self.credentials.file("replica");
        Instance::start::<SearchSync>(&Config { index_dir, ..self.config.clone() }).await
    }

    /// Stops the service immediately, like a kill.
    pub async fn kill_service(&mut self) {
        self.instance.take().unwrap().kill().await;
    }

    /// Stops the service gracefully.
    pub async fn stop_service(&mut self) {
        self.instance.take().unwrap().stop().await;
    }

    /// Runs the consumers without an indexer.
    pub fn consume_without_indexer(&self) -> Lifecycle {
        let lifecycle = Lifecycle::new(LONGEST_WAIT);
        let (outbox, topology) = (Outbox::new(self.pool.clone()), search_sync::topology());
        run_messaging(&lifecycle, &MessagingRuntime::new(outbox, self.vhost.url(), topology));
        lifecycle
    }

    /// The index folder.
    pub fn index_dir(&self) -> PathBuf {
        self.config.index_dir.clone()
    }

    /// The folder of the index version in use.
    pub fn index_version(&self) -> PathBuf {
        let root = self.index_dir();
        root.join(std::fs::read_to_string(root.join("current")).unwrap())
    }

    /// A request without a token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.instance.as_ref().unwrap().request(method, path)
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
        let answer = self.search(&[("q", &sku_of(id)), ("limit", "100")]).await;
        let id = json!(id);
        let hit = answer["items"].as_array().unwrap().iter().find(|hit| hit["product_id"] == id);
        hit.map(|hit| hit["version"].as_i64().unwrap())
    }

    /// Waits for the receipt of a product in this version.
    pub async fn wait_applied(&self, id: ProductId, version: i64) {
        wait_for("the receipt is received", LONGEST_WAIT, async || {
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
        count(&self.pool, query).await
    }

    /// Waits until a query on the service's database returns `expected`.
    pub async fn wait_count(&self, query: &'static str, expected: i64) {
        wait_for(query, LONGEST_WAIT, async || {
            let count = self.count(query).await;
            if count == expected { Ok(()) } else { Err(count) }
        })
        .await
        .unwrap();
    }

    /// Waits until all outboxes and queues are empty.
    pub async fn settle(&self) {
        for double in [&self.catalogue, &self.inventory, &self.analytics] {
            double.wait_until_published().await;
        }
        self.vhost.wait_until_drained(LONGEST_WAIT).await.unwrap();
        if self.instance.is_some() {
            self.wait_count("select count(*) from receipt_due", 0).await;
            wait_until_published(&self.pool).await;
            self.vhost.wait_until_drained(LONGEST_WAIT).await.unwrap();
        }
    }

    /// Verifies the final state and stops everything: queues and outboxes are empty, `dead_letters` are
    /// pending, and the index equals the projection.
    pub async fn finish(mut self, dead_letters: i64) {
        self.settle().await;
        assert_dead_letters(&self.pool, dead_letters).await;
        let state = self.index().await;
        assert_eq!(state["behind"], 0, "{state}");
        let active = self.count("select count(*) from document where state = 'active'").await;
        assert_eq!(state["documents"], active, "{state}");

        self.stop_service().await;
        self.pool.close().await;
        self.doubles.shutdown();
        self.doubles.run_until_shutdown().await;
        drop(self.database);
    }
}

/// The answer of one process to a search.
pub async fn search_in(instance: &Instance, parameters: &[(&str, &str)]) -> Value {
    answer(instance.request(Method::GET, "/v1/search").query(parameters)).await.1
}

/// The number of hits of a search in one process.
pub async fn total_in(instance: &Instance, q: &str) -> i64 {
    let request = instance.request(Method::GET, "/v1/search").query(&[("q", q)]);
    answer(request).await.1["total"].as_i64().unwrap_or_default()
}

/// Serves the HTTP API of the catalogue that consistency checks use.
async fn serve_catalogue(lifecycle: &Lifecycle) -> (CatalogApi, String) {
    let api = CatalogApi::default();
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
        .route(
            "/v1/snapshots/search",
            get(async |State(snapshot): State<SearchSnapshot>| {
                let items = snapshot.lock().unwrap().clone();
                json!({"items": items, "next": null}).to_string()
            }),
        )
        .with_state(api.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = lifecycle.soft();
    lifecycle.spawn("catalogue", async move {
        axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    });
    (api, format!("http://{address}"))
}

/// The products of the hits, in order.
pub fn ids(answer: &Value) -> Vec<ProductId> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|hit| hit["product_id"].as_str().unwrap().parse().unwrap()).collect()
}
