//! The intake's stream: what was confirmed is read once, whoever reads.

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
    Failure, Kit, MIGRATOR, Transaction,
    stream::{self, Intake, NotAppended, StreamHandler},
};
use sqlx::AssertSqlSafe;
use testkit::{Database, Proxy, RabbitMq, Vhost, wait_for};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::shop::{SOON, count, kit};

/// Writes every message down, but for poison, venom and tar.
struct WriteDown {
    /// How long it takes to fail over a message "poison".
    pause: Duration,
    /// How long it may take. Over a message "tar" it never comes back.
    limit: Duration,
    /// How often it has failed over one that was alone.
    failures: AtomicU32,
    /// Over a message "venom" that is alone it waits here before it rejects it.
    gate: Semaphore,
    /// How often it has come to the gate.
    at_gate: AtomicU32,
}

impl WriteDown {
    fn failing_after(pause: Duration) -> Arc<Self> {
        Arc::new(Self::new(pause, SOON))
    }

    /// One that may take so long.
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

    /// Waits until it is at the gate with venom.
    async fn wait_for_venom(&self) {
        wait_for("venom is in hand", SOON, async || match self.at_gate.load(Ordering::SeqCst) {
            0 => Err("not yet"),
            _ => Ok(()),
        })
        .await
        .unwrap();
    }
}

impl StreamHandler for WriteDown {
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

/// A stream, who publishes to it, and the database of who reads it.
struct Clicks {
    vhost: Vhost,
    database: Database,
    kit: Kit,
    intake: Intake,
    publishing: JoinSet<()>,
    stop: CancellationToken,
}

impl Clicks {
    async fn open() -> Self {
        let vhost = Vhost::create().await.unwrap();
        let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        database.run("create table seen (body text not null)").await.unwrap();
        let kit = kit(database.url()).await;
        let (intake, publisher) = Intake::new(vhost.url(), "clicks");
        let stop = CancellationToken::new();
        let mut publishing = JoinSet::new();
        publishing.spawn(publisher.run(stop.clone()));
        Self { vhost, database, kit, intake, publishing, stop }
    }

    /// Starts a reader; dropped or shut down it dies as a killed process does.
    fn read(&self, handler: &Arc<WriteDown>) -> JoinSet<()> {
        let mut reading = JoinSet::new();
        self.start_reader(&mut reading, handler);
        reading
    }

    fn start_reader(&self, reading: &mut JoinSet<()>, handler: &Arc<WriteDown>) {
        self.start_reader_of("clicks", reading, handler);
    }

    fn start_reader_of(
        &self,
        stream: &'static str,
        reading: &mut JoinSet<()>,
        handler: &Arc<WriteDown>,
    ) {
        let (kit, url, handler) = (self.kit.clone(), self.vhost.url().to_owned(), handler.clone());
        reading.spawn(stream::read(kit, url, stream, "reader", handler, self.stop.clone()));
    }

    async fn append(&self, bodies: impl IntoIterator<Item = String>) {
        let appends = bodies.into_iter().map(|body| self.intake.append(body.into_bytes()));
        for appended in futures::future::join_all(appends).await {
            appended.unwrap();
        }
    }

    /// Waits until so many different messages have taken effect.
    async fn wait_for_seen(&self, expected: i64) {
        wait_for("all is read", SOON, async || {
            let seen = count(self.kit.pool(), "(select distinct body from seen) as body").await;
            if seen == expected { Ok(()) } else { Err(format!("{seen} of {expected}")) }
        })
        .await
        .unwrap();
    }

