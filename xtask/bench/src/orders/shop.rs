//! All services with products in stock, and the customers.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{ManagementClient, Postgres, Process, wait_for};
use uuid::Uuid;
use xtask::arguments::SERVICES;

use crate::{
    buyers::Buyers,
    error::Error,
    load::product,
    order_client::{Customer, OrderClient},
    private_suite::{Limits, MessageKeys, PrivateSuite},
};

/// The number of customers. Each order is of the next one.
pub(super) const CUSTOMERS: usize = 10_000;

pub(super) const PRODUCTS: usize = 100;

/// The SKUs of a product.
pub(super) const VARIANTS: usize = 5;

/// The stock of each SKU, more than any run sells.
pub(super) const STOCK: u64 = 1_000_000;

/// The stock of the flash sale.
pub(super) const FLASH_STOCK: u64 = 100;

const FLASH_SKU: &str = "BENCH-FLASH";

/// Nothing ships while the bench runs.
pub(super) const SHIP_AFTER_S: u32 = 86_400;

/// There are enough customers for the bounds of the running shop.
pub(super) const LIMITS: Limits = Limits::Default;

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Timeout until all services know the products.
const TIMEOUT: Duration = Duration::from_mins(2);

/// The databases that are checked and whose statistics are read.
pub(super) struct Databases {
    pub(super) order: PgPool,
    pub(super) inventory: PgPool,
    pub(super) behavior: PgPool,
}

impl Databases {
    /// Adds messages to a webhook endpoint, each with a key of its own.
    pub(super) async fn add_webhooks(&self, endpoint: &str, count: i32) -> Result<(), Error> {
        let added: i64 = sqlx::query_scalar(
            "with message as (
                 insert into webhook_message (id, event_type, body, occurred_at, created_at)
                 select gen_random_uuid(), 'order.paid',
                     convert_to(json_build_object('type', 'order.paid', 'timestamp', now(), 'data', repeat('x', 400))::text, 'UTF8'),
                     now(), now()
                 from generate_series(1, $2)
                 returning id
             ), delivery as (
                 insert into webhook_delivery (endpoint_id, message_id, key, status, in_order, started_at, next_attempt_at)
                 select $1::uuid, id, id::text, 'pending', true, now(), now() from message
                 returning 1
             )
             select count(*) from delivery",
        )
        .bind(endpoint)
        .bind(count)
        .fetch_one(&self.order)
        .await?;
        if added == i64::from(count) { Ok(()) } else { Err(Error::Timeout("webhooks are added")) }
    }

    /// The number of confirmed orders.
    pub(super) async fn confirmed_orders(&self) -> Result<u64, Error> {
        let query = "select count(*) from orders where status = 'confirmed'";
        let confirmed: i64 = sqlx::query_scalar(query).fetch_one(&self.order).await?;
        Ok(u64::try_from(confirmed).unwrap_or_default())
    }

    /// The number of delivered webhooks.
    pub(super) async fn delivered_webhooks(&self) -> Result<i64, Error> {
        let query = "select count(*) from webhook_delivery where status = 'delivered'";
        Ok(sqlx::query_scalar(query).fetch_one(&self.order).await?)
    }
}

pub(super) struct Shop {
    client: Arc<OrderClient>,
    customers: Arc<[Customer]>,
    skus: Vec<String>,
    token: String,
    pub(super) databases: Databases,
    /// The services and servers with the ids of their processes.
    pub(super) processes: Vec<(&'static str, u32)>,
    suite: PrivateSuite,
}

impl Shop {
    pub(super) async fn start() -> Result<Self, Error> {
        Self::start_with(MessageKeys::None, &[]).await
    }

    /// Starts a shop whose services have these environment variables as well.
    pub(super) async fn start_with_settings(settings: &[(&str, &str)]) -> Result<Self, Error> {
        Self::start_with(MessageKeys::None, settings).await
    }

    /// Starts a shop whose services sign their messages, and refuse others.
    pub(super) async fn start_signed() -> Result<Self, Error> {
        Self::start_with(MessageKeys::Generated, &[]).await
    }

    async fn start_with(keys: MessageKeys, more: &[(&str, &str)]) -> Result<Self, Error> {
        let ship_after = SHIP_AFTER_S.to_string();
        let mut settings = vec![
            ("TEST_PAYMENTS", "true"),
            ("SHIP_AFTER", ship_after.as_str()),
            ("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true"),
        ];
        settings.extend_from_slice(more);
        let mut suite =
            PrivateSuite::start_with("bench-orders", &SERVICES, LIMITS, &settings, keys).await?;
        let customers = customers(&suite, &[Scope::OrdersRead, Scope::OrdersWrite])?;
        let sku = |product, variant| format!("BENCH-{product}-{variant}");
        let skus_of = |product| (0..VARIANTS).map(move |variant| sku(product, variant));
        let shop = Self {
            client: Arc::new(OrderClient::new(suite.url("order")?)?),
            customers,
            skus: (0..PRODUCTS).flat_map(skus_of).collect(),
            token: suite
                .token("bench", &[Scope::CatalogWrite, Scope::StockWrite, Scope::OrdersAdmin])?,
            databases: Databases {
                order: suite.database("order").await?,
                inventory: suite.database("inventory").await?,
                behavior: suite.database("behavior-analytics").await?,
            },
            processes: suite.process_ids()?,
            suite,
        };
        shop.fill().await?;
        Ok(shop)
    }

