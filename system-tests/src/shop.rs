//! A whole suite under test, and requests to it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use audit::SERVICES;
use database_roles::{AUDIT, RECONCILE};
use reqwest::{Client, Method};
use runtime::auth::{Scope, SigningKey, mint};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use testkit::{
    Authentication, DataDir, Database, ManagementClient, Postgres, PostgresSettings, Process,
    Program, Proxy, RabbitMq, Vhost, free_port, wait_for,
};
use uuid::Uuid;

use crate::{call::Answer, error::Error, programs::programs_folder, roles};

/// Timeout of a start, of a stop, of a request, and until an expected state.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The name of the console, which has no database.
pub const CONSOLE: &str = "console";

/// What one client may do: everything is counted, and nothing is refused.
const CLIENT_LIMITS: (&str, &str) = ("CLIENT_LIMITS", "bench");

/// The servers under a suite.
#[derive(Debug)]
pub enum Servers {
    /// Databases and a vhost on the servers that all tests share.
    Shared {
        /// One for each service.
        databases: Vec<Database>,
        vhost: Box<Vhost>,
    },
    /// Private servers, which tests may kill.
    Private {
        postgres: Box<Postgres>,
        rabbitmq: Box<RabbitMq>,
        /// Between the services and RabbitMQ; injects network faults.
        proxy: Proxy,
    },
}

/// An instance of a service, and its process if it runs.
#[derive(Debug)]
struct Instance {
    program: Program,
    process: Option<Process>,
}

/// The name of a service's second instance.
pub fn second(service: &str) -> String {
    format!("{service}-2")
}

/// A running suite.
pub struct Shop {
    pub servers: Servers,
    /// By name: that of the service, or [`second`] of it.
    instances: BTreeMap<String, Instance>,
    urls: BTreeMap<String, String>,
    /// Where the catalogue serves other services.
    internal_catalogue: String,
    databases: BTreeMap<&'static str, String>,
    amqp_url: String,
    /// Additional environment variables of the services.
    settings: Vec<(&'static str, &'static str)>,
    key: SigningKey,
    client: Client,
    folder: TempDir,
}

/// After a failed test, keeps the logs, and prints how they end.
impl Drop for Shop {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the logs of the instances are kept in {}", self.folder.path().display());
            for name in self.instances.keys() {
                eprintln!("the log of {name} ends with:\n{}", self.log_tail(name));
            }
        }
    }
}

