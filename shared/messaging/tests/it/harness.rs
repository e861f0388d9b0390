//! Two services for tests: `publisher` publishes numbered steps, and `consumer` records their effects.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use envelope::{Event, FullState};
use lapin::{Connection, ConnectionProperties, options::QueueDeleteOptions};
use messaging::{
    Batch, ConnectionStatus, DEFAULT_SLOT_GROUPS, Failure, Handler, MIGRATOR, MessageLogBounds,
    MessagingRuntime, OnReject, Outbox, OutboxBounds, SlotGroups, Subscription, Topology,
    Transaction,
    reconcile::{Comparison, LostCommits, ReconcileError, Reconciler, Subscriber},
    republish::{Republication, RepublishReport, Republisher},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};
use testkit::{DataDir, Database, Process, Program, Vhost, wait_for};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// The timeout of every wait.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Step `number` of `walk`, counted from 1 per walk like the sequence number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stepped {
    pub(crate) walk: String,
    pub(crate) number: i64,
}

impl Event for Stepped {
    const TYPE: &'static str = "walk.stepped.v1";
    const AGGREGATE: &'static str = "walk";

    fn key(&self) -> Cow<'_, str> {
        self.walk.as_str().into()
    }
}

/// The last step alone determines the position of the walk.
impl FullState for Stepped {}

/// An event that the consumer ignores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Rested {
    pub(crate) walk: String,
}

impl Event for Rested {
    const TYPE: &'static str = "walk.rested.v1";
    const AGGREGATE: &'static str = "walk";

    fn key(&self) -> Cow<'_, str> {
        self.walk.as_str().into()
    }
}

/// The behavior of the consumer's handler, which tests change while it runs.
#[derive(Debug)]
pub(crate) struct HandlerBehavior {
    /// Walks whose steps fail with a retry, with the remaining number of failures.
    pub(crate) retry: Mutex<HashMap<String, u32>>,
    /// Walks for which the database is unavailable, with the remaining number of failures.
    pub(crate) outage: Mutex<HashMap<String, u32>>,
    /// Walks whose step 1 is rejected.
    pub(crate) reject: Mutex<Vec<String>>,
    /// Walks that fail the whole batch, without naming the event.
    pub(crate) fail: Mutex<Vec<String>>,
    /// Statements that fail for a walk.
    pub(crate) sql: Mutex<HashMap<String, &'static str>>,
    /// Walks for which the handler panics.
    pub(crate) panic: Mutex<Vec<String>>,
    /// Walks for which the handler hangs.
    pub(crate) hang: Mutex<Vec<String>>,
    /// Walks whose step 2 aborts the process.
    pub(crate) abort: Mutex<Vec<String>>,
    /// The handler takes one permit per batch before it returns.
    pub(crate) gate: Semaphore,
    /// The number of batches that have reached the gate.
    pub(crate) at_gate: AtomicU32,
}

impl Default for HandlerBehavior {
    fn default() -> Self {
        Self {
            retry: Mutex::default(),
            outage: Mutex::default(),
            reject: Mutex::default(),
            fail: Mutex::default(),
            sql: Mutex::default(),
            panic: Mutex::default(),
            hang: Mutex::default(),
            abort: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            at_gate: AtomicU32::new(0),
        }
    }
}

/// Records each step in the table `effect`, in the transaction of the batch.
pub(crate) struct RecordEffects(Arc<HandlerBehavior>);

