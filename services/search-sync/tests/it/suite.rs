//! A search service with everything around it: the servers, the other services, the folder of the index.

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
use messaging::{Kit, Messaging, OnReject, Subscription, Topology};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{
    Lifecycle,
    auth::{self, Scope, SigningKey},
    config,
};
use search_sync::{app, config::Config};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use testkit::{Database, Vhost, wait_for};
use tokio_util::sync::DropGuard;
use vocabulary::ProductId;

use crate::actors::{Actor, Heard, outbox_is_empty, run};

/// How long anything may take. It is long because tests run side by side on few processors.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the catalogue answers over HTTP: its products as JSON, by id.
pub type Shelf = Arc<Mutex<std::collections::BTreeMap<ProductId, Value>>>;

/// A search service with everything around it.
pub struct Suite {
    pub catalogue: Actor,
    pub inventory: Actor,
    pub analytics: Actor,
    pub applied: Heard<ProductAppliedV1>,
    pub failed: Heard<ProductFailedV1>,
    pub shelf: Shelf,
    pub pool: PgPool,
    config: Config,
    service: Option<Service>,
    client: Client,
    operator: String,
    stranger: String,
    actors: Lifecycle,
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
    /// Everything is there, and the service is up.
    pub async fn start() -> Self {
        let mut suite = Self::around().await;
        suite.start_service().await;
        suite
    }

    /// Everything but the service.
    pub async fn around() -> Self {
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
        let actors = Lifecycle::new(Duration::from_secs(20));
        let guard = actors.hard().drop_guard();
        let (shelf, product_catalog_url) = serve_shelf(&actors).await;
        let config = Config {
            common: config::Common {
                database: config::Database::at(database.url()),
                broker: config::Broker::at(vhost.url()),
                http: config::Http::at("127.0.0.1:0".parse().unwrap()),
                tokens: config::Tokens { public_key_file },
                shutdown: config::Shutdown::default(),
            },
            index_dir: folders.path().join("index"),
            product_catalog_url: product_catalog_url.parse().unwrap(),
        };
        let (applied, failed) = (Heard::new(), Heard::new());
        let receipts = Subscription::to(RECEIPT, ["search-sync"], OnReject::GoOn)
            .on(applied.clone())
            .on(failed.clone());
        let catalogue = Topology::of("product-catalog")
            .says::<ProductChangedV1>()
            .says::<ProductDeletedV1>()
            .hears(receipts);
        let inventory = Topology::of("inventory").says::<StockChangedV1>();
        let analytics = Topology::of("behavior-analytics").says::<PopularityChangedV1>();
        Self {
            catalogue: Actor::enter(&actors, &vhost, catalogue).await,
            inventory: Actor::enter(&actors, &vhost, inventory).await,
            analytics: Actor::enter(&actors, &vhost, analytics).await,
            applied,
            failed,
            shelf,
            pool: database.connect().await.unwrap(),
            config,
            service: None,
            client: Client::new(),
            operator: token("operator", &[Scope::Ops]),
            stranger: token("stranger", &[Scope::CatalogWrite, Scope::OrdersAdmin]),
            actors,
            folders,
            database,
            vhost,
            _guard: guard,
        }
    }

    /// Starts the service and waits until it is ready.
    pub async fn start_service(&mut self) {
        self.service = Some(start(self.config.clone()).await);
        self.is_ready().await;
    }

    /// Starts a second process with an index of its own; it ends with what is returned.
    pub async fn start_replica(&self) -> Replica {
        let index_dir = self.folders.path().join("replica");
        let service = start(Config { index_dir, ..self.config.clone() }).await;
        Replica { base: service.base.clone(), _service: service }
    }

    pub async fn is_ready(&self) {
        wait_for("the service is ready", PATIENCE, async || {
            let (status, body) = answer(self.request(Method::GET, "/health/ready")).await;
            if status == StatusCode::OK { Ok(()) } else { Err(body.to_string()) }
        })
        .await
        .unwrap();
    }

    /// Cuts the service off at whatever it does, as a kill would.
    pub async fn kill_service(&mut self) {
        let service = self.service.take().unwrap();
        service.lifecycle.abort();
        service.lifecycle.run_until_shutdown().await;
    }

    /// Ends the service politely.
    pub async fn stop_service(&mut self) {
        let service = self.service.take().unwrap();
        service.lifecycle.shutdown();
        service.lifecycle.run_until_shutdown().await;
    }

    /// Runs the consumers alone: what they hear goes into the database, and nobody carries it into the index.
    pub fn consume_without_a_tail(&self) -> Lifecycle {
        let lifecycle = Lifecycle::new(PATIENCE);
        let kit = Kit::new(self.pool.clone());
        run(&lifecycle, &Messaging::new(kit, self.vhost.url(), search_sync::topology()));
        lifecycle
    }