    /// A number of the reader's place in the stream.
    async fn place(&self, column: &'static str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select coalesce(max({column}), 0)::bigint from messaging.stream_offset"
        )))
        .fetch_one(self.kit.pool())
        .await
        .unwrap()
    }

    async fn wait_for_place(&self, column: &'static str, least: i64) {
        wait_for(column, SOON, async || {
            let found = self.place(column).await;
            if found >= least { Ok(()) } else { Err(found) }
        })
        .await
        .unwrap();
    }

    /// Moves the place as another reader would, which waits for the one that has it. It is moved when this one has let it go, before
    /// that one takes it again: who waits for a table has its turn, while the lock on a row may fall to whoever comes.
    async fn move_place(&self, moved: &'static str) -> JoinSet<()> {
        let pool = self.kit.pool().clone();
        let mut moving = JoinSet::new();
        moving.spawn(async move {
            let moved = AssertSqlSafe(format!(
                "begin; lock table messaging.stream_offset in access exclusive mode;
                 update messaging.stream_offset set {moved}; commit"
            ));
            sqlx::raw_sql(moved).execute(&pool).await.unwrap();
        });
        wait_for("it waits for the place", SOON, async || {
            match count(self.kit.pool(), "pg_locks where not granted").await {
                0 => Err("not yet"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
        moving
    }

    async fn letters(&self) -> i64 {
        count(self.kit.pool(), "messaging.dead_letter").await
    }

    async fn wait_for_letters(&self, expected: i64) {
        wait_for("poison is buried", SOON, async || {
            let letters = self.letters().await;
            if letters == expected { Ok(()) } else { Err(letters) }
        })
        .await
        .unwrap();
    }

    /// Stops all that goes on, and waits until the readers have ended.
    async fn stop(&self, mut reading: JoinSet<()>) {
        self.stop.cancel();
        while reading.join_next().await.is_some() {}
    }

    async fn shut_down(mut self, reading: JoinSet<()>) {
        self.stop(reading).await;
        while self.publishing.join_next().await.is_some() {}
    }
}

/// Takes the stream of clicks away, with all that is in it.
pub(crate) async fn lose_stream(amqp_url: &str) {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.queue_delete("clicks".into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

/// Declares what is named as the stream of clicks, as it is not declared today.
async fn declare_by_hand(amqp_url: &str, arguments: FieldTable) {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("clicks".into(), durable, arguments).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

/// So many messages that are told from others.
fn messages(name: &str, number: u32) -> impl Iterator<Item = String> {
    (0..number).map(move |index| format!("{name}-{index}"))
}

#[tokio::test]
async fn what_was_confirmed_is_read_once_though_readers_die() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::ZERO);
    for round in 0..4 {
        let mut reading = clicks.read(&handler);
        clicks.append(messages(&format!("{round}"), 100)).await;
        reading.shutdown().await;
    }
    let reading = clicks.read(&handler);
    clicks.wait_for_seen(400).await;
    assert_eq!(count(clicks.kit.pool(), "seen").await, 400);
    assert_eq!(clicks.place("restarts").await, 0);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_stream_that_is_lost_while_it_is_read_is_read_from_its_beginning() {
    let clicks = Clicks::open().await;
    let reading = clicks.read(&WriteDown::failing_after(Duration::ZERO));
    clicks.append(messages("before", 20)).await;
    clicks.wait_for_seen(20).await;
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("after", 5)).await;
    clicks.wait_for_seen(25).await;
    assert_eq!(clicks.place("restarts").await, 1);
    assert_eq!(clicks.place("next_offset").await, 5);
    clicks.append(messages("later", 50)).await;
    clicks.wait_for_seen(75).await;
    assert_eq!(count(clicks.kit.pool(), "seen").await, 75);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_stream_that_is_lost_while_nobody_reads_is_read_from_its_beginning() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::ZERO);
    let mut reading = clicks.read(&handler);
    clicks.append(messages("before", 20)).await;
    clicks.wait_for_seen(20).await;
    reading.shutdown().await;

    // The new stream is shorter than what was read of the old one.
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("shorter", 5)).await;
    let mut reading = clicks.read(&handler);
    clicks.wait_for_seen(25).await;
    reading.shutdown().await;

    // The new stream has grown beyond it.
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("longer", 40)).await;
    let reading = clicks.read(&handler);
    clicks.wait_for_seen(65).await;
    assert_eq!(clicks.place("restarts").await, 2);
    assert_eq!(count(clicks.kit.pool(), "seen").await, 65);
    clicks.shut_down(reading).await;
}

/// The attempts take longer than the lease lasts, but it is renewed by each.
#[tokio::test]
async fn poison_is_buried_after_six_attempts_of_one_of_two_readers() {
    let clicks = Clicks::open().await;
    let handlers = [(); 2].map(|()| WriteDown::failing_after(Duration::from_millis(600)));
    clicks.append(["poison".to_owned()].into_iter().chain(messages("sound", 20))).await;
    let mut reading = clicks.read(&handlers[0]);
    clicks.start_reader(&mut reading, &handlers[1]);
    clicks.wait_for_letters(1).await;
    clicks.wait_for_seen(20).await;
    let mut failures = handlers.each_ref().map(|handler| handler.failures());
    failures.sort_unstable();
    assert_eq!(failures, [0, 6]);
    assert_eq!(clicks.letters().await, 1);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn poison_is_buried_after_six_attempts_of_readers_that_die() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::from_millis(600));
    clicks.append(["poison".to_owned()].into_iter().chain(messages("sound", 20))).await;
    for failures in [2, 4] {
        let mut reading = clicks.read(&handler);
        clicks.wait_for_place("failures", failures).await;
        reading.shutdown().await;
    }
    let reading = clicks.read(&handler);
    clicks.wait_for_letters(1).await;
    clicks.wait_for_seen(20).await;
    assert_eq!(handler.failures(), 6);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_handler_that_never_comes_back_over_a_message_holds_up_its_stream_for_six_attempts() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::limited_to(Duration::from_millis(300));
    clicks.append(["tar".to_owned()].into_iter().chain(messages("sound", 20))).await;
    let reading = clicks.read(&handler);
    clicks.wait_for_letters(1).await;
    clicks.wait_for_seen(20).await;
    assert_eq!(handler.failures(), 6);
    let late = "messaging.dead_letter where causes[1] like 'the handler took longer%'";
    assert_eq!(count(clicks.kit.pool(), late).await, 1);
    clicks.shut_down(reading).await;
}