    /// Creates the products and sets their stock.
    async fn fill(&self) -> Result<(), Error> {
        let flash = [FLASH_SKU.to_owned()];
        let products = self.skus.chunks(VARIANTS).chain([flash.as_slice()]);
        for (number, skus) in products.enumerate() {
            let body = product(&format!("基准测试商品 {number}"), skus);
            self.post("product-catalog", "/v1/products", &body).await?;
        }
        let line = |sku: &str, stock| json!({ "sku": sku, "on_hand": stock });
        let mut lines: Vec<Value> = self.skus.iter().map(|sku| line(sku, STOCK)).collect();
        lines.push(line(FLASH_SKU, FLASH_STOCK));
        let (count, body) = (lines.len(), Value::Array(lines));
        wait_for("inventory knows all SKUs", TIMEOUT, async || {
            let results = self.post("inventory", "/v1/stock", &body).await;
            match results.map_err(|error| error.to_string())?["accepted"].as_u64() {
                Some(accepted) if usize::try_from(accepted) == Ok(count) => Ok(()),
                accepted => Err(format!("{accepted:?} of {count}")),
            }
        })
        .await?;
        wait_for("the order service knows all prices", TIMEOUT, async || {
            let offers: Result<i64, _> =
                sqlx::query_scalar("select count(*) from offer where for_sale")
                    .fetch_one(&self.databases.order)
                    .await;
            match offers {
                Ok(offers) if usize::try_from(offers) == Ok(count) => Ok(()),
                Ok(offers) => Err(format!("{offers} of {count}")),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?;
        Ok(())
    }

    pub(super) async fn post(
        &self,
        service: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Error> {
        let url = format!("{}{path}", self.suite.url(service)?);
        let (http, token) = (self.suite.http(), &self.token);
        let answer = http.send_as(Method::POST, &url, token, Some(body), REQUEST_TIMEOUT).await?;
        Ok(answer.success()?.json()?)
    }

    /// Buyers of all SKUs but that of the flash sale.
    pub(super) fn buyers(&self) -> Arc<Buyers> {
        Buyers::new(self.client.clone(), self.customers.clone(), self.skus.clone())
    }

    /// The same with other customers, whose tokens have these scopes.
    pub(super) fn buyers_with(&self, scopes: &[Scope]) -> Result<Arc<Buyers>, Error> {
        let customers = customers(&self.suite, scopes)?;
        Ok(Buyers::new(self.client.clone(), customers, self.skus.clone()))
    }

    /// The process of inventory.
    pub(super) fn inventory(&self) -> Result<&Process, Error> {
        self.suite.process("inventory")
    }

    /// Buyers of the flash sale.
    pub(super) fn flash_buyers(&self) -> Arc<Buyers> {
        Buyers::new(self.client.clone(), self.customers.clone(), vec![FLASH_SKU.to_owned()])
    }

    /// The number of requests that were refused with 503, and repeated.
    pub(super) fn refusals(&self) -> u64 {
        self.client.refusals()
    }

    pub(super) fn postgres(&self) -> &Postgres {
        self.suite.postgres()
    }

    pub(super) fn management(&self) -> &ManagementClient {
        self.suite.management()
    }

    /// The metrics of a service in the format of Prometheus.
    pub(super) async fn metrics(&self, service: &str) -> Result<String, Error> {
        let url = format!("{}/metrics", self.suite.url(service)?);
        let token = self.suite.token("bench", &[Scope::Ops])?;
        let http = self.suite.http();
        let answer = http.send_as(Method::GET, &url, &token, None, REQUEST_TIMEOUT).await?;
        Ok(answer.success()?.text())
    }

    /// Where servers and services keep their files.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.suite.folder()
    }

    /// A new file beside the logs.
    pub(super) fn file(&self, name: &str) -> std::path::PathBuf {
        self.suite.file(name)
    }

    pub(super) async fn stop(self) -> Result<(), Error> {
        self.suite.stop().await
    }
}

/// New customers, whose tokens have these scopes.
fn customers(suite: &PrivateSuite, scopes: &[Scope]) -> Result<Arc<[Customer]>, Error> {
    let customer = |_| {
        let id = Uuid::now_v7();
        Ok(Customer { id, token: suite.token(&id.to_string(), scopes)? })
    };
    (0..CUSTOMERS).map(customer).collect()
}