    /// The folder of the index.
    pub fn index_dir(&self) -> PathBuf {
        self.config.index_dir.clone()
    }

    /// A request that nobody has signed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = &self.service.as_ref().unwrap().base;
        self.client.request(method, format!("{base}{path}")).timeout(PATIENCE)
    }

    /// A request of one who operates the service.
    pub fn as_operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.operator)
    }

    /// A request of one who may do other things.
    pub fn as_stranger(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.stranger)
    }

    /// A search that must succeed.
    pub async fn search(&self, parameters: &[(&str, &str)]) -> Value {
        let request = self.request(Method::GET, "/v1/search").query(parameters);
        let (status, body) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// The version of a product that can be found, if it can.
    pub async fn found(&self, id: ProductId) -> Option<i64> {
        let answer = self.search(&[("q", &crate::shop::sku_of(id)), ("limit", "100")]).await;
        let id = json!(id);
        let hit = answer["items"].as_array().unwrap().iter().find(|hit| hit["product_id"] == id);
        hit.map(|hit| hit["version"].as_i64().unwrap())
    }

    /// Waits for the receipt of a product in this version.
    pub async fn wait_applied(&self, id: ProductId, version: i64) {
        wait_for("the receipt was heard", PATIENCE, async || {
            if self.confirmed(id) == Some(version) { Ok(()) } else { Err("not yet") }
        })
        .await
        .unwrap();
    }

    /// The newest version of a product for which there is a receipt.
    pub fn confirmed(&self, id: ProductId) -> Option<i64> {
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

    /// A number from the service's database.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until a number from the service's database is this.
    pub async fn wait_count(&self, query: &'static str, expected: i64) {
        wait_for(query, PATIENCE, async || {
            let count = self.count(query).await;
            if count == expected { Ok(()) } else { Err(count) }
        })
        .await
        .unwrap();
    }

    /// Waits until all that was said has arrived everywhere, and nothing is in any queue.
    pub async fn at_rest(&self) {
        for actor in [&self.catalogue, &self.inventory, &self.analytics] {
            actor.has_said_everything().await;
        }
        self.vhost.at_rest(PATIENCE).await.unwrap();
        if self.service.is_some() {
            self.wait_count("select count(*) from receipt_due", 0).await;
            outbox_is_empty(&self.pool).await;
            self.vhost.at_rest(PATIENCE).await.unwrap();
        }
    }

    /// Waits for rest, and looks whether everything is in order: queues and outboxes empty, `dead_letters` pending, the
    /// index equal to the projection, every version of it confirmed. Then everything ends.
    pub async fn finish(mut self, dead_letters: i64) {
        self.at_rest().await;
        let pending = "select count(*) from messaging.dead_letter where state = 'pending'";
        assert_eq!(self.count(pending).await, dead_letters, "dead letters");
        let state = self.index().await;
        assert_eq!(state["behind"], 0, "{state}");
        let active = self.count("select count(*) from document where state = 'active'").await;
        assert_eq!(state["documents"], active, "{state}");

        self.stop_service().await;
        self.pool.close().await;
        self.actors.shutdown();
        self.actors.run_until_shutdown().await;
        drop(self.database);
    }
}

async fn start(config: Config) -> Service {
    let running = app::start(config).await.unwrap();
    Service {
        base: format!("http://{}", running.address),
        _guard: running.lifecycle.hard().drop_guard(),
        lifecycle: running.lifecycle,
    }
}

/// A second process of the service.
pub struct Replica {
    base: String,
    _service: Service,
}

impl Replica {
    /// The number of hits of a search here.
    pub async fn total(&self, q: &str) -> i64 {
        let request = Client::new().get(format!("{}/v1/search", self.base)).query(&[("q", q)]);
        answer(request).await.1["total"].as_i64().unwrap_or_default()
    }
}

/// The catalogue's own answers, as far as upkeep asks for them.
async fn serve_shelf(lifecycle: &Lifecycle) -> (Shelf, String) {
    let shelf = Shelf::default();
    let router = Router::new()
        .route(
            "/v1/export",
            get(async |State(shelf): State<Shelf>| {
                let lines = shelf.lock().unwrap();
                lines.values().map(Value::to_string).collect::<Vec<_>>().join("\n")
            }),
        )
        .route(
            "/v1/products/{id}",
            get(async |State(shelf): State<Shelf>, Path(id): Path<ProductId>| {
                let product = shelf.lock().unwrap().get(&id).map(Value::to_string);
                product.ok_or(Status::NOT_FOUND)
            }),
        )
        .with_state(shelf.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = lifecycle.soft();
    lifecycle.spawn("shelf", async move {
        axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    });
    (shelf, format!("http://{address}"))
}

/// Sends a request; the status and the body.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap())
}

/// The products of hits, in their order.
pub fn ids(answer: &Value) -> Vec<ProductId> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|hit| hit["product_id"].as_str().unwrap().parse().unwrap()).collect()
}
