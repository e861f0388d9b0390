//! The stream of the intake: each confirmed message is read once, with any sequence of readers.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use lapin::{
    Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use messaging::{
    Failure, MIGRATOR, MessagingRuntime, Outbox, Topology, Transaction,
    streams::{self, AppendError, StreamHandler, StreamWriter},
};
use sqlx::AssertSqlSafe;
use testkit::{Database, Proxy, RabbitMq, Vhost, wait_for};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    harness::{TIMEOUT, count, outbox, wait_for_count},
    signatures::Keys,
};

/// Records every message except "poison" (retry), "venom" (rejected) and "tar" (hangs).
struct RecordMessages {
    /// The delay before a failure of "poison".
    pause: Duration,
    /// The handler timeout.
    limit: Duration,
    /// Failures with a single message.
    failures: AtomicU32,
    /// A single "venom" waits here before it is rejected.
    gate: Semaphore,
    /// The number of arrivals at the gate.
    at_gate: AtomicU32,
}

impl RecordMessages {
    fn failing_after(pause: Duration) -> Arc<Self> {
        Arc::new(Self::new(pause, TIMEOUT))
    }

    fn limited_to(limit: Duration) -> Arc<Self> {
        Arc::new(Self::new(Duration::ZERO, limit))
    }

    fn new(pause: Duration, limit: Duration) -> Self {
        let (failures, at_gate) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { pause, limit, failures, gate: Semaphore::new(0), at_gate }
    }

    fn failures(&self) -> u32 {
        self.failures.load(Ordering::SeqCst)
    }

    /// Waits until "venom" is at the gate.
    async fn wait_for_venom(&self) {
        wait_for("venom is at the gate", TIMEOUT, async || {
            match self.at_gate.load(Ordering::SeqCst) {
                0 => Err("not yet"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
    }
}

impl StreamHandler for RecordMessages {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        if messages.contains(&&b"poison"[..]) {
            tokio::time::sleep(self.pause).await;
            self.failures.fetch_add(u32::from(messages.len() == 1), Ordering::SeqCst);
            return Err(Failure::retry("poison"));
        }
        if messages.contains(&&b"venom"[..]) {
            if messages.len() == 1 {
                self.at_gate.fetch_add(1, Ordering::SeqCst);
                self.gate.acquire().await.map_err(Failure::retry)?.forget();
            }
            return Err(Failure::reject("venom", "venom"));
        }
        if messages.contains(&&b"tar"[..]) {
            self.failures.fetch_add(u32::from(messages.len() == 1), Ordering::SeqCst);
            return std::future::pending().await;
        }
        let bodies: Vec<String> =
            messages.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
        let _: Vec<i32> = sqlx::query_scalar(
            "insert into seen (body) select * from unnest($1::text[]) returning 1",
        )
        .bind(bodies)
        .fetch_all(&mut **tx)
        .await?;
        Ok(())
    }

    fn handler_timeout(&self) -> Duration {
        self.limit
    }
}

/// A stream, its publisher, and the database of its reader.
struct StreamHarness {
    vhost: Vhost,
    database: Database,
    outbox: Outbox,
    intake: StreamWriter,
    publishing: JoinSet<()>,
    stop: CancellationToken,
}

impl StreamHarness {
    async fn open() -> Self {
        let vhost = Vhost::create().await.unwrap();
        let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        database.run("create table seen (body text not null)").await.unwrap();
        let outbox = outbox(database.url()).await;
        let (intake, publisher) = StreamWriter::new(vhost.url(), "clicks");
        let stop = CancellationToken::new();
        let mut publishing = JoinSet::new();
        publishing.spawn(publisher.run(stop.clone()));
        Self { vhost, database, outbox, intake, publishing, stop }
    }

    /// Starts a reader, as in a process of its own; dropping it aborts it, like a killed process.
    async fn read(&self, handler: &Arc<RecordMessages>) -> JoinSet<()> {
        let mut reading = JoinSet::new();
        self.start_reader(&mut reading, handler).await;
        reading
    }

    async fn start_reader(&self, reading: &mut JoinSet<()>, handler: &Arc<RecordMessages>) {
        self.start_reader_of("clicks", reading, handler).await;
    }

    async fn start_reader_of(
        &self,
        stream: &'static str,
        reading: &mut JoinSet<()>,
        handler: &Arc<RecordMessages>,
    ) {
        let outbox = outbox(self.database.url()).await;
        let (url, handler) = (self.vhost.url().to_owned(), handler.clone());
        reading.spawn(streams::read(outbox, url, stream, "reader", handler, self.stop.clone()));
    }

    async fn append(&self, bodies: impl IntoIterator<Item = String>) {
        let appends = bodies.into_iter().map(|body| self.intake.append(body.into_bytes()));
        for appended in futures::future::join_all(appends).await {
            appended.unwrap();
        }
    }

    /// Waits until this number of distinct messages has taken effect.
    async fn wait_for_seen(&self, expected: i64) {
        wait_for("all messages are read", TIMEOUT, async || {
            let seen = count(self.outbox.pool(), "(select distinct body from seen) as body").await;
            if seen == expected { Ok(()) } else { Err(format!("{seen} of {expected}")) }
        })
        .await
        .unwrap();
    }

    /// A column of the reader's stored offset.
    async fn offset(&self, column: &'static str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select coalesce(max({column}), 0)::bigint from messaging.stream_offset"
        )))
        .fetch_one(self.outbox.pool())
        .await
        .unwrap()
    }