impl Handler for RecordEffects {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        let named =
            |list: &Mutex<Vec<String>>, step: &Stepped| list.lock().unwrap().contains(&step.walk);
        for index in 0..batch.delivered().len() {
            let step = batch.delivered()[index].event.clone();
            assert!(!named(&self.0.panic, &step), "panic for {}", step.walk);
            if named(&self.0.hang, &step) {
                std::future::pending::<()>().await;
            }
            if step.number == 2 && named(&self.0.abort, &step) {
                std::process::abort();
            }
            if named(&self.0.fail, &step) {
                return Err(Failure::reject("failed_by_test", "a bad event in this batch"));
            }
            if step.number == 1 && named(&self.0.reject, &step) {
                batch.fail(index, Failure::reject("rejected_by_test", "no"));
                continue;
            }
            if let Some(left) = self.0.retry.lock().unwrap().get_mut(&step.walk)
                && *left > 0
            {
                *left -= 1;
                batch.fail(index, Failure::retry("retried by the test"));
                continue;
            }
            if let Some(left) = self.0.outage.lock().unwrap().get_mut(&step.walk)
                && *left > 0
            {
                *left -= 1;
                return Err(Failure::from(sqlx::Error::PoolTimedOut));
            }
            let statement = self.0.sql.lock().unwrap().get(&step.walk).copied();
            if let Some(statement) = statement {
                sqlx::raw_sql(statement).execute(&mut **tx).await?;
            }
            let sequence = batch.delivered()[index].sequence;
            let _: i64 = sqlx::query_scalar(
                "insert into effect (walk, number, sequence) values ($1, $2, $3) returning place",
            )
            .bind(&step.walk)
            .bind(step.number)
            .bind(sequence)
            .fetch_one(&mut **tx)
            .await?;
        }
        self.0.at_gate.fetch_add(1, Ordering::SeqCst);
        self.0.gate.acquire().await.map_err(Failure::retry)?.forget();
        Ok(())
    }
}

/// An outbox on a small pool of connections with session timeouts, as in a service.
pub(crate) async fn outbox(database: &str) -> Outbox {
    log();
    let options = messaging::with_session_timeouts(database.parse().unwrap());
    Outbox::new(PgPoolOptions::new().max_connections(8).connect_with(options).await.unwrap())
}

/// Logs what the kit does. The output of a test that fails shows it.
fn log() {
    let log = tracing_subscriber::fmt().with_env_filter("messaging=debug").with_test_writer();
    // Another test of the process may have started it.
    drop(log.try_init());
}

/// The two services with their own vhost and databases.
pub(crate) struct Harness {
    pub(crate) vhost: Vhost,
    publisher_database: Database,
    consumer_database: Database,
    pub(crate) publisher: Outbox,
    pub(crate) consumer: Outbox,
    pub(crate) behavior: Arc<HandlerBehavior>,
    on_reject: OnReject,
}

/// A running service; dropping it aborts its tasks, like a killed process.
pub(crate) struct Running {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    status: watch::Receiver<ConnectionStatus>,
}