/// Whoever holds the lock on the place in the meantime stands for the reader that has taken over, and handled what comes behind.
#[tokio::test]
async fn a_reader_that_hung_buries_nothing_that_another_has_gone_past() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::ZERO);
    clicks.append(["venom".to_owned()]).await;
    let reading = clicks.read(&handler);
    handler.wait_for_venom().await;
    clicks.append(messages("sound", 20)).await;
    let moved = clicks.move_place("next_offset = 21, last_message = null").await;
    handler.gate.add_permits(100);
    moved.join_all().await;
    clicks.append(["last".to_owned()]).await;
    clicks.wait_for_seen(1).await;
    assert_eq!(clicks.letters().await, 0);
    assert_eq!(clicks.place("next_offset").await, 22);
    clicks.shut_down(reading).await;
}

/// What it has in hand is of a stream that was lost meanwhile, and its offset is one of the new stream as well.
#[tokio::test]
async fn a_reader_that_hung_skips_nothing_of_a_stream_declared_anew() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::ZERO);
    clicks.append(messages("before", 3).chain(["venom".to_owned()])).await;
    let reading = clicks.read(&handler);
    handler.wait_for_venom().await;
    lose_stream(clicks.vhost.url()).await;
    clicks.append(messages("after", 5)).await;
    let moved = clicks
        .move_place(
            "next_offset = 0, last_message = null, restarts = restarts + 1, singly_before = 0",
        )
        .await;
    handler.gate.add_permits(100);
    moved.join_all().await;
    clicks.wait_for_seen(3 + 5).await;
    assert_eq!(clicks.letters().await, 0);
    assert_eq!(clicks.place("restarts").await, 1);
    assert_eq!(clicks.place("next_offset").await, 5);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn two_streams_are_read_under_one_name() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::ZERO);
    let mut reading = clicks.read(&handler);
    clicks.append(messages("click", 5)).await;
    clicks.wait_for_seen(5).await;
    let (views, publisher) = Intake::new(clicks.vhost.url(), "views");
    reading.spawn(publisher.run(clicks.stop.clone()));
    clicks.start_reader_of("views", &mut reading, &handler);
    views.append(b"view".to_vec()).await.unwrap();
    clicks.wait_for_seen(6).await;
    clicks.shut_down(reading).await;
}

/// It moves the offset, and leaves the digest as it was.
#[tokio::test]
async fn a_stream_in_which_an_older_version_went_on_is_not_taken_for_lost() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::ZERO);
    let mut reading = clicks.read(&handler);
    clicks.append(messages("before", 10)).await;
    clicks.wait_for_seen(10).await;
    reading.shutdown().await;
    clicks.append(messages("by the older version", 5)).await;
    let went_on = "update messaging.stream_offset set next_offset = 15";
    sqlx::raw_sql(went_on).execute(clicks.kit.pool()).await.unwrap();
    let reading = clicks.read(&handler);
    clicks.append(messages("after", 5)).await;
    clicks.wait_for_seen(15).await;
    assert_eq!(clicks.place("restarts").await, 0);
    assert_eq!(clicks.place("next_offset").await, 20);
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_reader_stops_within_seconds_though_its_handler_hangs() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::limited_to(Duration::from_secs(40));
    clicks.append(["venom".to_owned()]).await;
    let reading = clicks.read(&handler);
    handler.wait_for_venom().await;
    timeout(Duration::from_secs(15), clicks.stop(reading)).await.expect("it has stopped");
    assert_eq!(clicks.place("failures").await, 0);
}

#[tokio::test]
async fn a_reader_stops_between_attempts() {
    let clicks = Clicks::open().await;
    let handler = WriteDown::failing_after(Duration::ZERO);
    clicks.append(["poison".to_owned()]).await;
    let reading = clicks.read(&handler);
    clicks.wait_for_place("failures", 2).await;
    clicks.stop(reading).await;
    assert!(handler.failures() < 6);
    assert_eq!(clicks.letters().await, 0);
}