    async fn wait_for_offset(&self, column: &'static str, least: i64) {
        wait_for(column, TIMEOUT, async || {
            let found = self.offset(column).await;
            if found >= least { Ok(()) } else { Err(found) }
        })
        .await
        .unwrap();
    }

    /// Moves the stored offset as another reader would, as soon as the current reader releases it. A table lock is granted in order;
    /// a row lock might be granted to the current reader again.
    async fn move_offset(&self, moved: &'static str) -> JoinSet<()> {
        let pool = self.outbox.pool().clone();
        let mut moving = JoinSet::new();
        moving.spawn(async move {
            let moved = AssertSqlSafe(format!(
                "begin; lock table messaging.stream_offset in access exclusive mode;
                 update messaging.stream_offset set {moved}; commit"
            ));
            sqlx::raw_sql(moved).execute(&pool).await.unwrap();
        });
        // Other tests wait for locks on the same server.
        let waiting = "pg_locks where not granted
            and database = (select oid from pg_database where datname = current_database())";
        wait_for("the update waits for the lock", TIMEOUT, async || {
            match count(self.outbox.pool(), waiting).await {
                0 => Err("not yet"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
        moving
    }

    async fn dead_letters(&self) -> i64 {
        count(self.outbox.pool(), "messaging.dead_letter").await
    }

    async fn wait_for_letters(&self, expected: i64) {
        wait_for("poison is a dead letter", TIMEOUT, async || {
            let dead_letters = self.dead_letters().await;
            if dead_letters == expected { Ok(()) } else { Err(dead_letters) }
        })
        .await
        .unwrap();
    }

    /// Stops publisher and readers, and waits until the readers have ended.
    async fn stop(&self, mut reading: JoinSet<()>) {
        self.stop.cancel();
        while reading.join_next().await.is_some() {}
    }

    async fn shut_down(mut self, reading: JoinSet<()>) {
        self.stop(reading).await;
        while self.publishing.join_next().await.is_some() {}
    }
}

/// Deletes the stream with its contents.
pub(crate) async fn lose_stream(amqp_url: &str) {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.queue_delete("clicks".into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

/// Declares a queue with the name of the stream and other arguments.
async fn declare_by_hand(amqp_url: &str, arguments: FieldTable) {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("clicks".into(), durable, arguments).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

/// Messages with distinct bodies.
fn messages(name: &str, number: u32) -> impl Iterator<Item = String> {
    (0..number).map(move |index| format!("{name}-{index}"))
}

#[tokio::test]
async fn confirmed_messages_are_read_once_though_readers_die() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    for round in 0..4 {
        let mut reading = clicks.read(&handler).await;
        clicks.append(messages(&format!("{round}"), 100)).await;
        reading.shutdown().await;
    }
    let reading = clicks.read(&handler).await;
    clicks.wait_for_seen(400).await;
    assert_eq!(count(clicks.outbox.pool(), "seen").await, 400);
    assert_eq!(clicks.offset("restarts").await, 0);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_stream_lost_during_reading_is_read_from_its_beginning() {
    let clicks = StreamHarness::open().await;
    let reading = clicks.read(&RecordMessages::failing_after(Duration::ZERO)).await;
    clicks.append(messages("before", 20)).await;
    clicks.wait_for_seen(20).await;
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("after", 5)).await;
    clicks.wait_for_seen(25).await;
    assert_eq!(clicks.offset("restarts").await, 1);
    assert_eq!(clicks.offset("next_offset").await, 5);
    clicks.append(messages("later", 50)).await;
    clicks.wait_for_seen(75).await;
    assert_eq!(count(clicks.outbox.pool(), "seen").await, 75);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_stream_lost_without_a_reader_is_read_from_its_start() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    let mut reading = clicks.read(&handler).await;
    clicks.append(messages("before", 20)).await;
    clicks.wait_for_seen(20).await;
    reading.shutdown().await;

    // The new stream is shorter than the stored offset.
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("shorter", 5)).await;
    let mut reading = clicks.read(&handler).await;
    clicks.wait_for_seen(25).await;
    reading.shutdown().await;

    // The new stream is longer than the stored offset.
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("longer", 40)).await;
    let reading = clicks.read(&handler).await;
    clicks.wait_for_seen(65).await;
    assert_eq!(clicks.offset("restarts").await, 2);
    assert_eq!(count(clicks.outbox.pool(), "seen").await, 65);
    clicks.shut_down(reading).await;
}

/// As in a service, where the process of the reader is a replica.
#[tokio::test]
async fn a_killed_reader_is_replaced_before_its_lease_expires() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    let process = outbox(clicks.database.url()).await;
    let replica =
        MessagingRuntime::new(process.clone(), clicks.vhost.url(), Topology::new("reader"));
    let mut killed = JoinSet::new();
    killed.spawn(replica.consume(clicks.stop.clone()));
    killed.spawn(streams::read(
        process,
        clicks.vhost.url().to_owned(),
        "clicks",
        "reader",
        handler.clone(),
        clicks.stop.clone(),
    ));
    clicks.append(messages("before", 10)).await;
    clicks.wait_for_seen(10).await;
    wait_for_count("it is a replica", clicks.outbox.pool(), "messaging.replica", 1).await;
    killed.shutdown().await;
    clicks
        .database
        .run("update messaging.process_lease set expires_at = now() + interval '1 hour'")
        .await
        .unwrap();
    let reading = clicks.read(&handler).await;
    clicks.append(messages("after", 10)).await;
    clicks.wait_for_seen(20).await;
    clicks.shut_down(reading).await;
}

/// The attempts take longer than the lease, but each attempt renews it.
#[tokio::test]
async fn poison_is_dead_lettered_after_six_attempts() {
    let clicks = StreamHarness::open().await;
    let handlers = [(); 2].map(|()| RecordMessages::failing_after(Duration::from_millis(600)));
    clicks.append(["poison".to_owned()].into_iter().chain(messages("sound", 20))).await;
    let mut reading = clicks.read(&handlers[0]).await;
    clicks.start_reader(&mut reading, &handlers[1]).await;
    clicks.wait_for_letters(1).await;
    clicks.wait_for_seen(20).await;
    let mut failures = handlers.each_ref().map(|handler| handler.failures());
    failures.sort_unstable();
    assert_eq!(failures, [0, 6]);
    assert_eq!(clicks.dead_letters().await, 1);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn attempts_survive_the_death_of_readers() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::from_millis(600));
    clicks.append(["poison".to_owned()].into_iter().chain(messages("sound", 20))).await;
    for failures in [2, 4] {
        let mut reading = clicks.read(&handler).await;
        clicks.wait_for_offset("failures", failures).await;
        reading.shutdown().await;
    }
    let reading = clicks.read(&handler).await;
    clicks.wait_for_letters(1).await;
    clicks.wait_for_seen(20).await;
    assert_eq!(handler.failures(), 6);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_message_whose_handler_hangs_is_dead_lettered() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::limited_to(Duration::from_millis(300));
    clicks.append(["tar".to_owned()].into_iter().chain(messages("sound", 20))).await;
    let reading = clicks.read(&handler).await;
    clicks.wait_for_letters(1).await;
    clicks.wait_for_seen(20).await;
    assert_eq!(handler.failures(), 6);
    let late = "messaging.dead_letter where causes[1] like 'the handler took longer%'";
    assert_eq!(count(clicks.outbox.pool(), late).await, 1);
    clicks.shut_down(reading).await;
}

/// The session that moves the offset stands for a reader that has taken over.
#[tokio::test]
async fn a_stale_reader_dead_letters_nothing() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    clicks.append(["venom".to_owned()]).await;
    let reading = clicks.read(&handler).await;
    handler.wait_for_venom().await;
    clicks.append(messages("sound", 20)).await;
    let moved = clicks.move_offset("next_offset = 21, last_message = null").await;
    handler.gate.add_permits(100);
    moved.join_all().await;
    clicks.append(["last".to_owned()]).await;
    clicks.wait_for_seen(1).await;
    assert_eq!(clicks.dead_letters().await, 0);
    assert_eq!(clicks.offset("next_offset").await, 22);
    clicks.shut_down(reading).await;
}

/// Its buffered message is from the lost stream, and the same offset exists in the new stream.
#[tokio::test]
async fn a_stale_reader_skips_nothing_of_a_recreated_stream() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    clicks.append(messages("before", 3).chain(["venom".to_owned()])).await;
    let reading = clicks.read(&handler).await;
    handler.wait_for_venom().await;
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("after", 5)).await;
    let moved = clicks
        .move_offset(
            "next_offset = 0, last_message = null, restarts = restarts + 1, singly_before = 0",
        )
        .await;
    handler.gate.add_permits(100);
    moved.join_all().await;
    clicks.wait_for_seen(3 + 5).await;
    assert_eq!(clicks.dead_letters().await, 0);
    assert_eq!(clicks.offset("restarts").await, 1);
    assert_eq!(clicks.offset("next_offset").await, 5);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn two_streams_are_read_under_one_consumer_name() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    let mut reading = clicks.read(&handler).await;
    clicks.append(messages("click", 5)).await;
    clicks.wait_for_seen(5).await;
    let (views, publisher) = StreamWriter::new(clicks.vhost.url(), "views");
    reading.spawn(publisher.run(clicks.stop.clone()));
    clicks.start_reader_of("views", &mut reading, &handler).await;
    views.append(b"view".to_vec()).await.unwrap();
    clicks.wait_for_seen(6).await;
    clicks.shut_down(reading).await;
}

