//! A whole suite on servers of a test's own, and what people do with it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use reqwest::{Client, Method};
use runtime::auth::{Scope, SigningKey, mint};
use serde_json::{Value, json};
use sqlx::Connection as _;
use tempfile::TempDir;
use testkit::{Database, Postgres, Process, Program, Proxy, RabbitMq, Vhost, free_port, wait_for};
use uuid::Uuid;

use crate::{Answer, Error, SERVICES, audit, programs_folder};

/// How long the suite may take to come up, or a state to come.
const SOON: Duration = Duration::from_mins(1);

/// The servers under a suite.
#[derive(Debug)]
pub enum Servers {
    /// Databases and a vhost of its own on the servers that all tests share.
    Shared {
        /// One for each service.
        databases: Vec<Database>,
        /// For all services.
        vhost: Vhost,
    },
    /// Servers of its own, which it may kill.
    Own {
        /// PostgreSQL.
        postgres: Box<Postgres>,
        /// RabbitMQ.
        rabbitmq: Box<RabbitMq>,
        /// The way from the services to RabbitMQ, which may be cut, slowed and made to swallow.
        way: Proxy,
    },
}

/// One program of the suite and its process, if it runs.
#[derive(Debug)]
struct Running {
    program: Program,
    process: Option<Process>,
}

/// The name of a service's second instance.
pub fn second(service: &str) -> String {
    format!("{service}-2")
}

/// The running suite.
pub struct Shop {
    /// What it runs on.
    pub servers: Servers,
    /// By instance: the first of a service has the service's name, the second that of [`second`].
    programs: BTreeMap<String, Running>,
    urls: BTreeMap<String, String>,
    databases: BTreeMap<&'static str, String>,
    amqp_url: String,
    /// What else the services are told by their environment.
    settings: Vec<(&'static str, &'static str)>,
    key: SigningKey,
    client: Client,
    folder: TempDir,
}

impl Shop {
    /// A suite on the shared servers.
    pub async fn open() -> Result<Self, Error> {
        let mut databases = Vec::new();
        for _ in SERVICES {
            databases.push(Database::create().await?);
        }
        let urls: Vec<String> =
            databases.iter().map(|database| database.url().to_owned()).collect();
        let vhost = Vhost::create().await?;
        let amqp_url = vhost.url().to_owned();
        Self::start(Servers::Shared { databases, vhost }, &urls, &amqp_url, &[]).await
    }

    /// A suite on servers of its own, whose services have these `settings` in their environment.
    pub async fn open_on_own_servers(
        settings: &[(&'static str, &'static str)],
    ) -> Result<Self, Error> {
        let (postgres, rabbitmq) = tokio::join!(Postgres::start(), RabbitMq::start());
        let (postgres, rabbitmq) = (Box::new(postgres?), Box::new(rabbitmq?));
        let mut urls = Vec::new();
        for service in SERVICES {
            urls.push(testkit::create_database(&postgres.url(), service).await?);
        }
        let (way, amqp_url) = Proxy::before(&rabbitmq.url()).await?;
        Self::start(Servers::Own { postgres, rabbitmq, way }, &urls, &amqp_url, settings).await
    }

    async fn start(
        servers: Servers,
        databases: &[String],
        amqp_url: &str,
        settings: &[(&'static str, &'static str)],
    ) -> Result<Self, Error> {
        let folder = TempDir::new()?;
        let key = SigningKey::generate()?;
        let (private, public) = (folder.path().join("token.key"), folder.path().join("token.pub"));
        key.write_pair(&private, &public)?;
        std::fs::write(folder.path().join("webhook.secret"), Uuid::new_v4().to_string())?;
        let mut shop = Self {
            servers,
            programs: BTreeMap::new(),
            urls: BTreeMap::new(),
            amqp_url: amqp_url.to_owned(),
            databases: SERVICES.into_iter().zip(databases.iter().cloned()).collect(),
            settings: settings.to_vec(),
            key,
            client: Client::builder().no_proxy().build()?,
            folder,
        };
        // All addresses first: a service is told where another is.
        let mut addresses = BTreeMap::new();
        for service in SERVICES {
            let address = format!("127.0.0.1:{}", free_port()?);
            shop.urls.insert(service.to_owned(), format!("http://{address}"));
            addresses.insert(service, address);
        }
        for (service, address) in &addresses {
            let program = shop.program(service, service, address)?;
            let running = Running { program, process: None };
            shop.programs.insert((*service).to_owned(), running);
        }
        // All migrations and queues first: no event is said before the queues of its listeners are there.
        let migrating = SERVICES
            .iter()
            .map(|service| shop.programs[*service].program.clone().argument("migrate").start());
        for migration in migrating.collect::<Result<Vec<_>, _>>()? {
            let mut migration = migration;
            migration.wait_for_success(SOON).await?;
        }
        for service in SERVICES {
            shop.launch(service)?;
        }
        shop.wait_until_ready().await?;
        Ok(shop)
    }