impl Running {
    pub(crate) fn start(messaging: MessagingRuntime) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let status = messaging.connection_status();
        tasks.spawn(messaging.clone().relay(stop.clone()));
        tasks.spawn(messaging.consume(stop.clone()));
        Self { tasks, stop, status }
    }

    /// The state of its connections.
    pub(crate) fn status(&self) -> ConnectionStatus {
        self.status.borrow().clone()
    }

    /// Whether its relay is connected.
    pub(crate) fn is_publishing(&self) -> bool {
        self.status().publisher_down.is_none()
    }

    /// Waits until it has declared its queues.
    pub(crate) async fn wait_for_queues(&self) {
        wait_for("the queues are declared", TIMEOUT, async || {
            self.status().consumer_down.map_or(Ok(()), Err)
        })
        .await
        .unwrap();
    }

    /// Shuts down, as a service does at SIGTERM.
    pub(crate) async fn shut_down(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Aborts at once.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Harness {
    pub(crate) async fn open(on_reject: OnReject) -> Self {
        Self::open_on(Vhost::create().await.unwrap(), on_reject).await
    }

    pub(crate) async fn open_on(vhost: Vhost, on_reject: OnReject) -> Self {
        let publisher_database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        let consumer_database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        consumer_database
            .run(
                "create table effect (
                    walk text not null, number bigint not null, sequence bigint not null,
                    place bigint generated always as identity
                )",
            )
            .await
            .unwrap();
        let harness = Self {
            publisher: outbox(publisher_database.url()).await,
            consumer: outbox(consumer_database.url()).await,
            vhost,
            publisher_database,
            consumer_database,
            behavior: Arc::default(),
            on_reject,
        };
        for topology in [Harness::publisher_topology(), harness.consumer_topology()] {
            messaging::declare(harness.vhost.url(), &topology).await.unwrap();
        }
        harness
    }

    pub(crate) fn publisher_topology() -> Topology {
        Topology::new("publisher").publishes::<Stepped>().publishes::<Rested>()
    }

    pub(crate) fn consumer_topology(&self) -> Topology {
        Self::topology_of_consumer(self.on_reject, self.behavior.clone())
    }

    /// The topology of the consumer, also for another process.
    pub(crate) fn topology_of_consumer(
        on_reject: OnReject,
        behavior: Arc<HandlerBehavior>,
    ) -> Topology {
        let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], on_reject)
            .on(RecordEffects(behavior))
            .ignores::<Rested>();
        Topology::new("consumer").subscribes(subscription)
    }

    pub(crate) fn record_effects(&self) -> RecordEffects {
        RecordEffects(self.behavior.clone())
    }

    /// Ends the consumer's sessions and returns a backup of its database.
    pub(crate) async fn back_up_consumer(&self) -> Database {
        self.consumer_database.back_up().await.unwrap()
    }

    /// Replaces the consumer's database by a backup.
    pub(crate) async fn restore_consumer(&self, backup: &Database) {
        self.consumer_database.restore(backup).await.unwrap();
    }

    /// Deletes the queues of the consumer with the messages in them. Returns the number of messages.
    pub(crate) async fn delete_queues(&self) -> u32 {
        self.delete_groups(DEFAULT_SLOT_GROUPS).await
    }

    /// The same for another number of slot groups.
    pub(crate) async fn delete_groups(&self, groups: u8) -> u32 {
        let connection = Connection::connect(self.vhost.url(), ConnectionProperties::default());
        let connection = connection.await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mut messages = 0;
        for group in 0..groups {
            let queue = format!("consumer.walk.{group}");
            let options = QueueDeleteOptions::default();
            messages += channel.queue_delete(queue.as_str().into(), options).await.unwrap();
        }
        connection.close(200, "done".into()).await.unwrap();
        messages
    }

    /// Ends the publisher's sessions and returns a backup of its database.
    pub(crate) async fn back_up_publisher(&self) -> Database {
        self.publisher_database.back_up().await.unwrap()
    }

    /// Replaces the publisher's database by a backup.
    pub(crate) async fn restore_publisher(&self, backup: &Database) {
        self.publisher_database.restore(backup).await.unwrap();
    }

    /// Compares the publisher with the consumer, and changes nothing.
    pub(crate) async fn compare(&self) -> Result<Comparison, ReconcileError> {
        let topology = Self::publisher_topology();
        let reconciler = Reconciler::new(self.publisher.clone(), self.vhost.url(), &topology);
        let pool = self.consumer.pool().clone();
        reconciler.compare(&[Subscriber { name: "consumer".to_owned(), pool }]).await
    }

    /// Raises the numbers of the publisher behind what the consumer has seen. Returns the lost commits.
    pub(crate) async fn reconcile(&self) -> Vec<LostCommits> {
        let comparison = self.compare().await.unwrap();
        let mut tx = self.publisher.begin().await.unwrap();
        comparison.apply(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        comparison.lost_commits
    }

    /// Publishes what was published since `since` to the queues of the consumer again.
    pub(crate) async fn republish(&self, since: DateTime<Utc>) -> RepublishReport {
        Self::republish_with(&self.republisher(), since).await
    }

    /// The same by this publisher.
    pub(crate) async fn republish_with(
        republisher: &Republisher,
        since: DateTime<Utc>,
    ) -> RepublishReport {
        let within = Duration::ZERO;
        let subscriber = "consumer".to_owned();
        let mut republication = Republication { subscriber, since, after: None, within };
        let mut total = republisher.republish(&republication).await.unwrap();
        while let Some(next) = total.next.take() {
            republication.after = Some(next.parse().unwrap());
            let report = republisher.republish(&republication).await.unwrap();
            total.messages += report.messages;
            total.events += report.events;
            total.next = report.next;
        }
        total
    }

    pub(crate) fn republisher(&self) -> Republisher {
        let topology = Self::publisher_topology();
        Republisher::new(self.publisher.clone(), self.vhost.url(), &topology)
    }

    /// Starts the publisher with a bounded message log.
    pub(crate) fn start_publisher_with_log(&self, bounds: MessageLogBounds) -> Running {
        let topology = Self::publisher_topology();
        let messaging = MessagingRuntime::new(self.publisher.clone(), self.vhost.url(), topology);
        Running::start(messaging.message_log(bounds))
    }

    pub(crate) fn publisher_url(&self) -> &str {
        self.publisher_database.url()
    }

    pub(crate) fn consumer_url(&self) -> &str {
        self.consumer_database.url()
    }

    pub(crate) fn start_publisher(&self) -> Running {
        self.start_publisher_at(self.vhost.url())
    }

    pub(crate) fn start_publisher_at(&self, amqp_url: &str) -> Running {
        let messaging =
            MessagingRuntime::new(self.publisher.clone(), amqp_url, Self::publisher_topology());
        Running::start(messaging)
    }

    /// An outbox on the publisher's database, as in another process.
    pub(crate) async fn another_publisher(&self) -> Outbox {
        outbox(self.publisher_url()).await
    }

    /// Starts another publisher on `outbox`.
    pub(crate) fn start_publisher_on(outbox: &Outbox, amqp_url: &str) -> Running {
        Running::start(MessagingRuntime::new(outbox.clone(), amqp_url, Self::publisher_topology()))
    }

    /// Starts the publisher with a bounded outbox.
    pub(crate) fn start_bounded_publisher_at(
        &self,
        amqp_url: &str,
        bounds: OutboxBounds,
    ) -> Running {
        let messaging =
            MessagingRuntime::new(self.publisher.clone(), amqp_url, Self::publisher_topology());
        Running::start(messaging.outbox_bounds(bounds))
    }

    pub(crate) fn start_consumer(&self) -> Running {
        self.start_consumer_at(self.vhost.url())
    }

    pub(crate) fn start_consumer_at(&self, amqp_url: &str) -> Running {
        let messaging =
            MessagingRuntime::new(self.consumer.clone(), amqp_url, self.consumer_topology());
        Running::start(messaging)
    }

    /// Starts a consumer as another process does, with its own outbox.
    pub(crate) async fn start_another_consumer(&self) -> Running {
        let outbox = outbox(self.consumer_url()).await;
        Running::start(MessagingRuntime::new(outbox, self.vhost.url(), self.consumer_topology()))
    }

    /// Starts a consumer as another process does, with this number of slot groups and a handler of its own.
    pub(crate) async fn start_consumer_with(
        &self,
        groups: u8,
        behavior: Arc<HandlerBehavior>,
    ) -> Running {
        let outbox = outbox(self.consumer_url()).await;
        let topology = Self::topology_of_consumer(self.on_reject, behavior);
        let topology = topology.slot_groups(slot_groups(groups));
        Running::start(MessagingRuntime::new(outbox, self.vhost.url(), topology))
    }

    /// Starts a consumer with its own topology on the same queues.
    pub(crate) fn start_consumer_as(&self, topology: Topology) -> Running {
        Running::start(MessagingRuntime::new(self.consumer.clone(), self.vhost.url(), topology))
    }

    /// Copies the rows of the outbox for [`restore_outbox`](Self::restore_outbox).
    pub(crate) async fn copy_outbox(&self) {
        sqlx::raw_sql("create table copy as select * from messaging.outbox")
            .execute(self.publisher.pool())
            .await
            .unwrap();
    }

    /// Restores published rows, as if their deletion had not been committed.
    pub(crate) async fn restore_outbox(&self) {
        sqlx::raw_sql("insert into messaging.outbox overriding system value select * from copy")
            .execute(self.publisher.pool())
            .await
            .unwrap();
    }

    /// Publishes these steps of each walk in one transaction.
    pub(crate) async fn publish_steps(
        &self,
        walks: &[&str],
        numbers: std::ops::RangeInclusive<i64>,
    ) {
        let mut tx = self.publisher.begin().await.unwrap();
        for number in numbers {
            for walk in walks {
                tx.emit(&Stepped { walk: (*walk).to_owned(), number }).unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    /// Publishes a step of each walk per interval until `over` is set, and returns the last number.
    pub(crate) async fn publish_steps_until(
        &self,
        over: &AtomicBool,
        every: Duration,
        walks: &[&str],
    ) -> i64 {
        repeat_until(over, every, async |number| self.publish_steps(walks, number..=number).await)
            .await
    }

    /// Waits until the relay has deleted all events, that is, the broker has confirmed them.
    pub(crate) async fn wait_until_published(&self) {
        wait_for_count("the outbox is empty", self.publisher.pool(), "messaging.outbox", 0).await;
    }

    /// The steps of a walk that took effect, in order.
    pub(crate) async fn effects(&self, walk: &str) -> Vec<i64> {
        sqlx::query_scalar("select number from effect where walk = $1 order by place")
            .bind(walk)
            .fetch_all(self.consumer.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn wait_for_effects(&self, walk: &str, expected: &[i64]) {
        wait_for(&format!("{walk} has its effects"), TIMEOUT, async || {
            let effects = self.effects(walk).await;
            if effects == expected { Ok(()) } else { Err(format!("{effects:?}")) }
        })
        .await
        .unwrap();
    }

    pub(crate) async fn wait_for_total(&self, expected: i64) {
        wait_for("all events have taken effect", TIMEOUT * 2, async || {
            let total: i64 = count(self.consumer.pool(), "effect").await;
            if total >= expected { Ok(()) } else { Err(format!("{total} of {expected}")) }
        })
        .await
        .unwrap();
    }

    /// Asserts that outbox, parked events and queues are empty; every test that publishes ends with it.
    pub(crate) async fn assert_drained(&self) {
        wait_for("no event is in the outbox or parked", TIMEOUT, async || {
            let outbox = count(self.publisher.pool(), "messaging.outbox").await;
            let parked = count(self.consumer.pool(), "messaging.parked").await;
            if outbox + parked == 0 {
                Ok(())
            } else {
                Err(format!("outbox {outbox}, parked {parked}"))
            }
        })
        .await
        .unwrap();
        self.vhost.wait_until_drained(TIMEOUT).await.unwrap();
    }

    /// Asserts that exactly the steps 1 to `last` of each walk took effect, in order.
    pub(crate) async fn assert_effects(&self, walks: &[String], last: i64) {
        for walk in walks {
            assert_eq!(self.effects(walk).await, (1..=last).collect::<Vec<_>>(), "{walk}");
        }
    }

    /// Adds a replica of the consumer that holds both queues and does not renew its membership. It ends with the returned session.
    pub(crate) async fn add_paused_replica(&self, ttl: Duration) -> PoolConnection<Postgres> {
        let mut session = self.consumer.pool().acquire().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!(
            "insert into messaging.replica values (gen_random_uuid(), pg_backend_pid(), now() + interval '{} seconds');
             insert into messaging.queue_assignment
             select 'consumer.walk.' || n, id from messaging.replica, generate_series(0, 1) n",
            ttl.as_secs()
        )))
        .execute(&mut *session)
        .await
        .unwrap();
        session
    }

    /// Terminates all other sessions on both databases.
    pub(crate) async fn end_database_sessions(&self) {
        for database in [&self.publisher_database, &self.consumer_database] {
            let pool = database.connect().await.unwrap();
            let _: Vec<bool> = sqlx::query_scalar(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()",
            )
            .fetch_all(&pool)
            .await
            .unwrap();
        }
    }
}

/// This number of slot groups for the walks.
pub(crate) fn slot_groups(groups: u8) -> SlotGroups {
    format!("{}={groups}", Stepped::AGGREGATE).parse().unwrap()
}

/// Calls `publish` with the next number per interval until `over` is set, and returns the last number.
pub(crate) async fn repeat_until(
    over: &AtomicBool,
    every: Duration,
    publish: impl AsyncFn(i64),
) -> i64 {
    let (mut last, mut pace) = (0, tokio::time::interval(every));
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        last += 1;
        publish(last).await;
    }
    last
}

/// Starts this test binary as a child process that runs one test with additional environment variables.
pub(crate) fn start_test_process(
    folder: &DataDir,
    test: &str,
    variables: &[(&str, &str)],
) -> Process {
    let program = std::env::current_exe().unwrap();
    let log = folder.path().join("worker.log");
    let program = Program::new("worker", program, log).arguments(["--exact", test, "--nocapture"]);
    let program =
        variables.iter().fold(program, |program, (name, value)| program.variable(name, value));
    program.start().unwrap()
}

/// Waits until a table has the expected number of rows.
pub(crate) async fn wait_for_count(what: &str, pool: &PgPool, table: &str, expected: i64) {
    wait_for(what, TIMEOUT, async || {
        let found = count(pool, table).await;
        if found == expected { Ok(()) } else { Err(format!("{found} of {expected}")) }
    })
    .await
    .unwrap();
}

pub(crate) async fn count(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(pool)
        .await
        .unwrap()
}