/// The older release moves the offset and leaves the digest unchanged.
#[tokio::test]
async fn an_offset_moved_by_an_older_release_is_accepted() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    let mut reading = clicks.read(&handler).await;
    clicks.append(messages("before", 10)).await;
    clicks.wait_for_seen(10).await;
    reading.shutdown().await;
    clicks.append(messages("by the older version", 5)).await;
    let moved = "update messaging.stream_offset set next_offset = 15";
    sqlx::raw_sql(moved).execute(clicks.outbox.pool()).await.unwrap();
    let reading = clicks.read(&handler).await;
    clicks.append(messages("after", 5)).await;
    clicks.wait_for_seen(15).await;
    assert_eq!(clicks.offset("restarts").await, 0);
    assert_eq!(clicks.offset("next_offset").await, 20);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_reader_stops_within_seconds_though_its_handler_hangs() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::limited_to(Duration::from_secs(40));
    clicks.append(["venom".to_owned()]).await;
    let reading = clicks.read(&handler).await;
    handler.wait_for_venom().await;
    timeout(Duration::from_secs(15), clicks.stop(reading)).await.expect("the reader stops");
    assert_eq!(clicks.offset("failures").await, 0);
}

#[tokio::test]
async fn a_reader_stops_between_attempts() {
    let clicks = StreamHarness::open().await;
    let handler = RecordMessages::failing_after(Duration::ZERO);
    clicks.append(["poison".to_owned()]).await;
    let reading = clicks.read(&handler).await;
    clicks.wait_for_offset("failures", 2).await;
    clicks.stop(reading).await;
    assert!(handler.failures() < 6);
    assert_eq!(clicks.dead_letters().await, 0);
}

