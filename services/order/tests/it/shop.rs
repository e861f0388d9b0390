//! The order service, running, with an inventory and a catalogue beside it, each with a database of its own.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use contracts::{
    catalog::{PRODUCT, ProductChangedV1, ProductDeletedV1, ProductStatus, Variant},
    receipts::{ProductAppliedV1, ProductFailedV1, RECEIPT},
};
use envelope::Event;
use futures::StreamExt as _;
use messaging::{
    Batch, Failure, Handler, MessagingRuntime, OnReject, Outbox, Subscription, Topology,
    Transaction,
};
use order::Config;
use reqwest::{Method, StatusCode};
use runtime::{
    Lifecycle,
    auth::{Scope, SigningKey, mint},
    config::{
        Broker, Common, Database as DatabaseConfig, Http, Outbox as OutboxConfig, Shutdown, Tokens,
    },
};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{Database, Proxy, Vhost, wait_for};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vocabulary::{ChangeId, Currency, CustomerId, Localized, Money, ProductId, Sku, Version};

use crate::inventory;

/// How long anything in a test may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// What the tests sign callbacks with.
pub(crate) const WEBHOOK_SECRET: &str = "a secret of providers";

/// Longer than any test lasts.
const NEVER: Duration = Duration::from_hours(1);

/// How long the order process waits for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) reserve: Duration,
    pub(crate) pay: Duration,
    pub(crate) ship: Duration,
    pub(crate) deliver: Duration,
}

impl Deadlines {
    /// Nothing happens by itself.
    pub(crate) const NONE: Self = Self { reserve: NEVER, pay: NEVER, ship: NEVER, deliver: NEVER };
}

/// An answer of the service.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of what must be a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or("no problem"))
    }

    /// The body of an answer that must have this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The fields that a 422 names, sorted.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().unwrap();
        let mut fields: Vec<&str> =
            errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        fields.sort_unstable();
        fields
    }
}

/// Whoever speaks to the service.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

impl Client {
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Answer::of(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body), None).await
    }

    /// A callback with this signature.
    pub(crate) async fn call_back(&self, path: &str, body: &str, signature: &str) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base));
        let request =
            request.header("content-type", "application/json").header("x-signature", signature);
        Answer::of(request.body(body.to_owned())).await
    }

    /// Places an order for `customer`, and answers its id.
    pub(crate) async fn place(&self, customer: CustomerId, sku: &str, method: &str) -> String {
        let placed =
            self.post("/v1/orders", &wanted(customer, &[(sku, 1)], method)).await.expect(202);
        assert_eq!(placed["status"], "placed");
        placed["id"].as_str().unwrap().to_owned()
    }

    /// The order, once it is `status`.
    pub(crate) async fn wait(&self, order: &str, status: &str) -> Value {
        let path = format!("/v1/orders/{order}?wait_for={status}&wait_ms=30000");
        let read = self.get(&path).await.expect(200);
        assert_eq!(read["status"], status, "{read}");
        read
    }

    /// Services and events of an order's timeline.
    pub(crate) async fn timeline(&self, order: &str) -> Vec<String> {
        let read = self.get(&format!("/v1/orders/{order}/timeline")).await.expect(200);
        let items = read["items"].as_array().unwrap();
        let line = |item: &Value| {
            format!("{} {}", item["service"].as_str().unwrap(), item["event"].as_str().unwrap())
        };
        items.iter().map(line).collect()
    }

    /// The timeline, once `event` is in it.
    pub(crate) async fn timeline_with(&self, order: &str, event: &str) -> Vec<String> {
        let what = format!("{event} is in the timeline");
        let look = async || {
            let timeline = self.timeline(order).await;
            if timeline.iter().any(|line| line == event) {
                Ok(timeline)
            } else {
                Err(timeline.join(", "))
            }
        };
        wait_for(&what, SOON, look).await.unwrap()
    }

    /// The status of the answer to somebody who follows an order again.
    pub(crate) async fn follow_status(&self, order: &str, last_seen: &str) -> StatusCode {
        let request = self.http.get(format!("{}/v1/orders/{order}/events", self.base));
        let request =
            request.bearer_auth(self.token.as_ref().unwrap()).header("last-event-id", last_seen);
        request.send().await.unwrap().status()
    }

    /// Ids and data of an order's event stream, up to its end, or up to `enough` events.
    pub(crate) async fn follow(
        &self,
        order: &str,
        last_seen: Option<&str>,
        enough: usize,
    ) -> Vec<(String, Value)> {
        let mut request = self.http.get(format!("{}/v1/orders/{order}/events", self.base));
        request = request.bearer_auth(self.token.as_ref().unwrap());
        if let Some(last_seen) = last_seen {
            request = request.header("last-event-id", last_seen);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let (mut bytes, mut text, mut events) = (answer.bytes_stream(), String::new(), Vec::new());
        while let Some(chunk) = tokio::time::timeout(SOON, bytes.next()).await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
                };
                if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
                    events.push((id.to_owned(), serde_json::from_str(data).unwrap()));
                }
                text = rest.to_owned();
            }
            if events.len() >= enough {
                break;
            }
        }
        events
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.timeout(SOON * 2).send().await.unwrap();
        let status = answer.status();
        let location =
            answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let body = answer.json().await.unwrap_or(Value::Null);
        Self { status, location, body }
    }
}