impl Shop {
    /// Starts a suite on the shared servers.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(&[]).await
    }

    /// Starts a suite on the shared servers, whose services have these additional environment variables.
    pub async fn start_with(settings: &[(&'static str, &'static str)]) -> Result<Self, Error> {
        let mut databases = Vec::new();
        for _ in SERVICES {
            databases.push(Database::create().await?);
        }
        let urls: Vec<String> =
            databases.iter().map(|database| database.url().to_owned()).collect();
        let vhost = Box::new(Vhost::create().await?);
        let amqp_url = vhost.url().to_owned();
        Self::start_on(Servers::Shared { databases, vhost }, &urls, &amqp_url, settings).await
    }

    /// Starts a suite with private servers, whose services have these additional environment variables. `data_dir` creates the data
    /// directories of the servers.
    pub async fn start_with_private_servers(
        data_dir: fn(&str) -> Result<DataDir, testkit::Error>,
        settings: &[(&'static str, &'static str)],
    ) -> Result<Self, Error> {
        let (postgres, rabbitmq) = (data_dir("postgres")?, data_dir("rabbitmq")?);
        let authentication = Authentication::Passwords;
        let postgres =
            PostgresSettings { data_dir: postgres, port: None, tls: None, authentication };
        let (postgres, rabbitmq) =
            tokio::join!(Postgres::start_with(postgres), RabbitMq::start_in(rabbitmq));
        let (postgres, rabbitmq) = (Box::new(postgres?), Box::new(rabbitmq?));
        let mut urls = Vec::new();
        for service in SERVICES {
            urls.push(testkit::create_database(&postgres.url(), service).await?);
        }
        let (proxy, amqp_url) = Proxy::in_front_of(&rabbitmq.url()).await?;
        Self::start_on(Servers::Private { postgres, rabbitmq, proxy }, &urls, &amqp_url, settings)
            .await
    }

    async fn start_on(
        servers: Servers,
        databases: &[String],
        amqp_url: &str,
        settings: &[(&'static str, &'static str)],
    ) -> Result<Self, Error> {
        let folder = TempDir::new()?;
        let key = SigningKey::generate()?;
        let (private, public) = (folder.path().join("token.key"), folder.path().join("token.pub"));
        key.write_pair(&private, &public)?;
        for secret in ["webhook.secret", "visitor.key"] {
            std::fs::write(folder.path().join(secret), Uuid::new_v4().to_string())?;
        }
        let mut shop = Self {
            servers,
            instances: BTreeMap::new(),
            urls: BTreeMap::new(),
            internal_catalogue: format!("127.0.0.1:{}", free_port()?),
            amqp_url: amqp_url.to_owned(),
            databases: SERVICES.into_iter().zip(databases.iter().cloned()).collect(),
            settings: settings.to_vec(),
            key,
            client: Client::builder().no_proxy().build()?,
            folder,
        };
        // All addresses first: services need those of other services.
        let mut addresses = BTreeMap::new();
        for service in SERVICES {
            let address = format!("127.0.0.1:{}", free_port()?);
            shop.urls.insert(service.to_owned(), format!("http://{address}"));
            addresses.insert(service, address);
        }
        for (service, address) in &addresses {
            let program = shop.program(service, service, address)?;
            let instance = Instance { program, process: None };
            shop.instances.insert((*service).to_owned(), instance);
        }
        roles::create(databases).await?;
        // All migrations and queues first: no event may be published before the queues of its subscribers
        // exist.
        let migrating = SERVICES.iter().map(|service| {
            let owner = roles::for_owner(&shop.databases[service]);
            let program = shop.instances[*service].program.clone();
            program.variable("DATABASE_URL", owner).argument("migrate").start()
        });
        for migration in migrating.collect::<Result<Vec<_>, _>>()? {
            let mut migration = migration;
            migration.wait_for_success(TIMEOUT).await?;
        }
        for service in SERVICES {
            shop.launch(service)?;
        }
        shop.wait_until_ready().await?;
        Ok(shop)
    }

    /// Starts a second instance of every service and waits until all are ready.
    pub async fn start_second_instances(&mut self) -> Result<(), Error> {
        for service in SERVICES {
            let (instance, address) = (second(service), format!("127.0.0.1:{}", free_port()?));
            let program = self.program(service, &instance, &address)?;
            self.urls.insert(instance.clone(), format!("http://{address}"));
            self.instances.insert(instance.clone(), Instance { program, process: None });
            self.launch(&instance)?;
        }
        self.wait_until_ready().await
    }

    /// Starts the console and waits until it is ready.
    pub async fn start_console(&mut self) -> Result<(), Error> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let path = programs_folder()?.join(CONSOLE);
        if !path.exists() {
            return Err(Error::NotBuilt(path));
        }
        let (management, ..) = self.broker();
        let program = Program::new(CONSOLE, path, self.log(CONSOLE))
            .variable("HTTP_ADDR", &address)
            .variable(CLIENT_LIMITS.0, CLIENT_LIMITS.1)
            .variable("AMQP_URL", &self.amqp_url)
            .variable("TOKEN_PUBLIC_KEY_FILE", self.folder.path().join("token.pub"))
            .variable("AUDIT_DATABASE_URLS", self.databases_for(AUDIT).to_setting())
            .variable("RABBITMQ_MANAGEMENT_URL", management.url());
        let program = SERVICES.into_iter().fold(program, |program, service| {
            let variable = format!("{}_URL", service.replace('-', "_").to_uppercase());
            program.variable(variable, self.url(service))
        });
        self.urls.insert(CONSOLE.to_owned(), format!("http://{address}"));
        self.instances.insert(CONSOLE.to_owned(), Instance { program, process: None });
        self.launch(CONSOLE)?;
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
        // Every process has an index of its own.
        let index = instance.replace("search-sync", "index");
        let program = Program::new(instance, path, file(&format!("{instance}.log")))
            // Few clients send many requests here. A test may set its own.
            .variable(CLIENT_LIMITS.0, CLIENT_LIMITS.1);
        let settings = self.settings.iter();
        let program =
            settings.fold(program, |program, (name, value)| program.variable(name, value));
        let program = if instance == "product-catalog" {
            program.variable("INTERNAL_ADDR", &self.internal_catalogue)
        } else {
            program
        };
        Ok(program
            .variable("DATABASE_URL", roles::for_service(&self.databases[service]))
            .variable("AMQP_URL", &self.amqp_url)
            .variable("HTTP_ADDR", address)
            .variable("TOKEN_PUBLIC_KEY_FILE", file("token.pub"))
            .variable("WEBHOOK_SECRET_FILE", file("webhook.secret"))
            .variable("VISITOR_KEY_FILE", file("visitor.key"))
            .variable("TEST_PAYMENTS", "true")
            .variable("INDEX_DIR", file(&index))
            .variable("PRODUCT_CATALOG_URL", format!("http://{}", self.internal_catalogue)))
    }

    /// Starts the process of an instance, without waiting until it is ready.
    pub fn launch(&mut self, service: &str) -> Result<(), Error> {
        if let Some(instance) = self.instances.get_mut(service) {
            instance.process = Some(instance.program.clone().argument("serve").start()?);
        }
        Ok(())
    }

    /// Kills an instance with SIGKILL.
    pub async fn kill(&mut self, service: &str) -> Result<(), Error> {
        let process = self.instances.get_mut(service).and_then(|instance| instance.process.take());
        if let Some(mut process) = process {
            process.kill().await?;
        }
        Ok(())
    }

    /// Pauses an instance with SIGSTOP.
    pub fn pause(&self, service: &str) -> Result<(), Error> {
        let process = self.instances.get(service).and_then(|instance| instance.process.as_ref());
        Ok(process.map_or(Ok(()), Process::pause)?)
    }

    /// Resumes an instance after [`pause`](Self::pause).
    pub fn resume(&self, service: &str) -> Result<(), Error> {
        let process = self.instances.get(service).and_then(|instance| instance.process.as_ref());
        Ok(process.map_or(Ok(()), Process::resume)?)
    }

    /// Resumes paused instances and restarts dead ones.
    pub fn restore(&mut self) -> Result<(), Error> {
        let instances: Vec<String> = self.instances.keys().cloned().collect();
        for instance in instances {
            match self.instances.get(&instance).and_then(|instance| instance.process.as_ref()) {
                Some(process) if process.is_alive() => process.resume()?,
                _ => self.launch(&instance)?,
            }
        }
        Ok(())
    }

    /// The URL of an instance.
    pub fn url(&self, service: &str) -> &str {
        self.urls.get(service).map(String::as_str).unwrap_or_default()
    }

    /// Waits until all instances are ready.
    pub async fn wait_until_ready(&self) -> Result<(), Error> {
        for service in self.urls.keys() {
            wait_for(&format!("{service} is ready"), TIMEOUT, async || {
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
        let process = self.instances.get(service).and_then(|instance| instance.process.as_ref());
        process.map(Process::log_tail).unwrap_or_default()
    }

    /// The log file of an instance.
    pub fn log(&self, service: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{service}.log"))
    }

    /// The folder of the secrets and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops all instances with SIGTERM; fails if one does not exit with status 0.
    pub async fn stop(mut self) -> Result<(), Error> {
        for instance in self.instances.values_mut() {
            if let Some(process) = &mut instance.process {
                let status = process.stop(TIMEOUT).await?;
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

    /// Mints a token for `subject` with `scopes`.
    pub fn token(&self, subject: &str, scopes: &[Scope]) -> Result<String, Error> {
        Ok(mint(&self.key, subject, scopes, Duration::from_hours(1))?)
    }

    /// Sends a request to an instance.
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
        let mut request = self.client.request(method, url).timeout(TIMEOUT);
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

    /// A GET request without a token.
    pub async fn get(&self, service: &str, path: &str) -> Result<Answer, Error> {
        self.call(Method::GET, service, path, None, &[], None).await
    }

    /// Imports a CSV file, and waits until the import is finished.
    pub async fn import(&self, query: &str, file: &str) -> Result<Answer, Error> {
        let token = self.token("tester", &[Scope::CatalogWrite])?;
        let url = format!("{}/v1/imports{query}", self.urls["product-catalog"]);
        let request = self.client.post(url).timeout(TIMEOUT).bearer_auth(token);
        let request = request.header("content-type", "text/csv").body(file.to_owned());
        let started = Answer::read(request.send().await?).await?.expect_status(202)?;
        let path = format!("/v1/imports/{}", started.text("/id"));
        Ok(wait_for("the import is finished", TIMEOUT, async || {
            let import = self.get("product-catalog", &path).await.map_err(|e| e.to_string())?;
            if import.text("/state") == "done" { Ok(import) } else { Err(import.body.to_string()) }
        })
        .await?)
    }

    /// Creates a product with one variant.
    pub async fn create_product(
        &self,
        title: &str,
        sku: &str,
        price: i64,
    ) -> Result<Answer, Error> {
        let token = self.token("tester", &[Scope::CatalogWrite])?;
        let body = product(title, sku, price);
        self.call(Method::POST, "product-catalog", "/v1/products", Some(&token), &[], Some(&body))
            .await?
            .expect_status(201)
    }

    /// Replaces a product.
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

    /// Waits until all services have applied a change.
    pub async fn wait_for_change(&self, change_id: &str) -> Result<Answer, Error> {
        let path = format!("/v1/changes/{change_id}?wait_ms=1000");
        Ok(wait_for("all services have applied the change", TIMEOUT, async || {
            match self.get("product-catalog", &path).await {
                Ok(answer) if answer.body["complete"] == json!(true) => Ok(answer),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?)
    }

    /// Sets the stock in the main warehouse once inventory knows the SKU.
    pub async fn stock(&self, sku: &str, on_hand: i64) -> Result<(), Error> {
        self.stock_in(sku, on_hand, None).await
    }

    /// Sets the stock in a warehouse, or in the main one.
    pub async fn stock_in(
        &self,
        sku: &str,
        on_hand: i64,
        warehouse: Option<&str>,
    ) -> Result<(), Error> {
        let token = self.token("tester", &[Scope::StockWrite])?;
        let path = format!("/v1/stock/{sku}");
        let body = json!({ "on_hand": on_hand, "warehouse_id": warehouse });
        wait_for("the stock is set", TIMEOUT, async || {
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

    /// Creates a warehouse and returns its id.
    pub async fn create_warehouse(&self, name: &str) -> Result<String, Error> {
        self.create_warehouse_with(&json!({ "name": name })).await
    }

    /// Creates a warehouse from this body and returns its id.
    pub async fn create_warehouse_with(&self, body: &Value) -> Result<String, Error> {
        let token = self.token("tester", &[Scope::StockWrite])?;
        let created = self
            .call(Method::POST, "inventory", "/v1/warehouses", Some(&token), &[], Some(body))
            .await?;
        Ok(created.expect_status(201)?.text("/id"))
    }

    /// Creates a product, waits until all services have it, and sets its stock.
    pub async fn stocked_product(
        &self,
        title: &str,
        sku: &str,
        price: i64,
        on_hand: i64,
    ) -> Result<Answer, Error> {
        let created = self.create_product(title, sku, price).await?;
        self.wait_for_change(&created.header("change-id")).await?;
        self.stock(sku, on_hand).await?;
        Ok(created)
    }

    /// Places an order for one SKU and returns the answer.
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

    /// Reads an order with an admin token.
    pub async fn read_order(&self, id: &str) -> Result<Answer, Error> {
        let token = self.token("tester", &[Scope::OrdersAdmin])?;
        let path = format!("/v1/orders/{id}");
        self.call(Method::GET, "order", &path, Some(&token), &[], None).await?.expect_status(200)
    }

    /// Waits until an order has one of `statuses`.
    pub async fn wait_for_order(&self, id: &str, statuses: &[&str]) -> Result<Answer, Error> {
        self.wait_for_order_within(TIMEOUT * 2, id, statuses).await
    }

    /// The same with another timeout.
    pub async fn wait_for_order_within(
        &self,
        timeout: Duration,
        id: &str,
        statuses: &[&str],
    ) -> Result<Answer, Error> {
        Ok(wait_for(&format!("the order is {statuses:?}"), timeout, async || {
            match self.read_order(id).await {
                Ok(answer) if statuses.contains(&answer.text("/status").as_str()) => Ok(answer),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?)
    }

    /// The stock of a SKU: on hand, reserved, available.
    pub async fn stock_of(&self, sku: &str) -> Result<(i64, i64, i64), Error> {
        let answer =
            self.get("inventory", &format!("/v1/stock/{sku}")).await?.expect_status(200)?;
        let number = |field| answer.number(field).unwrap_or(i64::MIN);
        Ok((number("/on_hand"), number("/reserved"), number("/available")))
    }

    /// Copies the database of a service as it is now. Its sessions end, and the service connects again.
    pub async fn back_up(&self, service: &str) -> Result<Database, Error> {
        Ok(Database::back_up_of(&self.databases[service]).await?)
    }

    /// Replaces the database of a service, which must not run, by a backup of it.
    pub async fn restore_database(&self, service: &str, backup: &Database) -> Result<(), Error> {
        let url = &self.databases[service];
        backup.restore_to(url).await?;
        // A database that is created again has the rights of a new one.
        roles::grant_in(url).await
    }

    /// Reconciles a service, which must not run, with its subscribers, as soon as these have consumed what waits for them. Returns the
    /// list of its lost commits.
    pub async fn reconcile(&self, service: &str) -> Result<Value, Error> {
        let others = self.databases.iter().filter(|(other, _)| **other != service);
        let subscribers: Vec<String> = others
            .map(|(other, url)| format!("{other}={}", roles::for_role(url, RECONCILE)))
            .collect();
        let list = self.folder.path().join(format!("{service}.{}.json", Uuid::now_v7()));
        let Some(instance) = self.instances.get(service) else {
            return Err(Error::Unexpected(format!("{service} is no service")));
        };
        let program = instance.program.clone().argument("reconcile").argument("--json");
        let program =
            program.argument(&list).variable("SUBSCRIBER_DATABASES", subscribers.join(","));
        wait_for(&format!("{service} is reconciled"), TIMEOUT, async || {
            let mut running = program.clone().start()?;
            running.wait_for_success(TIMEOUT).await
        })
        .await?;
        let list = std::fs::read(list)?;
        serde_json::from_slice(&list).map_err(|error| Error::Unexpected(error.to_string()))
    }

    /// The databases of the services, for their superuser.
    pub fn databases(&self) -> audit::Databases {
        audit::Databases::new(self.databases.clone())
    }

    /// The databases of the services, for a role that looks into all of them.
    pub fn databases_for(&self, role: &str) -> audit::Databases {
        audit::Databases::new(roles::all_for_role(&self.databases, role))
    }

    /// The database of a service, for the role that the service has.
    pub fn database_of_service(&self, service: &str) -> String {
        roles::for_service(&self.databases[service])
    }

    /// Runs the audit once.
    pub async fn audit(&self) -> Result<audit::Findings, Error> {
        Ok(self.audit_until_settled(Duration::ZERO).await?.violations)
    }

    /// Runs the audit until all differences have settled or `bound` has passed.
    pub async fn audit_until_settled(&self, bound: Duration) -> Result<audit::Settled, Error> {
        let databases = self.databases_for(AUDIT);
        let (management, vhost, amqp_url) = self.broker();
        let broker = audit::Broker { management, vhost, amqp_url: &amqp_url };
        let token = self.token("tester", &[Scope::Ops])?;
        let indexes = ["search-sync".to_owned(), second("search-sync")];
        let search: Vec<&str> =
            indexes.iter().filter_map(|name| Some(self.urls.get(name)?.as_str())).collect();
        let (broker, search, token) = (Some(broker), &*search, &*token);
        let suite = audit::Suite { databases: &databases, broker, search, tls: None, token };
        Ok(audit::run_until_settled(suite, bound, |_| {}).await?)
    }

    /// The management API, the name of the vhost and its URL, without a proxy in between.
    fn broker(&self) -> (&ManagementClient, &str, String) {
        match &self.servers {
            Servers::Shared { vhost, .. } => {
                (vhost.management(), vhost.name(), vhost.url().to_owned())
            }
            Servers::Private { rabbitmq, .. } => (rabbitmq.management(), "/", rabbitmq.url()),
        }
    }

    /// The number of queues of each live instance of a service, in ascending order, and the number of all
    /// queues that were ever assigned.
    pub async fn queue_counts(&self, service: &'static str) -> Result<(Vec<i64>, i64), Error> {
        let mut connection = PgConnection::connect(self.databases().url(service)).await?;
        let queue_counts = sqlx::query_scalar(
            "select count(a.queue) from messaging.active_replica r
             left join messaging.queue_assignment a on a.holder = r.id group by r.id order by 1",
        )
        .fetch_all(&mut connection)
        .await?;
        let queues = sqlx::query_scalar("select count(*) from messaging.queue_assignment")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok((queue_counts, queues))
    }

    /// Repeats the audit until it finds no violation; returns its findings.
    pub async fn wait_for_clean_audit(&self, timeout: Duration) -> Result<audit::Findings, Error> {
        let clean =
            wait_for("the audit finds no violation", timeout, async || match self.audit().await {
                Ok(findings) if findings.is_clean() => Ok(findings),
                Ok(findings) => Err(findings.to_string()),
                Err(error) => Err(format!("{error:?}")),
            });
        Ok(clean.await?)
    }

    /// Waits for a clean audit without pending dead letters, and until the broker is idle.
    pub async fn assert_clean_audit(&self) -> Result<(), Error> {
        let findings = self.wait_for_clean_audit(TIMEOUT * 2).await?;
        match findings.checked().get("pending_dead_letters") {
            Some(0) => {}
            pending => return Err(Error::Unexpected(format!("{pending:?} dead letters"))),
        }
        if let Servers::Shared { vhost, .. } = &self.servers {
            vhost.wait_until_drained(TIMEOUT).await?;
        }
        Ok(())
    }
}

/// The body of a product.
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

/// The body of an order.
pub(crate) fn order(customer: &str, sku: &str, quantity: i64, method: &str) -> Value {
    json!({
        "customer_id": customer,
        "lines": [{ "sku": sku, "quantity": quantity }],
        "shipping_address": { "name": "Test Buyer", "line1": "Example Street 1", "city": "Hangzhou", "country": "CN" },
        "payment": { "method": method },
    })
}