/// Nothing that a database keeps waiting is waited for without an end.
#[tokio::test]
async fn a_reader_stops_though_its_lease_is_locked() {
    let clicks = Clicks::open().await;
    let reading = clicks.read(&WriteDown::failing_after(Duration::ZERO));
    clicks.append(messages("before", 1)).await;
    clicks.wait_for_seen(1).await;
    let somebody = clicks.database.connect().await.unwrap();
    let mut holder = somebody.begin().await.unwrap();
    let _: String = sqlx::query_scalar("select name from messaging.lease for update")
        .fetch_one(&mut *holder)
        .await
        .unwrap();
    timeout(SOON, clicks.stop(reading)).await.expect("it has stopped");
    holder.rollback().await.unwrap();
}

#[tokio::test]
async fn the_intake_stops_though_the_broker_has_raised_an_alarm() {
    let broker = RabbitMq::start().await.unwrap();
    let (intake, publisher) = Intake::new(broker.url(), "clicks");
    let stop = CancellationToken::new();
    let mut publishing = JoinSet::new();
    publishing.spawn(publisher.run(stop.clone()));
    intake.append(b"before".to_vec()).await.unwrap();
    broker.set_memory_alarm(true).await.unwrap();
    let left = intake.append(b"left".to_vec()).await;
    assert_eq!(left, Err(NotAppended::Unconfirmed));
    stop.cancel();
    timeout(SOON, publishing.join_next()).await.expect("it has stopped").unwrap().unwrap();
    broker.set_memory_alarm(false).await.unwrap();
}

/// A broker that was killed reads the last segment of a stream again, from its beginning, before anybody can attach.
#[tokio::test]
async fn a_stream_is_kept_in_small_segments() {
    let mut broker = RabbitMq::start().await.unwrap();
    let (intake, publisher) = Intake::new(broker.url(), "clicks");
    let stop = CancellationToken::new();
    let mut publishing = JoinSet::new();
    publishing.spawn(publisher.run(stop.clone()));
    for _ in 0..20 {
        intake.append(vec![b'.'; 1_000_000]).await.unwrap();
    }
    let sizes = segments(broker.data_dir().path());
    assert!(sizes.iter().sum::<u64>() >= 20_000_000, "all is on disk: {sizes:?}");
    assert!(sizes.iter().all(|size| *size < 8_000_000), "{sizes:?}");
    stop.cancel();
    while publishing.join_next().await.is_some() {}
}

/// The sizes of all segment files of streams, in bytes.
fn segments(folder: &Path) -> Vec<u64> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sizes.extend(segments(&path));
        } else if path.extension().is_some_and(|extension| extension == "segment") {
            sizes.push(fs::metadata(&path).unwrap().len());
        }
    }
    sizes
}

#[tokio::test]
async fn a_stream_that_an_earlier_version_declared_goes_on() {
    let clicks = Clicks::open().await;
    let url = clicks.vhost.url();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
    arguments.insert("x-max-age".into(), AMQPValue::LongString("7D".into()));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(2_000_000_000));
    declare_by_hand(url, arguments).await;
    stream::declare(url, "clicks").await.unwrap();
    clicks.append(messages("click", 50)).await;
    let reading = clicks.read(&WriteDown::failing_after(Duration::ZERO));
    clicks.wait_for_seen(50).await;
    clicks.shut_down(reading).await;
}

#[tokio::test]
async fn a_queue_that_is_no_stream_is_not_taken_for_one() {
    let vhost = Vhost::create().await.unwrap();
    declare_by_hand(vhost.url(), FieldTable::default()).await;
    let refused = stream::declare(vhost.url(), "clicks").await;
    assert!(matches!(refused, Err(messaging::Error::Broker(_))), "{refused:?}");
}

/// Nothing ever comes again on a connection that fell silent, and nobody says so: only missing heartbeats tell.
#[tokio::test]
async fn a_reader_whose_connection_falls_silent_makes_a_new_one() {
    let clicks = Clicks::open().await;
    let (way, url) = Proxy::before(clicks.vhost.url()).await.unwrap();
    let handler = WriteDown::failing_after(Duration::ZERO);
    let mut reading = JoinSet::new();
    reading.spawn(stream::read(
        clicks.kit.clone(),
        url,
        "clicks",
        "reader",
        handler,
        clicks.stop.clone(),
    ));
    clicks.append(["before".to_owned()]).await;
    clicks.wait_for_seen(1).await;
    way.blackhole_existing();
    let began = Instant::now();
    clicks.append(["behind".to_owned()]).await;
    clicks.wait_for_seen(2).await;
    println!("the reader: effects again after {:?}", began.elapsed());
    clicks.shut_down(reading).await;
}