/// Every wait for the database has a timeout.
#[tokio::test]
async fn a_reader_stops_though_its_lease_is_locked() {
    let clicks = StreamHarness::open().await;
    let reading = clicks.read(&RecordMessages::failing_after(Duration::ZERO)).await;
    clicks.append(messages("before", 1)).await;
    clicks.wait_for_seen(1).await;
    let other_pool = clicks.database.connect().await.unwrap();
    let mut holder = other_pool.begin().await.unwrap();
    let _: String = sqlx::query_scalar("select name from messaging.process_lease for update")
        .fetch_one(&mut *holder)
        .await
        .unwrap();
    timeout(TIMEOUT, clicks.stop(reading)).await.expect("the reader stops");
    holder.rollback().await.unwrap();
}

#[tokio::test]
async fn the_intake_stops_during_a_broker_alarm() {
    let broker = RabbitMq::start().await.unwrap();
    let (intake, publisher) = StreamWriter::new(broker.url(), "clicks");
    let stop = CancellationToken::new();
    let mut publishing = JoinSet::new();
    publishing.spawn(publisher.run(stop.clone()));
    intake.append(b"before".to_vec()).await.unwrap();
    broker.set_memory_alarm(true).await.unwrap();
    let left = intake.append(b"left".to_vec()).await;
    assert_eq!(left, Err(AppendError::Unconfirmed));
    stop.cancel();
    timeout(TIMEOUT, publishing.join_next()).await.expect("the reader stops").unwrap().unwrap();
    broker.set_memory_alarm(false).await.unwrap();
}

