//! Two services as tests need them: `speaker` says numbered steps, `listener` writes down what took effect.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use envelope::{Event, FullState};
use messaging::{
    Batch, Connectivity, Failure, Handler, Kit, MIGRATOR, Messaging, OnReject, OutboxBounds,
    Subscription, Topology, Transaction,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgPoolOptions};
use testkit::{DataDir, Database, Process, Program, Vhost, wait_for};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long anything in a test may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Step `number` of `walk`: the number counts from 1 per walk, as the kit's own does.
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

/// A step says where the walk has come to: who knows the last knows all.
impl FullState for Stepped {}

/// A step that nobody handles.
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

/// How the listener's handler behaves: changed by tests while it runs.
#[derive(Debug)]
pub(crate) struct Mood {
    /// Walks whose steps are to be retried, and how often still.
    pub(crate) retry: Mutex<HashMap<String, u32>>,
    /// Walks over which the handler finds the database out of reach, and how often still.
    pub(crate) outage: Mutex<HashMap<String, u32>>,
    /// Walks of which step 1 is rejected.
    pub(crate) reject: Mutex<Vec<String>>,
    /// Walks over which the whole batch fails, without saying which it is.
    pub(crate) fail: Mutex<Vec<String>>,
    /// Walks over which the handler panics.
    pub(crate) panic: Mutex<Vec<String>>,
    /// Walks over which the handler never comes back.
    pub(crate) hang: Mutex<Vec<String>>,
    /// Walks over step 2 of which the process dies.
    pub(crate) abort: Mutex<Vec<String>>,
    /// Each batch takes one permit before its effects are returned to the kit.
    pub(crate) gate: Semaphore,
    /// How many batches have come to the gate.
    pub(crate) at_gate: AtomicU32,
}

impl Default for Mood {
    fn default() -> Self {
        Self {
            retry: Mutex::default(),
            outage: Mutex::default(),
            reject: Mutex::default(),
            fail: Mutex::default(),
            panic: Mutex::default(),
            hang: Mutex::default(),
            abort: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            at_gate: AtomicU32::new(0),
        }
    }
}

/// Writes each step down, in the kit's transaction.
pub(crate) struct WriteDown(Arc<Mood>);