    /// Starts a second instance of every service, and waits until all are ready.
    pub async fn launch_seconds(&mut self) -> Result<(), Error> {
        for service in SERVICES {
            let (instance, address) = (second(service), format!("127.0.0.1:{}", free_port()?));
            let program = self.program(service, &instance, &address)?;
            self.urls.insert(instance.clone(), format!("http://{address}"));
            self.programs.insert(instance.clone(), Running { program, process: None });
            self.launch(&instance)?;
        }
        self.wait_until_ready().await
    }

    fn program(
        &self,
        service: &'static str,
        instance: &str,
        address: &str,
    ) -> Result<Program, Error> {
        let path = programs_folder()?.join(service);
        if !path.exists() {
            return Err(Error::NotBuilt(path));
        }
        let file = |name: &str| self.folder.path().join(name);
        // An index belongs to one process.
        let index = instance.replace("search-sync", "index");
        let program = Program::new(instance, path, file(&format!("{instance}.log")));
        let told =
            self.settings.iter().fold(program, |told, (name, value)| told.variable(name, value));
        Ok(told
            .variable("DATABASE_URL", &self.databases[service])
            .variable("AMQP_URL", &self.amqp_url)
            .variable("HTTP_ADDR", address)
            .variable("TOKEN_PUBLIC_KEY_FILE", file("token.pub"))
            .variable("WEBHOOK_SECRET_FILE", file("webhook.secret"))
            .variable("INDEX_DIR", file(&index))
            .variable("PRODUCT_CATALOG_URL", self.url("product-catalog")))
    }

    /// Starts an instance's process; it is not yet ready.
    pub fn launch(&mut self, service: &str) -> Result<(), Error> {
        if let Some(running) = self.programs.get_mut(service) {
            running.process = Some(running.program.clone().argument("serve").start()?);
        }
        Ok(())
    }

    /// Kills a service's process with SIGKILL.
    pub async fn kill(&mut self, service: &str) -> Result<(), Error> {
        let process = self.programs.get_mut(service).and_then(|running| running.process.take());
        if let Some(mut process) = process {
            process.kill().await?;
        }
        Ok(())
    }

    /// Freezes a service's process with SIGSTOP.
    pub fn pause(&self, service: &str) -> Result<(), Error> {
        let process = self.programs.get(service).and_then(|running| running.process.as_ref());
        Ok(process.map_or(Ok(()), Process::pause)?)
    }

    /// Lets a service's process go on after [`pause`](Self::pause).
    pub fn resume(&self, service: &str) -> Result<(), Error> {
        let process = self.programs.get(service).and_then(|running| running.process.as_ref());
        Ok(process.map_or(Ok(()), Process::resume)?)
    }

    /// Lets processes that stand still go on, and starts those again that are gone.
    pub fn revive(&mut self) -> Result<(), Error> {
        let instances: Vec<String> = self.programs.keys().cloned().collect();
        for instance in instances {
            match self.programs.get(&instance).and_then(|running| running.process.as_ref()) {
                Some(process) if process.is_alive() => process.resume()?,
                _ => self.launch(&instance)?,
            }
        }
        Ok(())
    }

    /// Where a service listens.
    pub fn url(&self, service: &str) -> &str {
        self.urls.get(service).map(String::as_str).unwrap_or_default()
    }

    /// Waits until every instance of every service says that it is ready.
    pub async fn wait_until_ready(&self) -> Result<(), Error> {
        for service in self.urls.keys() {
            wait_for(&format!("{service} is ready"), SOON, async || {
                match self.get(service, "/health/ready").await {
                    Ok(answer) if answer.status.is_success() => Ok(()),
                    Ok(answer) => Err(answer.body.to_string()),
                    Err(error) => {
                        Err(format!("{error:?}; its log ends with:\n{}", self.log_tail(service)))
                    }
                }
            })
            .await?;
        }
        Ok(())
    }

    fn log_tail(&self, service: &str) -> String {
        let process = self.programs.get(service).and_then(|running| running.process.as_ref());
        process.map(Process::log_tail).unwrap_or_default()
    }

    /// The log of a service.
    pub fn log(&self, service: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{service}.log"))
    }