/// What places an order.
pub(crate) fn wanted(customer: CustomerId, lines: &[(&str, i64)], method: &str) -> Value {
    let lines: Vec<Value> =
        lines.iter().map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity })).collect();
    json!({
        "customer_id": customer,
        "lines": lines,
        "shipping_address": {
            "name": "林小满", "line1": "示例路 100 号", "city": "上海市", "postal_code": "200000", "country": "CN",
        },
        "payment": { "method": method },
    })
}

/// The running service with its neighbours.
pub(crate) struct Shop {
    pub(crate) vhost: Vhost,
    pub(crate) order: PgPool,
    pub(crate) inventory: Outbox,
    pub(crate) catalogue: Outbox,
    pub(crate) nobody: Client,
    key: SigningKey,
    database: Database,
    neighbours: [Database; 2],
    config: Config,
    lives: Vec<Lifecycle>,
    tasks: JoinSet<()>,
    ending: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Shop {
    pub(crate) async fn open(deadlines: Deadlines) -> Self {
        let vhost = Vhost::create().await.unwrap();
        let database = Database::migrated(&order::migrators()).await.unwrap();
        let neighbours = [
            Database::migrated(&[&messaging::MIGRATOR]).await.unwrap(),
            Database::migrated(&[&messaging::MIGRATOR]).await.unwrap(),
        ];
        neighbours[0].run(inventory::TABLES).await.unwrap();
        neighbours[1].run(RECEIPTS).await.unwrap();
        let topologies = [inventory::topology(), catalogue_topology()];
        for topology in topologies.iter().chain([&order::topology()]) {
            messaging::declare(vhost.url(), topology).await.unwrap();
        }

        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let public_key_file = folder.path().join("token.pub.der");
        key.write_pair(folder.path().join("token.der"), &public_key_file).unwrap();
        let secret_file = folder.path().join("webhooks");
        std::fs::write(&secret_file, format!("{WEBHOOK_SECRET}\n")).unwrap();
        let common = Common {
            database: DatabaseConfig::at(database.url()),
            broker: Broker::at(vhost.url()),
            outbox: OutboxConfig::default(),
            http: Http::at(([127, 0, 0, 1], 0).into()),
            tokens: Tokens { public_key_file },
            shutdown: Shutdown::default(),
        };
        let config = Config {
            common,
            reserve_timeout: deadlines.reserve,
            payment_timeout: deadlines.pay,
            ship_after: deadlines.ship,
            deliver_after: deadlines.deliver,
            product_catalog_url: "http://127.0.0.1:9".parse().unwrap(),
            webhook_secret_file: Some(secret_file),
        };

        let (mut tasks, ending) = (JoinSet::new(), CancellationToken::new());
        let mut kits = Vec::new();
        for (neighbour, topology) in neighbours.iter().zip(topologies) {
            let kit = Outbox::new(neighbour.connect().await.unwrap());
            let messaging = MessagingRuntime::new(kit.clone(), vhost.url(), topology);
            tasks.spawn(messaging.clone().relay(ending.clone()));
            tasks.spawn(messaging.consume(ending.clone()));
            kits.push(kit);
        }
        let nobody = Client { base: String::new(), token: None, http: reqwest::Client::new() };
        let mut shop = Self {
            order: database.connect().await.unwrap(),
            catalogue: kits.pop().unwrap(),
            inventory: kits.pop().unwrap(),
            vhost,
            nobody,
            key,
            database,
            neighbours,
            config,
            lives: Vec::new(),
            tasks,
            ending,
            _folder: folder,
        };
        shop.nobody = shop.start_instance().await;
        shop
    }

    /// Starts one more instance of the service, and answers somebody who speaks to it without a token.
    pub(crate) async fn start_instance(&mut self) -> Client {
        self.start_instance_with(&self.config.clone()).await
    }

    /// Ends the service, and starts it anew behind what stands before its broker, with an outbox of at most `rows`.
    pub(crate) async fn restart_behind_proxy(&mut self, rows: i64) -> Proxy {
        for life in self.lives.drain(..) {
            life.shutdown();
            let _ = life.run_until_shutdown().await;
        }
        let (proxy, url) = Proxy::before(self.vhost.url()).await.unwrap();
        let mut config = self.config.clone();
        config.common.broker = Broker::at(url);
        config.common.outbox = OutboxConfig { rows, lesser_rows: rows };
        self.nobody = self.start_instance_with(&config).await;
        proxy
    }

    /// The same without a secret for callbacks.
    pub(crate) async fn start_without_secret(&mut self) -> Client {
        let config = Config { webhook_secret_file: None, ..self.config.clone() };
        self.start_instance_with(&config).await
    }

    /// The same, for which the catalogue answers at `url`.
    pub(crate) async fn start_with_catalogue(&mut self, url: &str) -> Client {
        let product_catalog_url = url.parse().unwrap();
        self.start_instance_with(&Config { product_catalog_url, ..self.config.clone() }).await
    }

    async fn start_instance_with(&mut self, config: &Config) -> Client {
        let lifecycle = Lifecycle::new(SOON);
        let address =
            runtime::host::start::<order::OrderService>(config, &lifecycle).await.unwrap();
        self.lives.push(lifecycle);
        Client { base: format!("http://{address}"), token: None, http: reqwest::Client::new() }
    }

    /// Somebody with a token.
    pub(crate) fn client(&self, subject: &str, scopes: &[Scope]) -> Client {
        self.known_to(&self.nobody, subject, scopes)
    }

    /// The same, at the instance that `client` speaks to.
    pub(crate) fn known_to(&self, client: &Client, subject: &str, scopes: &[Scope]) -> Client {
        let token = mint(&self.key, subject, scopes, Duration::from_hours(1)).unwrap();
        Client { token: Some(token), ..client.clone() }
    }

    /// A customer who may order and read.
    pub(crate) fn customer(&self) -> (CustomerId, Client) {
        let id = CustomerId::new();
        (id, self.client(&id.to_string(), &[Scope::OrdersWrite, Scope::OrdersRead]))
    }

    /// Somebody who may do everything with everybody's orders.
    pub(crate) fn admin(&self) -> Client {
        self.client("the shop", &[Scope::OrdersAdmin, Scope::Ops])
    }

    /// Lets the catalogue say an event, and waits for its receipt.
    pub(crate) async fn say_product<E: Event>(
        &self,
        event: &E,
        product: ProductId,
        version: Version,
    ) {
        let mut tx = self.catalogue.begin().await.unwrap();
        tx.emit(event).unwrap();
        tx.commit().await.unwrap();
        self.wait_for_receipt(product, version, "applied").await;
    }

    pub(crate) async fn wait_for_receipt(
        &self,
        product: ProductId,
        version: Version,
        outcome: &str,
    ) {
        wait_for("the receipt has come", SOON, async || {
            let found: Option<String> = sqlx::query_scalar(
                "select outcome from receipt where product_id = $1 and version = $2 and service = 'order'",
            )
            .bind(product.as_uuid())
            .bind(version.get())
            .fetch_optional(self.catalogue.pool())
            .await
            .unwrap();
            if found.as_deref() == Some(outcome) { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await
        .unwrap();
    }

    /// Lets the catalogue sell these at these prices, and waits until the service knows.
    pub(crate) async fn sell(&self, prices: &[(&str, i64)]) -> ProductId {
        let product = ProductId::new();
        let changed = changed(product, 1, ProductStatus::Active, prices);
        self.say_product(&changed, product, Version::FIRST).await;
        product
    }

    /// What inventory thinks of an order: the state of its reservation, and how often it was told that it is over.
    pub(crate) async fn reservation(&self, order: &str) -> Option<(String, i64)> {
        sqlx::query_as("select state, told_over from reservation where order_id = $1::uuid")
            .bind(order)
            .fetch_optional(self.inventory.pool())
            .await
            .unwrap()
    }

    /// Waits until inventory thinks so.
    pub(crate) async fn wait_for_reservation(&self, order: &str, state: &str, told_over: i64) {
        wait_for("inventory has followed", SOON, async || {
            let found = self.reservation(order).await;
            if found == Some((state.to_owned(), told_over)) {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await
        .unwrap();
    }

    /// The states of an order's payments, in the order in which they were made.
    pub(crate) async fn payments(&self, order: &str) -> Vec<String> {
        sqlx::query_scalar("select state from payment where order_id = $1::uuid order by id")
            .bind(order)
            .fetch_all(&self.order)
            .await
            .unwrap()
    }

    /// Makes the service's database refuse every order for this SKU.
    pub(crate) async fn break_for(&self, sku: &str) {
        let trigger = format!(
            "create function refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'the disk says no'; end $$;
             create trigger refuse before insert on order_line for each row when (new.sku = '{sku}') execute function refuse();"
        );
        self.database.run(&trigger).await.unwrap();
    }

    /// How many rows a query counts in the service's database.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.order).await.unwrap()
    }

    /// Ends the test: nothing is left anywhere.
    pub(crate) async fn close(mut self) {
        let pools = [&self.order, self.inventory.pool(), self.catalogue.pool()];
        wait_for("outboxes and parking places are empty", SOON, async || {
            let mut left = 0_i64;
            for pool in pools {
                left += sqlx::query_scalar::<_, i64>(
                    "select (select count(*) from messaging.outbox) + (select count(*) from messaging.parked)",
                )
                .fetch_one(pool)
                .await
                .unwrap();
            }
            if left == 0 { Ok(()) } else { Err(format!("{left} events")) }
        })
        .await
        .unwrap();
        self.vhost.at_rest(SOON).await.unwrap();
        for life in &self.lives {
            life.shutdown();
        }
        for life in &self.lives {
            let _ = life.run_until_shutdown().await;
        }
        self.ending.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.order.close().await;
        drop((self.database, self.neighbours));
    }
}

/// A product in a version.
pub(crate) fn changed(
    product_id: ProductId,
    version: i64,
    status: ProductStatus,
    prices: &[(&str, i64)],
) -> ProductChangedV1 {
    let variant = |(sku, amount): &(&str, i64)| Variant {
        sku: sku.parse::<Sku>().unwrap(),
        options: BTreeMap::new(),
        price: Money::new(*amount, Currency::CNY).unwrap(),
        barcode: None,
    };
    ProductChangedV1 {
        product_id,
        version: Version::try_from(version).unwrap(),
        change_id: ChangeId::new(),
        title: Localized { zh: Some(format!("键盘 {version}")), en: None },
        description: Localized::default(),
        brand: None,
        category: "数码".to_owned(),
        attributes: BTreeMap::new(),
        images: Vec::new(),
        status,
        variants: prices.iter().map(variant).collect(),
        created_at: chrono::DateTime::UNIX_EPOCH,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// A change that nobody can read.
#[derive(Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Garbled {
    pub(crate) product_id: ProductId,
    pub(crate) version: Version,
}

impl Event for Garbled {
    const TYPE: &'static str = ProductChangedV1::TYPE;
    const AGGREGATE: &'static str = PRODUCT;

    fn key(&self) -> Cow<'_, str> {
        self.product_id.to_string().into()
    }
}

const RECEIPTS: &str = "create table receipt (
    product_id uuid not null, version bigint not null, service text not null, outcome text not null,
    primary key (product_id, version, service)
)";

fn catalogue_topology() -> Topology {
    Topology::new("product-catalog")
        .publishes::<ProductChangedV1>()
        .publishes::<ProductDeletedV1>()
        .subscribes(
            Subscription::to(RECEIPT, ["order"], OnReject::Continue).on(NoteApplied).on(NoteFailed),
        )
}

struct NoteApplied;

impl Handler for NoteApplied {
    type Event = ProductAppliedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductAppliedV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            for applied in &delivered.event.applied {
                note(tx, applied.product_id, applied.version, &delivered.event.service, "applied")
                    .await?;
            }
        }
        Ok(())
    }
}

struct NoteFailed;

impl Handler for NoteFailed {
    type Event = ProductFailedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductFailedV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let failed = delivered.event.failed;
            note(tx, failed.product_id, failed.version, &delivered.event.service, "failed").await?;
        }
        Ok(())
    }
}

async fn note(
    tx: &mut Transaction,
    product: ProductId,
    version: Version,
    service: &str,
    outcome: &str,
) -> Result<(), sqlx::Error> {
    let _: i32 = sqlx::query_scalar(
        "insert into receipt values ($1, $2, $3, $4)
         on conflict (product_id, version, service) do update set outcome = excluded.outcome returning 1",
    )
    .bind(product.as_uuid())
    .bind(version.get())
    .bind(service)
    .bind(outcome)
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}