impl Handler for WriteDown {
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
            assert!(!named(&self.0.panic, &step), "told to panic over {}", step.walk);
            if named(&self.0.hang, &step) {
                std::future::pending::<()>().await;
            }
            if step.number == 2 && named(&self.0.abort, &step) {
                std::process::abort();
            }
            if named(&self.0.fail, &step) {
                return Err(Failure::reject("told_to_fail", "somebody in this batch is bad"));
            }
            if step.number == 1 && named(&self.0.reject, &step) {
                batch.refuse(index, Failure::reject("told_to_reject", "no"));
                continue;
            }
            if let Some(left) = self.0.retry.lock().unwrap().get_mut(&step.walk)
                && *left > 0
            {
                *left -= 1;
                batch.refuse(index, Failure::retry("told to retry"));
                continue;
            }
            if let Some(left) = self.0.outage.lock().unwrap().get_mut(&step.walk)
                && *left > 0
            {
                *left -= 1;
                return Err(Failure::from(sqlx::Error::PoolTimedOut));
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

/// A kit as services have it, on a small pool of guarded connections.
pub(crate) async fn kit(database: &str) -> Kit {
    let options = messaging::guarded(database.parse().unwrap());
    Kit::new(PgPoolOptions::new().max_connections(8).connect_with(options).await.unwrap())
}

/// The two services on servers of their own vhost and databases.
pub(crate) struct Shop {
    pub(crate) vhost: Vhost,
    speaker_database: Database,
    listener_database: Database,
    pub(crate) speaker: Kit,
    pub(crate) listener: Kit,
    pub(crate) mood: Arc<Mood>,
    on_reject: OnReject,
}

/// A running half of the shop; dropped, it dies as a killed process does.
pub(crate) struct Running {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    connectivity: watch::Receiver<Connectivity>,
}

impl Running {
    fn start(messaging: Messaging) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let connectivity = messaging.connectivity();
        tasks.spawn(messaging.clone().relay(stop.clone()));
        tasks.spawn(messaging.consume(stop.clone()));
        Self { tasks, stop, connectivity }
    }

    /// Whether its events leave, as far as it knows.
    pub(crate) fn speaks(&self) -> bool {
        self.connectivity.borrow().publisher_down.is_none()
    }

    /// Stops as a service does at SIGTERM.
    pub(crate) async fn shut_down(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends at once, in the middle of whatever it does.
    pub(crate) async fn die(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Shop {
    pub(crate) async fn open(on_reject: OnReject) -> Self {
        Self::open_on(Vhost::create().await.unwrap(), on_reject).await
    }

    pub(crate) async fn open_on(vhost: Vhost, on_reject: OnReject) -> Self {
        let speaker_database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        let listener_database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        listener_database
            .run(
                "create table effect (
                    walk text not null, number bigint not null, sequence bigint not null,
                    place bigint generated always as identity
                )",
            )
            .await
            .unwrap();
        let shop = Self {
            speaker: kit(speaker_database.url()).await,
            listener: kit(listener_database.url()).await,
            vhost,
            speaker_database,
            listener_database,
            mood: Arc::default(),
            on_reject,
        };
        for topology in [Shop::speaker_topology(), shop.listener_topology()] {
            messaging::declare(shop.vhost.url(), &topology).await.unwrap();
        }
        shop
    }

    pub(crate) fn speaker_topology() -> Topology {
        Topology::of("speaker").says::<Stepped>().says::<Rested>()
    }

    pub(crate) fn listener_topology(&self) -> Topology {
        Self::topology_of_listener(self.on_reject, self.mood.clone())
    }

    /// What a listener hears, also one in another process.
    pub(crate) fn topology_of_listener(on_reject: OnReject, mood: Arc<Mood>) -> Topology {
        let subscription = Subscription::to(Stepped::AGGREGATE, ["speaker"], on_reject);
        Topology::of("listener").hears(subscription.on(WriteDown(mood)))
    }

    pub(crate) fn write_down(&self) -> WriteDown {
        WriteDown(self.mood.clone())
    }

    /// Where the speaker's database is.
    pub(crate) fn speaker_url(&self) -> &str {
        self.speaker_database.url()
    }

    /// Where the listener's database is.
    pub(crate) fn listener_url(&self) -> &str {
        self.listener_database.url()
    }

    pub(crate) fn start_speaker(&self) -> Running {
        self.start_speaker_at(self.vhost.url())
    }

    pub(crate) fn start_speaker_at(&self, amqp_url: &str) -> Running {
        let messaging = Messaging::new(self.speaker.clone(), amqp_url, Self::speaker_topology());
        Running::start(messaging)
    }

    /// The speaker's database as another process has it.
    pub(crate) async fn another_speaker(&self) -> Kit {
        kit(self.speaker_url()).await
    }

    /// Starts one more speaker, on a kit of its own.
    pub(crate) fn start_speaker_on(kit: &Kit, amqp_url: &str) -> Running {
        Running::start(Messaging::new(kit.clone(), amqp_url, Self::speaker_topology()))
    }

    /// Starts the speaker with an outbox that may grow so far.
    pub(crate) fn start_bounded_speaker_at(&self, amqp_url: &str, bounds: OutboxBounds) -> Running {
        let messaging = Messaging::new(self.speaker.clone(), amqp_url, Self::speaker_topology());
        Running::start(messaging.bounded(bounds))
    }

    pub(crate) fn start_listener(&self) -> Running {
        self.start_listener_at(self.vhost.url())
    }

    pub(crate) fn start_listener_at(&self, amqp_url: &str) -> Running {
        let messaging = Messaging::new(self.listener.clone(), amqp_url, self.listener_topology());
        Running::start(messaging)
    }

    /// Starts a listener that hears by a topology of its own, with the queues of ours.
    pub(crate) fn start_listener_as(&self, topology: Topology) -> Running {
        Running::start(Messaging::new(self.listener.clone(), self.vhost.url(), topology))
    }

    /// Keeps a copy of what waits in the outbox, for [`put_back`](Self::put_back).
    pub(crate) async fn keep_outbox(&self) {
        sqlx::raw_sql("create table copy as select * from messaging.outbox")
            .execute(self.speaker.pool())
            .await
            .unwrap();
    }

    /// Puts the rows back after they were published, as if their deletion had not been committed.
    pub(crate) async fn put_back(&self) {
        sqlx::raw_sql("insert into messaging.outbox overriding system value select * from copy")
            .execute(self.speaker.pool())
            .await
            .unwrap();
    }

    /// Says the next `steps` steps of each walk, all in one transaction.
    pub(crate) async fn walk(&self, walks: &[&str], numbers: std::ops::RangeInclusive<i64>) {
        let mut tx = self.speaker.begin().await.unwrap();
        for number in numbers {
            for walk in walks {
                tx.emit(&Stepped { walk: (*walk).to_owned(), number }).unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    /// Says a step of each walk every so often until it is over: the number of the last.
    pub(crate) async fn walk_until(
        &self,
        over: &AtomicBool,
        every: Duration,
        walks: &[&str],
    ) -> i64 {
        repeat_until(over, every, async |number| self.walk(walks, number..=number).await).await
    }

    /// Waits until the relay has deleted all that was said: the broker has confirmed it.
    pub(crate) async fn wait_until_all_is_published(&self) {
        wait_for_count("the outbox is empty", self.speaker.pool(), "messaging.outbox", 0).await;
    }

    /// What took effect on a walk, in the order in which it did: the numbers of its steps.
    pub(crate) async fn effects(&self, walk: &str) -> Vec<i64> {
        sqlx::query_scalar("select number from effect where walk = $1 order by place")
            .bind(walk)
            .fetch_all(self.listener.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn wait_for_effects(&self, walk: &str, expected: &[i64]) {
        wait_for(&format!("{walk} has its effects"), SOON, async || {
            let effects = self.effects(walk).await;
            if effects == expected { Ok(()) } else { Err(format!("{effects:?}")) }
        })
        .await
        .unwrap();
    }

    pub(crate) async fn wait_for_total(&self, expected: i64) {
        wait_for("all has taken effect", SOON * 2, async || {
            let total: i64 = count(self.listener.pool(), "effect").await;
            if total >= expected { Ok(()) } else { Err(format!("{total} of {expected}")) }
        })
        .await
        .unwrap();
    }

    /// Nothing is left anywhere: what a test that publishes ends with.
    pub(crate) async fn assert_at_rest(&self) {
        wait_for("the outbox and the parking place are empty", SOON, async || {
            let outbox = count(self.speaker.pool(), "messaging.outbox").await;
            let parked = count(self.listener.pool(), "messaging.parked").await;
            if outbox + parked == 0 {
                Ok(())
            } else {
                Err(format!("outbox {outbox}, parked {parked}"))
            }
        })
        .await
        .unwrap();
        self.vhost.at_rest(SOON).await.unwrap();
    }

    /// Each walk has exactly the steps 1 to `last`, in order.
    pub(crate) async fn assert_walked(&self, walks: &[String], last: i64) {
        for walk in walks {
            assert_eq!(self.effects(walk).await, (1..=last).collect::<Vec<_>>(), "{walk}");
        }
    }

    /// Ends every connection to the database of the listener or of the speaker but the one that does so.
    pub(crate) async fn cut_databases(&self) {
        for database in [&self.speaker_database, &self.listener_database] {
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

/// Says the next step, by its number, every so often until it is over: the number of the last.
pub(crate) async fn repeat_until(
    over: &AtomicBool,
    every: Duration,
    say: impl AsyncFn(i64),
) -> i64 {
    let (mut last, mut pace) = (0, tokio::time::interval(every));
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        last += 1;
        say(last).await;
    }
    last
}

/// Starts this very program once more, as a process that runs one of its tests with these variables in its environment.
pub(crate) fn start_again(folder: &DataDir, test: &str, variables: &[(&str, &str)]) -> Process {
    let program = std::env::current_exe().unwrap();
    let log = folder.path().join("worker.log");
    let program = Program::new("worker", program, log).arguments(["--exact", test, "--nocapture"]);
    let told =
        variables.iter().fold(program, |program, (name, value)| program.variable(name, value));
    told.start().unwrap()
}

/// Waits until a table has so many rows.
pub(crate) async fn wait_for_count(what: &str, pool: &PgPool, table: &str, expected: i64) {
    wait_for(what, SOON, async || {
        let found = count(pool, table).await;
        if found == expected { Ok(()) } else { Err(format!("{found} of {expected}")) }
    })
    .await
    .unwrap();
}

/// How many rows a table has.
pub(crate) async fn count(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(pool)
        .await
        .unwrap()
}
