//! A running order service with doubles of inventory and product-catalog, each with its own database.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use contracts::{
    catalog::{PRODUCT, ProductChangedV1, ProductDeletedV1, ProductStatus, Variant},
    receipts::{ProductAppliedV1, ProductFailedV1, RECEIPT},
};
use envelope::Event;
use futures::StreamExt as _;
use messaging::{
    Batch, Failure, Handler, OnReject, SlotGroups, Subscription, Topology, Transaction,
};
use order::{Config, OrderService};
use reqwest::{Method, StatusCode};
use runtime::{
    Lifecycle,
    auth::Scope,
    config::{Broker, Outbox as OutboxConfig},
};
use serde_json::{Value, json};
use service_testkit::{Credentials, Instance, LONGEST_WAIT, ServiceDouble};
use sqlx::PgPool;
use testkit::{Database, Proxy, Vhost, wait_for};
use vocabulary::{ChangeId, Currency, CustomerId, Localized, Money, ProductId, Sku, Version};

use crate::{inventory_double, refunds::PROVIDER_SECRET};

/// The secret that signs webhooks.
pub(crate) const WEBHOOK_SECRET: &str = "a webhook secret";

/// Longer than any test.
const NEVER: Duration = Duration::from_hours(1);

/// The deadlines of the order process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) reserve: Duration,
    pub(crate) pay: Duration,
    pub(crate) ship: Duration,
    pub(crate) deliver: Duration,
}

impl Deadlines {
    /// No deadline passes during a test.
    pub(crate) const NONE: Self = Self { reserve: NEVER, pay: NEVER, ship: NEVER, deliver: NEVER };
}

/// A response of the service.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or("no problem"))
    }

    /// The body; fails unless the response has this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The invalid fields of a 422, sorted.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().unwrap();
        let mut fields: Vec<&str> =
            errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        fields.sort_unstable();
        fields
    }
}