/// After a kill the broker reads the last segment of a stream before consumers can attach, so segments must be small.
#[tokio::test]
async fn a_stream_is_stored_in_small_segments() {
    let mut broker = RabbitMq::start().await.unwrap();
    let (intake, publisher) = StreamWriter::new(broker.url(), "clicks");
    let stop = CancellationToken::new();
    let mut publishing = JoinSet::new();
    publishing.spawn(publisher.run(stop.clone()));
    for _ in 0..20 {
        intake.append(vec![b'.'; 1_000_000]).await.unwrap();
    }
    let sizes = segment_sizes(broker.data_dir().path());
    assert!(sizes.iter().sum::<u64>() >= 20_000_000, "all messages are on disk: {sizes:?}");
    assert!(sizes.iter().all(|size| *size < 8_000_000), "{sizes:?}");
    stop.cancel();
    while publishing.join_next().await.is_some() {}
}

/// The sizes of all segment files, in bytes.
fn segment_sizes(directory: &Path) -> Vec<u64> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sizes.extend(segment_sizes(&path));
        } else if path.extension().is_some_and(|extension| extension == "segment") {
            sizes.push(fs::metadata(&path).unwrap().len());
        }
    }
    sizes
}

#[tokio::test]
async fn a_stream_declared_by_an_older_release_works() {
    let clicks = StreamHarness::open().await;
    let url = clicks.vhost.url();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
    arguments.insert("x-max-age".into(), AMQPValue::LongString("7D".into()));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(2_000_000_000));
    declare_by_hand(url, arguments).await;
    streams::declare(url, "clicks").await.unwrap();
    clicks.append(messages("click", 50)).await;
    let reading = clicks.read(&RecordMessages::failing_after(Duration::ZERO)).await;
    clicks.wait_for_seen(50).await;
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_queue_of_the_same_name_is_not_used_as_a_stream() {
    let vhost = Vhost::create().await.unwrap();
    declare_by_hand(vhost.url(), FieldTable::default()).await;
    let refused = streams::declare(vhost.url(), "clicks").await;
    let Err(messaging::Error::Differs(difference)) = refused else {
        return assert!(refused.is_err(), "the queue was taken for a stream");
    };
    assert_eq!(difference.to_string(), "queue clicks: x-queue-type is classic, wanted is stream");
}

/// Only missing heartbeats reveal a silent connection.
#[tokio::test]
async fn a_reader_replaces_a_silent_connection() {
    let clicks = StreamHarness::open().await;
    let (proxy, url) = Proxy::in_front_of(clicks.vhost.url()).await.unwrap();
    let handler = RecordMessages::failing_after(Duration::ZERO);
    let mut reading = JoinSet::new();
    reading.spawn(streams::read(
        clicks.outbox.clone(),
        url,
        "clicks",
        "reader",
        handler,
        clicks.stop.clone(),
    ));
    clicks.append(["before".to_owned()]).await;
    clicks.wait_for_seen(1).await;
    proxy.blackhole_existing();
    let began = Instant::now();
    clicks.append(["behind".to_owned()]).await;
    clicks.wait_for_seen(2).await;
    println!("the reader recovered after {:?}", began.elapsed());
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn what_the_service_has_not_appended_is_refused() {
    let (clicks, keys) = (StreamHarness::open().await, Keys::new());
    let (signed, task) = StreamWriter::new(clicks.vhost.url(), "clicks");
    let mut writing = JoinSet::new();
    writing.spawn(task.signed(keys.of("publisher")).run(clicks.stop.clone()));
    signed.append(b"one".to_vec()).await.unwrap();
    // The writer of the harness has no key.
    clicks.append(["forged".to_owned()]).await;
    signed.append(b"two".to_vec()).await.unwrap();

    let reader = outbox(clicks.database.url()).await.with_signatures(keys.of("publisher"));
    let handler = RecordMessages::failing_after(Duration::ZERO);
    let url = clicks.vhost.url().to_owned();
    let mut reading = JoinSet::new();
    reading.spawn(streams::read(reader, url, "clicks", "reader", handler, clicks.stop.clone()));
    clicks.wait_for_seen(2).await;
    let seen: Vec<String> = sqlx::query_scalar("select body from seen order by body")
        .fetch_all(clicks.outbox.pool())
        .await
        .unwrap();
    assert_eq!(seen, ["one", "two"]);
    let reasons: Vec<String> = sqlx::query_scalar("select reason from messaging.dead_letter")
        .fetch_all(clicks.outbox.pool())
        .await
        .unwrap();
    assert_eq!(reasons, ["not_signed"]);
}