    /// The folder with the secrets and logs of the run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops every service as SIGTERM does, and waits for their ends.
    pub async fn close(mut self) -> Result<(), Error> {
        for running in self.programs.values_mut() {
            if let Some(process) = &mut running.process {
                let status = process.stop(SOON).await?;
                if !status.success() {
                    let tail = process.log_tail();
                    return Err(Error::Unexpected(format!(
                        "{} ended with {status}:\n{tail}",
                        process.name()
                    )));
                }
            }
        }
        Ok(())
    }

    /// A token for `subject` with `scopes`.
    pub fn token(&self, subject: &str, scopes: &[Scope]) -> Result<String, Error> {
        Ok(mint(&self.key, subject, scopes, Duration::from_hours(1))?)
    }

    /// Asks a service, as whoever `token` says.
    pub async fn call(
        &self,
        method: Method,
        service: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let url = format!("{}{path}", self.urls[service]);
        let mut request = self.client.request(method, url).timeout(SOON);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await?).await
    }

    /// Reads what everybody may read.
    pub async fn get(&self, service: &str, path: &str) -> Result<Answer, Error> {
        self.call(Method::GET, service, path, None, &[], None).await
    }

    /// Makes a product with one variant.
    pub async fn make_product(&self, title: &str, sku: &str, price: i64) -> Result<Answer, Error> {
        let token = self.token("tester", &[Scope::CatalogWrite])?;
        let body = product(title, sku, price);
        self.call(Method::POST, "product-catalog", "/v1/products", Some(&token), &[], Some(&body))
            .await?
            .expect_status(201)
    }

    /// Writes a product anew.
    pub async fn put_product(
        &self,
        id: &str,
        title: &str,
        sku: &str,
        price: i64,
    ) -> Result<Answer, Error> {
        let token = self.token("tester", &[Scope::CatalogWrite])?;
        let (path, body) = (format!("/v1/products/{id}"), product(title, sku, price));
        self.call(Method::PUT, "product-catalog", &path, Some(&token), &[], Some(&body))
            .await?
            .expect_status(200)
    }

    /// Waits until every service has applied a change.
    pub async fn wait_for_change(&self, change_id: &str) -> Result<Answer, Error> {
        let path = format!("/v1/changes/{change_id}?wait_ms=1000");
        Ok(wait_for("every service has applied the change", SOON, async || {
            match self.get("product-catalog", &path).await {
                Ok(answer) if answer.body["complete"] == json!(true) => Ok(answer),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?)
    }

    /// Puts `on_hand` pieces into the warehouse, as soon as inventory has heard of the SKU.
    pub async fn stock(&self, sku: &str, on_hand: i64) -> Result<(), Error> {
        self.stock_in(sku, on_hand, None).await
    }

    /// The same in a warehouse of this id, or in the main one.
    pub async fn stock_in(
        &self,
        sku: &str,
        on_hand: i64,
        warehouse: Option<&str>,
    ) -> Result<(), Error> {
        let token = self.token("tester", &[Scope::StockWrite])?;
        let path = format!("/v1/stock/{sku}");
        let body = json!({ "on_hand": on_hand, "warehouse_id": warehouse });
        wait_for("the stock is set", SOON, async || {
            let set =
                self.call(Method::PUT, "inventory", &path, Some(&token), &[], Some(&body)).await;
            match set {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?;
        Ok(())
    }

    /// Opens a warehouse: its id.
    pub async fn open_warehouse(&self, name: &str) -> Result<String, Error> {
        let token = self.token("tester", &[Scope::StockWrite])?;
        let body = json!({ "name": name });
        let opened = self
            .call(Method::POST, "inventory", "/v1/warehouses", Some(&token), &[], Some(&body))
            .await?;
        Ok(opened.expect_status(201)?.text("/id"))
    }

    /// A product that is known everywhere, with stock.
    pub async fn stocked_product(
        &self,
        title: &str,
        sku: &str,
        price: i64,
        on_hand: i64,
    ) -> Result<Answer, Error> {
        let made = self.make_product(title, sku, price).await?;
        self.wait_for_change(&made.header("change-id")).await?;
        self.stock(sku, on_hand).await?;
        Ok(made)
    }

    /// Places an order for one SKU, and answers what the service says.
    pub async fn order(
        &self,
        customer: &str,
        sku: &str,
        quantity: i64,
        key: Option<&str>,
    ) -> Result<Answer, Error> {
        let token = self.token(customer, &[Scope::OrdersWrite])?;
        let body = order(customer, sku, quantity, "test");
        let key: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        self.call(Method::POST, "order", "/v1/orders", Some(&token), &key, Some(&body)).await
    }

    /// An order as the shop's own people see it.
    pub async fn read_order(&self, id: &str) -> Result<Answer, Error> {
        let token = self.token("tester", &[Scope::OrdersAdmin])?;
        let path = format!("/v1/orders/{id}");
        self.call(Method::GET, "order", &path, Some(&token), &[], None).await?.expect_status(200)
    }

    /// Waits until an order has one of `statuses`.
    pub async fn wait_for_order(&self, id: &str, statuses: &[&str]) -> Result<Answer, Error> {
        Ok(wait_for(&format!("the order is {statuses:?}"), SOON * 2, async || {
            match self.read_order(id).await {
                Ok(answer) if statuses.contains(&answer.text("/status").as_str()) => Ok(answer),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?)
    }

    /// The level of a SKU: on hand, reserved, available.
    pub async fn level(&self, sku: &str) -> Result<(i64, i64, i64), Error> {
        let answer =
            self.get("inventory", &format!("/v1/stock/{sku}")).await?.expect_status(200)?;
        let number = |field| answer.number(field).unwrap_or(i64::MIN);
        Ok((number("/on_hand"), number("/reserved"), number("/available")))
    }

    /// Where the databases are, for looking into them.
    pub fn databases(&self) -> audit::Databases {
        audit::Databases::new(self.databases.clone())
    }

    /// What an audit of everything says now.
    pub async fn audit(&self) -> Result<audit::Findings, Error> {
        let databases = self.databases();
        let (management, vhost, amqp_url) = match &self.servers {
            Servers::Shared { vhost, .. } => {
                (vhost.management(), vhost.name(), vhost.url().to_owned())
            }
            Servers::Own { rabbitmq, .. } => (rabbitmq.management(), "/", rabbitmq.url()),
        };
        let broker = audit::Broker { management, vhost, amqp_url: &amqp_url };
        let token = self.token("tester", &[Scope::Ops])?;
        let indexes = ["search-sync".to_owned(), second("search-sync")];
        let search: Vec<&str> =
            indexes.iter().filter_map(|name| Some(self.urls.get(name)?.as_str())).collect();
        let (broker, search, token) = (Some(broker), &*search, &*token);
        audit::run(audit::Suite { databases: &databases, broker, search, token }).await
    }

    /// How the queues of a service are divided now: how many each living instance has, in ascending order, and how many there are.
    /// The queues are those that anybody has ever held.
    pub async fn shares(&self, service: &'static str) -> Result<(Vec<i64>, i64), Error> {
        let mut connection = self.databases().connect(service).await?;
        let shares = sqlx::query_scalar(
            "select count(l.queue) from messaging.living_member m
             left join messaging.lane l on l.holder = m.id group by m.id order by 1",
        )
        .fetch_all(&mut connection)
        .await?;
        let queues = sqlx::query_scalar("select count(*) from messaging.lane")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok((shares, queues))
    }

    /// Waits until traffic rests, at most `limit`, and finds nothing that does not hold: what was looked at.
    pub async fn wait_until_sound(&self, limit: Duration) -> Result<audit::Findings, Error> {
        let sound = wait_for("the audit finds nothing", limit, async || match self.audit().await {
            Ok(findings) if findings.is_sound() => Ok(findings),
            Ok(findings) => Err(findings.to_string()),
            Err(error) => Err(format!("{error:?}")),
        });
        Ok(sound.await?)
    }

    /// Waits until traffic rests, and finds nothing that does not hold, and no dead letter.
    pub async fn assert_sound(&self) -> Result<(), Error> {
        let findings = self.wait_until_sound(SOON * 2).await?;
        match findings.looked_at().get("pending_dead_letters") {
            Some(0) => {}
            pending => return Err(Error::Unexpected(format!("{pending:?} dead letters"))),
        }
        if let Servers::Shared { vhost, .. } = &self.servers {
            vhost.at_rest(SOON).await?;
        }
        Ok(())
    }
}

/// A product as it is sent.
pub(crate) fn product(title: &str, sku: &str, price: i64) -> Value {
    json!({
        "title": { "zh": title },
        "description": { "zh": "测试商品" },
        "brand": "极光",
        "category": "数码/电脑外设/机械键盘",
        "attributes": { "轴体": "红轴" },
        "images": [],
        "status": "active",
        "variants": [{ "sku": sku, "options": {}, "price": { "amount": price, "currency": "CNY" } }],
    })
}

/// An order as it is sent.
pub(crate) fn order(customer: &str, sku: &str, quantity: i64, method: &str) -> Value {
    json!({
        "customer_id": customer,
        "lines": [{ "sku": sku, "quantity": quantity }],
        "shipping_address": { "name": "Test Buyer", "line1": "Example Street 1", "city": "Hangzhou", "country": "CN" },
        "payment": { "method": method },
    })
}