/// A client of one instance.
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

    /// The status, content type and text of a response.
    pub(crate) async fn get_text(&self, path: &str, accept: &str) -> (u16, String, String) {
        let request = self.http.get(format!("{}{path}", self.base)).header("accept", accept);
        let request = request.bearer_auth(self.token.as_ref().unwrap()).timeout(LONGEST_WAIT);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (status, content_type, answer.text().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body), None).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body), None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, None).await
    }

    /// Sends a webhook with this signature.
    pub(crate) async fn send_webhook(&self, path: &str, body: &str, signature: &str) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base));
        let request =
            request.header("content-type", "application/json").header("x-signature", signature);
        Answer::of(request.body(body.to_owned())).await
    }

    /// Places an order for `customer`, and returns its id.
    pub(crate) async fn place(&self, customer: CustomerId, sku: &str, method: &str) -> String {
        let placed = self
            .post("/v1/orders", &order_request(customer, &[(sku, 1)], method))
            .await
            .expect(202);
        assert_eq!(placed["status"], "placed");
        placed["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the order has this status, and returns it.
    pub(crate) async fn wait(&self, order: &str, status: &str) -> Value {
        let path = format!("/v1/orders/{order}?wait_for={status}&wait_ms=30000");
        let read = self.get(&path).await.expect(200);
        assert_eq!(read["status"], status, "{read}");
        read
    }

    /// The timeline of an order, one line `<service> <event>` for each entry.
    pub(crate) async fn timeline(&self, order: &str) -> Vec<String> {
        let read = self.get(&format!("/v1/orders/{order}/timeline")).await.expect(200);
        let items = read["items"].as_array().unwrap();
        let line = |item: &Value| {
            format!("{} {}", item["service"].as_str().unwrap(), item["event"].as_str().unwrap())
        };
        items.iter().map(line).collect()
    }

    /// Waits for `event` in the timeline, and returns the timeline.
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
        wait_for(&what, LONGEST_WAIT, look).await.unwrap()
    }

    /// The status of an event stream that is resumed after `last_seen`.
    pub(crate) async fn stream_status(&self, order: &str, last_seen: &str) -> StatusCode {
        let request = self.http.get(format!("{}/v1/orders/{order}/events", self.base));
        let request =
            request.bearer_auth(self.token.as_ref().unwrap()).header("last-event-id", last_seen);
        request.send().await.unwrap().status()
    }

    /// Ids and data of an order's event stream, up to its end or `max` events.
    pub(crate) async fn stream_events(
        &self,
        order: &str,
        last_seen: Option<&str>,
        max: usize,
    ) -> Vec<(String, Value)> {
        let mut request = self.http.get(format!("{}/v1/orders/{order}/events", self.base));
        request = request.bearer_auth(self.token.as_ref().unwrap());
        if let Some(last_seen) = last_seen {
            request = request.header("last-event-id", last_seen);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let (mut bytes, mut text, mut events) = (answer.bytes_stream(), String::new(), Vec::new());
        while let Some(chunk) = tokio::time::timeout(LONGEST_WAIT, bytes.next()).await.unwrap() {
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
            if events.len() >= max {
                break;
            }
        }
        events
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.timeout(LONGEST_WAIT).send().await.unwrap();
        let status = answer.status();
        let location =
            answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let body = answer.json().await.unwrap_or(Value::Null);
        Self { status, location, body }
    }
}

/// The body that places an order.
pub(crate) fn order_request(customer: CustomerId, lines: &[(&str, i64)], method: &str) -> Value {
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

/// The service under test with its doubles.
pub(crate) struct Shop {
    pub(crate) vhost: Vhost,
    pub(crate) order: PgPool,
    pub(crate) inventory: ServiceDouble,
    pub(crate) catalogue: ServiceDouble,
    pub(crate) anonymous: Client,
    credentials: Credentials,
    database: Database,
    config: Config,
    instances: Vec<Instance>,
    doubles: Lifecycle,
}

impl Shop {
    /// The service under test, and what signs its tokens.
    pub(crate) fn service(&self) -> (&Instance, &Credentials) {
        (&self.instances[0], &self.credentials)
    }

    pub(crate) async fn open(deadlines: Deadlines) -> Self {
        Self::open_with_queues(deadlines, "", None).await
    }

    /// Opens a shop whose services have these slot groups, and these queues for the classes of orders.
    pub(crate) async fn open_with_queues(
        deadlines: Deadlines,
        slot_groups: &str,
        priority_queues: Option<&str>,
    ) -> Self {
        let slot_groups: SlotGroups = slot_groups.parse().unwrap();
        let vhost = Vhost::create().await.unwrap();
        let database = Database::migrated(&order::migrators()).await.unwrap();
        let topology = order::topology().slot_groups(slot_groups.clone());
        messaging::declare(vhost.url(), &topology).await.unwrap();
        let doubles = Lifecycle::new(LONGEST_WAIT);
        let topology = inventory_double::topology().slot_groups(slot_groups.clone());
        let inventory = ServiceDouble::start(&doubles, &vhost, topology).await;
        let catalogue = ServiceDouble::start(&doubles, &vhost, catalogue_topology()).await;
        inventory.database().run(inventory_double::TABLES).await.unwrap();
        catalogue.database().run(RECEIPTS).await.unwrap();

        let credentials = Credentials::new();
        let secret_file = credentials.file("webhooks");
        std::fs::write(&secret_file, format!("{WEBHOOK_SECRET}\n")).unwrap();
        let mut common = credentials.common(database.url(), vhost.url());
        common.broker.queues.slot_groups = slot_groups;
        let config = Config {
            common,
            reserve_timeout: deadlines.reserve,
            payment_timeout: deadlines.pay,
            scarce_payment_timeout: deadlines.pay / 2,
            scarce_pieces: 20,
            built_in_carrier: true,
            ship_after: deadlines.ship,
            deliver_after: deadlines.deliver,
            return_window_days: 30,
            max_line_pieces: 200,
            max_unpaid_pieces: 200,
            max_unpaid_orders: 10_000,
            priority_queues: priority_queues.map(|queues| queues.parse().unwrap()),
            test_payments: true,
            time_zone: chrono_tz::Asia::Shanghai,
            product_catalog_url: "http://127.0.0.1:9".parse().unwrap(),
            webhook_secret_file: Some(secret_file),
            payment_provider_url: None,
            payment_provider_secret_file: None,
            payment_provider_timeout: Duration::from_secs(1),
            webhook_timeout: Duration::from_secs(1),
            webhook_allow_private_addresses: true,
        };
        let anonymous = Client { base: String::new(), token: None, http: reqwest::Client::new() };
        let mut shop = Self {
            vhost,
            order: database.connect().await.unwrap(),
            inventory,
            catalogue,
            anonymous,
            credentials,
            database,
            config,
            instances: Vec::new(),
            doubles,
        };
        shop.anonymous = shop.start_instance().await;
        shop
    }

    /// Plays another service.
    pub(crate) async fn start_double(&self, topology: Topology) -> ServiceDouble {
        ServiceDouble::start(&self.doubles, &self.vhost, topology).await
    }

    /// Starts another instance, and returns a client without a token.
    pub(crate) async fn start_instance(&mut self) -> Client {
        self.start_instance_with(&self.config.clone()).await
    }

    /// Restarts the service behind a proxy of the broker, with an outbox of at most `rows`.
    pub(crate) async fn restart_behind_proxy(&mut self, rows: i64) -> Proxy {
        self.stop_instances().await;
        let (proxy, url) = Proxy::in_front_of(self.vhost.url()).await.unwrap();
        let mut config = self.config.clone();
        config.common.broker = Broker::at(url);
        config.common.outbox = OutboxConfig { rows, lesser_rows: rows };
        self.anonymous = self.start_instance_with(&config).await;
        proxy
    }

    /// Restarts the service so that it sends webhooks to public addresses only.
    pub(crate) async fn restart_with_public_webhooks_only(&mut self) -> Client {
        self.stop_instances().await;
        let config = Config { webhook_allow_private_addresses: false, ..self.config.clone() };
        self.anonymous = self.start_instance_with(&config).await;
        self.anonymous.clone()
    }

    /// Restarts the service with a payment provider at `url`.
    pub(crate) async fn restart_with_payment_provider(&mut self, url: &str) {
        self.stop_instances().await;
        let file = self.credentials.file("provider");
        std::fs::write(&file, PROVIDER_SECRET).unwrap();
        let (payment_provider_url, payment_provider_secret_file) =
            (Some(url.parse().unwrap()), Some(file));
        let config =
            Config { payment_provider_url, payment_provider_secret_file, ..self.config.clone() };
        self.anonymous = self.start_instance_with(&config).await;
    }

    /// Restarts the service with another limit for an attempt to send a webhook.
    pub(crate) async fn restart_with_webhook_timeout(&mut self, limit: Duration) -> Client {
        self.stop_instances().await;
        let config = Config { webhook_timeout: limit, ..self.config.clone() };
        self.anonymous = self.start_instance_with(&config).await;
        self.anonymous.clone()
    }

    /// Ends all instances as SIGKILL does.
    pub(crate) async fn kill_instances(&mut self) {
        for instance in self.instances.drain(..) {
            instance.kill().await;
        }
    }

    async fn stop_instances(&mut self) {
        for instance in self.instances.drain(..) {
            instance.stop().await;
        }
    }

    /// Starts an instance in place of those that were killed.
    pub(crate) async fn restart(&mut self) {
        self.anonymous = self.start_instance().await;
    }

    /// Runs statements in the service's database.
    pub(crate) async fn run(&self, statements: &str) {
        self.database.run(statements).await.unwrap();
    }

    /// Starts an instance without a webhook secret.
    pub(crate) async fn start_without_secret(&mut self) -> Client {
        let config = Config { webhook_secret_file: None, ..self.config.clone() };
        self.start_instance_with(&config).await
    }

    /// Starts an instance that allows a customer ten unpaid orders, as a shop does by default.
    pub(crate) async fn start_with_few_unpaid_orders(&mut self) -> Client {
        let config = Config { max_unpaid_orders: 10, ..self.config.clone() };
        self.start_instance_with(&config).await
    }

    /// Starts an instance where customers cannot pay with play money.
    pub(crate) async fn start_without_test_payments(&mut self) -> Client {
        let config = Config { test_payments: false, ..self.config.clone() };
        self.start_instance_with(&config).await
    }

    /// Starts an instance with product-catalog at `url`.
    pub(crate) async fn start_with_catalogue(&mut self, url: &str) -> Client {
        let product_catalog_url = url.parse().unwrap();
        self.start_instance_with(&Config { product_catalog_url, ..self.config.clone() }).await
    }

    /// The error of an instance that has these queues for the classes of orders.
    pub(crate) async fn start_error_with_queues(&self, queues: &str) -> String {
        let priority_queues = Some(queues.parse().unwrap());
        let config = Config { priority_queues, ..self.config.clone() };
        let lifecycle = Lifecycle::new(LONGEST_WAIT);
        let error = runtime::host::start::<OrderService>(&config, &lifecycle).await.unwrap_err();
        problem::chain(&error)
    }

    async fn start_instance_with(&mut self, config: &Config) -> Client {
        let instance = Instance::start::<OrderService>(config).await;
        let client =
            Client { base: instance.base().to_owned(), token: None, http: reqwest::Client::new() };
        self.instances.push(instance);
        client
    }

    /// A client with a token, at the first instance.
    pub(crate) fn client(&self, subject: &str, scopes: &[Scope]) -> Client {
        self.client_of(&self.anonymous, subject, scopes)
    }

    /// A client with a token, at the instance of `client`.
    pub(crate) fn client_of(&self, client: &Client, subject: &str, scopes: &[Scope]) -> Client {
        Client { token: Some(self.credentials.token(subject, scopes)), ..client.clone() }
    }

    /// A customer who may place and read orders.
    pub(crate) fn customer(&self) -> (CustomerId, Client) {
        let id = CustomerId::new();
        (id, self.client(&id.to_string(), &[Scope::OrdersWrite, Scope::OrdersRead]))
    }

    /// An administrator of all orders and operations.
    pub(crate) fn admin(&self) -> Client {
        self.client("admin", &[Scope::OrdersAdmin, Scope::Ops])
    }

    /// Publishes an event of the catalogue, and waits for its receipt.
    pub(crate) async fn publish_product<E: Event>(
        &self,
        event: &E,
        product: ProductId,
        version: Version,
    ) {
        self.catalogue.publish(event).await;
        self.wait_for_receipt(product, version, "applied").await;
    }

    pub(crate) async fn wait_for_receipt(
        &self,
        product: ProductId,
        version: Version,
        outcome: &str,
    ) {
        wait_for("the receipt has arrived", LONGEST_WAIT, async || {
            let found: Option<String> = sqlx::query_scalar(
                "select outcome from receipt where product_id = $1 and version = $2 and service = 'order'",
            )
            .bind(product.as_uuid())
            .bind(version.get())
            .fetch_optional(self.catalogue.outbox().pool())
            .await
            .unwrap();
            if found.as_deref() == Some(outcome) { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await
        .unwrap();
    }

    /// Publishes a product with these prices, and waits for its receipt.
    pub(crate) async fn sell(&self, prices: &[(&str, i64)]) -> ProductId {
        let product = ProductId::new();
        let changed = changed(product, 1, ProductStatus::Active, prices);
        self.publish_product(&changed, product, Version::FIRST).await;
        product
    }

    /// The state of an order's reservation, and the number of events that ended the order.
    pub(crate) async fn reservation(&self, order: &str) -> Option<(String, i64)> {
        sqlx::query_as("select state, end_events from reservation where order_id = $1::uuid")
            .bind(order)
            .fetch_optional(self.inventory.outbox().pool())
            .await
            .unwrap()
    }

    /// Waits until the reservation has this state and this number of events.
    pub(crate) async fn wait_for_reservation(&self, order: &str, state: &str, end_events: i64) {
        wait_for("inventory has caught up", LONGEST_WAIT, async || {
            let found = self.reservation(order).await;
            if found == Some((state.to_owned(), end_events)) {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await
        .unwrap();
    }

    /// The states of an order's payments, oldest first.
    pub(crate) async fn payments(&self, order: &str) -> Vec<String> {
        sqlx::query_scalar("select state from payment where order_id = $1::uuid order by id")
            .bind(order)
            .fetch_all(&self.order)
            .await
            .unwrap()
    }

    /// Makes the database refuse every order for this SKU.
    pub(crate) async fn refuse_sku(&self, sku: &str) {
        let trigger = format!(
            "create function refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'refused by the test'; end $$;
             create trigger refuse before insert on order_line for each row when (new.sku = '{sku}') execute function refuse();"
        );
        self.database.run(&trigger).await.unwrap();
    }

    /// The count that a query returns from the service's database.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.order).await.unwrap()
    }

    /// Stops everything, after all outboxes, queues and parked events are empty.
    pub(crate) async fn close(self) {
        let pools = [&self.order, self.inventory.outbox().pool(), self.catalogue.outbox().pool()];
        wait_for("outboxes and parked events are empty", LONGEST_WAIT, async || {
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
        self.vhost.wait_until_drained(LONGEST_WAIT).await.unwrap();
        for instance in &self.instances {
            instance.stop().await;
        }
        self.doubles.shutdown();
        self.doubles.run_until_shutdown().await;
        self.order.close().await;
        drop(self.database);
    }
}

/// A version of a product.
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
        compare_at_price: None,
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

/// An event of product-catalog with a missing body.
#[derive(Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct UnreadableChange {
    pub(crate) product_id: ProductId,
    pub(crate) version: Version,
}

impl Event for UnreadableChange {
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
            Subscription::to(RECEIPT, ["order"], OnReject::Continue)
                .on(RecordApplied)
                .on(RecordFailed),
        )
}

struct RecordApplied;

impl Handler for RecordApplied {
    type Event = ProductAppliedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductAppliedV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            for applied in &delivered.event.applied {
                record_receipt(
                    tx,
                    applied.product_id,
                    applied.version,
                    &delivered.event.service,
                    "applied",
                )
                .await?;
            }
        }
        Ok(())
    }
}

struct RecordFailed;

impl Handler for RecordFailed {
    type Event = ProductFailedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductFailedV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let failed = delivered.event.failed;
            record_receipt(
                tx,
                failed.product_id,
                failed.version,
                &delivered.event.service,
                "failed",
            )
            .await?;
        }
        Ok(())
    }
}

async fn record_receipt(
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
