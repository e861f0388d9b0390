//! The statements of the kit against PostgreSQL: they run the schedules of the model, and each must leave the state that the model expects.
//!
//! Every operation of a schedule is executed on its own connection, with locks held as long as in the model. The database believes the clock
//! of the schedule: `now()` is found in another schema first. Whatever a real statement reads or decides is compared, and after each
//! operation all rows of all tables.
//!
//! `STATEMENT_SCHEDULES` sets the number of schedules. Without it they run for some seconds. `STATEMENT_SEED` runs a single one and prints
//! its operations.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use envelope::{Priority, Slot};
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use testkit::{Database, wait_for};
use uuid::Uuid;

use super::{
    events::{AGGREGATE, full, kind, name, number},
    journal::{Applied, Entry, Journal, Operation},
    limits::{MAX_STARTS, SUBSCRIBERS},
    publisher::LoggedMessage,
    schedule::run_recorded,
    setting,
    state::STATE,
};
use crate::{
    consume::{
        batch_processor::BatchProcessor,
        cursors,
        dead_letter::MISSING_PREDECESSOR,
        latest_wins::plan_latest_wins,
        lost_events, parking,
        plan::{
            Decision, Disposition, Origin, ParkedDecision, Position, decide_parked, plan_sequenced,
        },
        position_store,
        received_event::{Key, ReceivedEvent},
        retries,
        subscription::{OnReject, Ordering, Reception, Subscription},
    },
    dead_letters::{
        self, Declaration, MissingEvents, ResolveError,
        locked_batch::{LetterRef, LockedBatch, Resolution},
        plan::plan_redrive,
    },
    error::{Error, causes},
    publish::{
        lease, message_copies,
        outbox::{MIGRATOR, Outbox},
        partition::Partition,
        pending_event::PendingEvent,
        table,
        transaction::Transaction,
    },
};

/// How long schedules run without a setting.
const DURATION: Duration = Duration::from_secs(8);

/// The databases that are used at the same time.
const DATABASES: u64 = 2;

/// The name of the lease of relays.
const LEASE: &str = "relay";

/// A clock that a schedule sets; the effects; and all that is deleted between two schedules.
const SETUP: &str = "
    create schema clockwork;
    create table clockwork.clock (at timestamptz not null);
    insert into clockwork.clock values ('epoch');
    create function clockwork.now() returns timestamptz stable language sql
        as $$ select at from clockwork.clock $$;
    create table effect (
        place bigint generated always as identity, consumer text, event bigint, key text, seq bigint
    );
";

const CLEAR: &str = "
    truncate effect, messaging.sequence, messaging.outbox, messaging.process_lease, messaging.slot_position, messaging.message,
        messaging.cursor, messaging.parked, messaging.dead_letter, messaging.lost_event, messaging.received_position
    restart identity;
";

/// A difference between the statements and the model.
type Difference = String;

/// The real side of a schedule.
struct Statements {
    pool: PgPool,
    outbox: Outbox,
    subscriptions: [Subscription; SUBSCRIBERS],
    writers: HashMap<usize, Transaction>,
    /// The open transactions of consumers.
    open: HashMap<(usize, usize), OpenTransaction>,
}

/// A transaction whose decisions are made.
struct OpenTransaction {
    tx: Transaction,
    before: HashMap<Key, Position>,
    after: HashMap<Key, Position>,
    events: Vec<ReceivedEvent>,
    decisions: Vec<Decision>,
    origin: Origin,
}

/// A result that must be the same on both sides.
fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &T,
    found: &T,
) -> Result<(), Difference> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}: the model has {expected:?}, the statements have {found:?}"))
}

/// An error of a statement that the model does not have.
fn failed(error: impl std::error::Error + 'static) -> Difference {
    causes(&error).join(": ")
}

fn partition(slot: i16) -> Partition {
    Partition { aggregate: AGGREGATE.to_owned(), slot }
}

fn consumer_name(subscriber: usize) -> String {
    format!("consumer{subscriber}")
}

/// A subscription with this order. Its handlers are never called: the schedule knows what they do.
fn subscription(ordering: Ordering) -> Subscription {
    match ordering {
        Ordering::Sequenced(on_reject) => Subscription::to(AGGREGATE, ["orders"], on_reject),
        Ordering::LatestWins(_) => Subscription::to_state(AGGREGATE, ["orders"]).into(),
    }
}

impl Statements {
    async fn open(database: &Database) -> Self {
        database.run(SETUP).await.unwrap();
        let options: PgConnectOptions = database.url().parse().unwrap();
        // A statement that waits for a lock that the model does not know fails.
        let options = options.options([
            ("search_path", "clockwork,pg_catalog,public"),
            ("lock_timeout", "2s"),
            ("synchronous_commit", "off"),
        ]);
        let pool = PgPoolOptions::new().max_connections(24).connect_with(options).await.unwrap();
        let outbox = Outbox::new(pool.clone());
        let ordering = Ordering::Sequenced(OnReject::BlockKey);
        let subscriptions = std::array::from_fn(|_| subscription(ordering));
        Self { pool, outbox, subscriptions, writers: HashMap::new(), open: HashMap::new() }
    }

    /// Runs all operations of a schedule, until one differs.
    async fn run(&mut self, journal: &Journal, is_traced: bool) -> Result<(), Difference> {
        self.writers.clear();
        for (_, open) in self.open.drain() {
            open.tx.rollback().await;
        }
        self.execute(CLEAR).await?;
        self.subscriptions = journal.orderings.map(subscription);
        let mut at = None;
        for entry in &journal.entries {
            if is_traced {
                println!(
                    "{:>7} ms, subscriber {}: {:?}",
                    entry.at, entry.subscriber, entry.operation
                );
            }
            if at != Some(entry.at) {
                at = Some(entry.at);
                let set = format!(
                    "update clockwork.clock set at = 'epoch'::timestamptz + interval '{} ms'",
                    entry.at
                );
                self.execute(&set).await?;
            }
            let done = Box::pin(self.operate(entry)).await;
            done.map_err(|difference| format!("{:?}: {difference}", entry.operation))?;
            if !entry.operation.is_write() {
                continue;
            }
            let state: Vec<String> =
                sqlx::query_scalar(STATE).fetch_all(&self.pool).await.map_err(failed)?;
            if state != entry.state {
                let (expected, found): (BTreeSet<_>, BTreeSet<_>) =
                    (entry.state.iter().collect(), state.iter().collect());
                let missing: Vec<_> = expected.difference(&found).collect();
                let surplus: Vec<_> = found.difference(&expected).collect();
                return Err(format!(
                    "after {:?}: the model has {missing:#?}, the statements have {surplus:#?}",
                    entry.operation
                ));
            }
        }
        Ok(())
    }

    async fn execute(&self, script: &str) -> Result<(), Difference> {
        let script = sqlx::raw_sql(AssertSqlSafe(script.to_owned()));
        script.execute(&self.pool).await.map_err(failed)?;
        Ok(())
    }

    async fn operate(&mut self, entry: &Entry) -> Result<(), Difference> {
        let subscriber = entry.subscriber;
        match &entry.operation {
            Operation::Append { .. }
            | Operation::EndWriter { .. }
            | Operation::Lease { .. }
            | Operation::Read { .. }
            | Operation::ReadOldest { .. }
            | Operation::MoveToLog { .. }
            | Operation::Copies { .. }
            | Operation::LastPosition { .. }
            | Operation::Expire { .. } => self.publish(&entry.operation).await,
            Operation::Begin { consumer, .. } => {
                self.begin(subscriber, *consumer, &entry.operation).await
            }
            Operation::RollBack { consumer } => {
                if let Some(open) = self.open.remove(&(subscriber, *consumer)) {
                    open.tx.rollback().await;
                }
                Ok(())
            }
            Operation::End { consumer, applied, is_committed } => {
                self.end((subscriber, *consumer), applied, *is_committed).await
            }
            Operation::Revive { .. }
            | Operation::Due { .. }
            | Operation::First { .. }
            | Operation::EventsOfKey { .. }
            | Operation::StartNewest { .. } => self.retry(subscriber, &entry.operation).await,
            Operation::Redrive { .. }
            | Operation::Discard { .. }
            | Operation::DeclareLost { .. } => self.resolve(subscriber, &entry.operation).await,
            Operation::StorePositions { rows } => {
                let consumer = consumer_name(subscriber);
                let keys: Vec<_> =
                    rows.iter().map(|row| (row.publisher.clone(), row.slot)).collect();
                let mut tx = self.pool.begin().await.map_err(failed)?;
                position_store::lock(&mut tx, &consumer, &keys).await.map_err(failed)?;
                position_store::write(&mut tx, &consumer, rows).await.map_err(failed)?;
                tx.commit().await.map_err(failed)
            }
        }
    }

    /// The statements of writers and relays.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are of consumers and operators")]
    async fn publish(&mut self, operation: &Operation) -> Result<(), Difference> {
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        match operation {
            Operation::Append { writer, rows } => {
                let event = |row: &table::OutboxRow| PendingEvent {
                    id: row.event_id.into(),
                    kind: kind(&row.kind),
                    aggregate: AGGREGATE,
                    key: row.key.clone(),
                    slot: Slot::of(&row.key),
                    traceparent: None,
                    priority: if row.bulk { Priority::Bulk } else { Priority::Normal },
                    data: row.data.clone(),
                };
                let events: Vec<PendingEvent> = rows.iter().map(event).collect();
                let mut tx = self.outbox.begin().await.map_err(failed)?;
                table::append(&mut tx, &events).await.map_err(failed)?;
                self.writers.insert(*writer, tx);
            }
            Operation::EndWriter { writer, commits } => {
                let Some(tx) = self.writers.remove(writer) else {
                    return Err("no transaction is open".to_owned());
                };
                if *commits {
                    tx.commit_verified().await.map_err(failed)?;
                } else {
                    tx.rollback().await;
                }
            }
            Operation::Lease { holder, epoch } => {
                let found =
                    lease::acquire(&mut connection, LEASE, *holder).await.map_err(failed)?;
                same("the epoch", epoch, &found)?;
            }
            Operation::Read { suspended, most, ids } => {
                let suspended: Vec<Partition> = suspended.iter().copied().map(partition).collect();
                let most = i64::try_from(*most).unwrap();
                let rows = table::read(&mut connection, &suspended, most, i64::MAX).await;
                let found = rows.map_err(failed)?.iter().map(|row| row.id).collect();
                same("the rows", ids, &found)?;
            }
            Operation::ReadOldest { slots, ids } => {
                let partitions: Vec<Partition> = slots.iter().copied().map(partition).collect();
                let rows =
                    table::read_oldest(&mut connection, &partitions).await.map_err(failed)?;
                let found: BTreeSet<i64> = rows.iter().map(|row| row.id).collect();
                same("the oldest rows", &ids.iter().copied().collect(), &found)?;
            }
            Operation::MoveToLog { holder, epoch, ids, messages, last, is_held } => {
                let logged: Vec<table::LoggedMessage<'_>> = messages.iter().map(logged).collect();
                let last: Vec<(Partition, i64)> =
                    last.iter().map(|(slot, last)| (partition(*slot), *last)).collect();
                let log = table::Log { messages: &logged, last: &last };
                let moved =
                    table::move_to_log(&mut connection, ids, log, LEASE, *holder, *epoch).await;
                same("whether the lease is held", is_held, &moved.map_err(failed)?)?;
            }
            Operation::Copies { slot, range, found } => {
                let copies =
                    message_copies::read(&mut connection, &partition(*slot), *range, 1_000).await;
                let copies = copies.map_err(failed)?;
                let copies =
                    copies.iter().map(|copy| (copy.number, usize::try_from(copy.events).unwrap()));
                same("the copies", found, &copies.collect())?;
            }
            Operation::LastPosition { slot, number, may_grow } => {
                let last = message_copies::last_position(&mut connection, &partition(*slot)).await;
                let last = last.map_err(failed)?;
                same("the last position", &(*number, *may_grow), &(last.number, last.may_grow))?;
            }
            Operation::Expire { count } => {
                let delete = format!(
                    "delete from messaging.message where id in (select id from messaging.message order by id limit {count})"
                );
                self.execute(&delete).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `BatchProcessor::attempt` up to the handlers.
    async fn begin(
        &mut self,
        subscriber: usize,
        consumer: usize,
        operation: &Operation,
    ) -> Result<(), Difference> {
        let Operation::Begin { events, dispositions, origin, receptions, decisions, .. } =
            operation
        else {
            return Ok(());
        };
        let keys: BTreeSet<Key> = events.iter().map(ReceivedEvent::key).collect();
        let mut tx = self.outbox.begin().await.map_err(failed)?;
        let name = consumer_name(subscriber);
        let processor = self.processor(subscriber, &name);
        let before = processor.positions(&mut tx, events, &keys, *origin).await.map_err(failed)?;
        let Some(before) = before else {
            tx.rollback().await;
            return same("the decisions", decisions, &None);
        };
        let mut after = before.clone();
        let found = self.plan(
            (subscriber, &mut tx),
            &mut after,
            (events, dispositions, *origin),
            receptions,
        );
        let found = found.await?;
        same("the decisions", &decisions.as_ref(), &Some(&found))?;
        let (events, origin, decisions) = (events.clone(), *origin, found);
        let open = OpenTransaction { tx, before, after, events, decisions, origin };
        match self.open.insert((subscriber, consumer), open) {
            None => Ok(()),
            Some(_) => Err("a transaction is open already".to_owned()),
        }
    }

    async fn plan(
        &self,
        (subscriber, tx): (usize, &mut Transaction),
        after: &mut HashMap<Key, Position>,
        (events, dispositions, origin): (&[ReceivedEvent], &HashMap<usize, Disposition>, Origin),
        receptions: &HashMap<String, Reception>,
    ) -> Result<Vec<Decision>, Difference> {
        let reception = |kind: &str| receptions.get(kind).copied().unwrap_or(Reception::Unknown);
        let ordering = self.subscriptions[subscriber].ordering();
        let mut decisions = match ordering {
            Ordering::Sequenced(on_reject) => {
                plan_sequenced(after, events, dispositions, origin, on_reject, reception)
            }
            Ordering::LatestWins(_) => plan_latest_wins(after, events, dispositions, reception),
        };
        if origin == Origin::Queue && matches!(ordering, Ordering::Sequenced(_)) {
            let consumer = consumer_name(subscriber);
            lost_events::mark(tx, &consumer, AGGREGATE, events, &mut decisions)
                .await
                .map_err(failed)?;
        }
        Ok(decisions)
    }

    /// `BatchProcessor::attempt` after the handlers.
    async fn end(
        &mut self,
        (subscriber, consumer): (usize, usize),
        applied: &[Applied],
        is_committed: bool,
    ) -> Result<(), Difference> {
        let Some(open) = self.open.remove(&(subscriber, consumer)) else {
            return Err("no transaction is open".to_owned());
        };
        let OpenTransaction { mut tx, before, after, events, decisions, origin } = open;
        let name = consumer_name(subscriber);
        apply(&mut tx, &name, applied).await?;
        let planned: Vec<(&ReceivedEvent, &Decision)> = events.iter().zip(&decisions).collect();
        let processor = self.processor(subscriber, &name);
        let committed = Box::pin(processor.commit(tx, &before, &after, &planned, origin)).await;
        match (committed, is_committed) {
            (Ok(_), true) => Ok(()),
            (Err(Error::Superseded(_)), false) => self.wait_for_rollback().await,
            (Ok(_), false) => Err("the statements commit".to_owned()),
            (Err(error), _) => Err(failed(error)),
        }
    }

    /// A transaction that is dropped is rolled back in the background.
    async fn wait_for_rollback(&self) -> Result<(), Difference> {
        let open = i64::try_from(self.open.len() + self.writers.len()).unwrap();
        let rolled_back = wait_for("the rollback", Duration::from_secs(10), async || {
            let found: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and state like 'idle in transaction%'",
            )
            .fetch_one(&self.pool)
            .await
            .unwrap();
            if found <= open {
                Ok(())
            } else {
                Err(format!("{found} transactions, {open} expected"))
            }
        });
        rolled_back.await.map_err(failed)
    }

    fn processor<'a>(&'a self, subscriber: usize, consumer: &'a str) -> BatchProcessor<'a> {
        BatchProcessor {
            outbox: &self.outbox,
            subscription: &self.subscriptions[subscriber],
            consumer,
            is_suspect: false,
        }
    }

    /// The statements of retry workers.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are of other tasks")]
    async fn retry(&self, subscriber: usize, operation: &Operation) -> Result<(), Difference> {
        let consumer = consumer_name(subscriber);
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        match operation {
            Operation::Revive { slots, known, .. } => {
                let slots: Vec<i16> = slots.iter().copied().collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                parking::revive(&mut connection, &consumer, &slots, &known)
                    .await
                    .map_err(failed)?;
            }
            Operation::Due { slots, keys } => {
                let slots: Vec<i16> = slots.iter().copied().collect();
                let due = parking::due(&mut connection, &consumer, &slots).await.map_err(failed)?;
                let found = due.keys.iter().map(|(_, key)| number(key)).collect();
                same("the due keys", keys, &found)?;
            }
            Operation::First { key, decision, is_detached } => {
                drop(connection);
                return self.first(subscriber, *key, *decision, *is_detached).await;
            }
            Operation::EventsOfKey { key, events } => {
                let found =
                    parking::events_of_key(&mut connection, &consumer, AGGREGATE, &full(*key))
                        .await;
                let found = found.map_err(failed)?;
                let found = found.iter().map(|one| (one.envelope.sequence, one.attempts)).collect();
                same("the parked events", events, &found)?;
            }
            Operation::StartNewest { key, found } => {
                let started =
                    retries::start(&mut connection, &consumer, AGGREGATE, &full(*key)).await;
                let started = started.map_err(failed)?;
                let started = started.map(|(one, starts)| (one.envelope.sequence, starts));
                same("the started event", found, &started)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `RetryWorker::start_first`.
    async fn first(
        &self,
        subscriber: usize,
        key: usize,
        expected: ParkedDecision,
        is_detached: bool,
    ) -> Result<(), Difference> {
        let (consumer, key) = (consumer_name(subscriber), full(key));
        let mut tx = self.outbox.begin().await.map_err(failed)?;
        let only = BTreeSet::from([key.clone()]);
        let positions =
            cursors::lock(&mut tx, &consumer, AGGREGATE, &only).await.map_err(failed)?;
        let position = positions.get(&key).copied().unwrap_or(Position::START);
        let first = parking::first(&mut tx, &consumer, AGGREGATE, &key, position.last).await;
        let first = first.map_err(failed)?;
        let decision = first.as_ref().map_or(ParkedDecision::NotDue, |first| {
            decide_parked(position, first.sequence, first.is_due, first.starts, MAX_STARTS)
        });
        same("the decision", &expected, &decision)?;
        if let (ParkedDecision::MissingPredecessor, Some(first)) = (decision, first) {
            let processor = self.processor(subscriber, &consumer);
            processor
                .record_dead_letter(&mut tx, &first.event, MISSING_PREDECESSOR, false)
                .await
                .map_err(failed)?;
            if is_detached {
                let delete = format!(
                    "delete from messaging.parked where consumer = '{consumer}' and key = '{}' and seq = {}",
                    key.1, first.sequence
                );
                let delete = sqlx::raw_sql(AssertSqlSafe(delete));
                delete.execute(&mut *tx).await.map_err(failed)?;
            }
        }
        if !matches!(decision, ParkedDecision::Attempt | ParkedDecision::GiveUp) {
            parking::settle(&mut tx, &consumer, AGGREGATE, [&key]).await.map_err(failed)?;
        }
        tx.commit().await.map_err(failed)
    }

    /// What operators do.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are of tasks")]
    async fn resolve(&self, subscriber: usize, operation: &Operation) -> Result<(), Difference> {
        let consumer = consumer_name(subscriber);
        match operation {
            Operation::Redrive {
                letters,
                failed: broken,
                handled,
                decisions,
                resolved,
                applied,
            } => {
                let refs = self.letters(&consumer, letters).await?;
                let mut tx = self.outbox.begin().await.map_err(failed)?;
                let batch = LockedBatch::open(&mut tx, &consumer, AGGREGATE, &refs).await;
                let batch = batch.map_err(failed)?;
                let place = |id: Uuid| {
                    let place = refs.iter().position(|one| one.id == id);
                    place.and_then(|place| letters.get(place)).copied().unwrap_or(usize::MAX)
                };
                let places: Vec<usize> = batch.letters.iter().map(|one| place(one.id)).collect();
                same("the letters", letters, &places)?;
                let mut after = batch.keys.clone();
                let keys: Vec<Key> = batch.letters.iter().map(|one| one.event.key()).collect();
                let numbers = batch.letters.iter().map(|one| one.event.envelope.sequence);
                let found = plan_redrive(
                    &mut after,
                    keys.iter().zip(numbers),
                    |index| broken.contains(&places[index]),
                    |index| handled.contains(&places[index]),
                );
                same("the decisions", decisions, &found)?;
                if resolved.is_empty() {
                    tx.rollback().await;
                    return Ok(());
                }
                apply(&mut tx, &consumer, applied).await?;
                let is_resolved = |one: &&dead_letters::locked_batch::LockedLetter| {
                    resolved.contains(&place(one.id))
                };
                let ids: Vec<Uuid> =
                    batch.letters.iter().filter(is_resolved).map(|one| one.id).collect();
                batch.close(&mut tx, after, &ids, Resolution::Redriven).await.map_err(failed)?;
                tx.commit().await.map_err(failed)
            }
            Operation::Discard { letter, is_done } => {
                let refs = self.letters(&consumer, &[*letter]).await?;
                let discarded = dead_letters::discard(&self.outbox, refs[0].id).await;
                match (discarded, is_done) {
                    (Ok(()), true) | (Err(ResolveError::NotYet { .. }), false) => Ok(()),
                    (Ok(()), false) => Err("the statements discard it".to_owned()),
                    (Err(error), _) => Err(failed(error)),
                }
            }
            Operation::DeclareLost { letter, first, last } => {
                let refs = self.letters(&consumer, &[*letter]).await?;
                let lost = MissingEvents { first: *first, last: *last };
                let declaration = Declaration { lost, reason: "a test", declared_by: None };
                let declared =
                    dead_letters::declare_lost(&self.outbox, refs[0].id, declaration).await;
                declared.map(drop).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    /// The letters of a consumer at these places.
    async fn letters(
        &self,
        consumer: &str,
        places: &[usize],
    ) -> Result<Vec<LetterRef>, Difference> {
        let all: Vec<(Uuid, String)> = sqlx::query_as(
            "select id, key from messaging.dead_letter where consumer = $1 order by id",
        )
        .bind(consumer)
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let letter = |place: &usize| {
            let (id, key) = all.get(*place).ok_or("there is no such letter")?;
            Ok(LetterRef { id: *id, key: full(number(key)) })
        };
        places.iter().map(letter).collect()
    }
}

fn logged(message: &LoggedMessage) -> table::LoggedMessage<'_> {
    table::LoggedMessage {
        aggregate: AGGREGATE,
        slot: message.slot,
        position: message.position,
        events: i32::try_from(message.events.len()).unwrap(),
        body: b"[]",
    }
}

/// The effects of the handlers.
async fn apply(
    tx: &mut Transaction,
    consumer: &str,
    applied: &[Applied],
) -> Result<(), Difference> {
    for (event, key, sequence) in applied {
        let inserted = sqlx::query_scalar(
            "insert into effect (consumer, event, key, seq) values ($1, $2, $3, $4) returning place",
        );
        let _: i64 = inserted
            .bind(consumer)
            .bind(i64::try_from(*event).unwrap())
            .bind(name(*key))
            .bind(sequence)
            .fetch_one(&mut **tx)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// Runs schedules on one database: those from `first` in steps of [`DATABASES`], as many as wanted, or until the time is over. Returns their
/// number.
async fn run_some(first: u64, count: Option<u64>) -> Result<u64, Difference> {
    let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
    let mut statements = Statements::open(&database).await;
    let (began, mut done) = (Instant::now(), 0);
    let is_over = |done: u64| match count {
        Some(count) => done >= count / DATABASES,
        None => began.elapsed() >= DURATION,
    };
    while !is_over(done) {
        let seed = first + done * DATABASES;
        let journal = run_recorded(seed);
        statements
            .run(&journal, false)
            .await
            .map_err(|difference| format!("STATEMENT_SEED={seed}: {difference}"))?;
        done += 1;
    }
    Ok(done)
}

#[tokio::test]
async fn the_statements_do_what_the_model_does() {
    if let Some(seed) = setting("STATEMENT_SEED") {
        let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        let mut statements = Statements::open(&database).await;
        statements.run(&run_recorded(seed), true).await.unwrap();
        return;
    }
    let count = setting("STATEMENT_SCHEDULES");
    // Each run has new schedules.
    let first = u64::from(std::process::id()) << 20;
    println!("the first schedule has seed {first}");
    let runs = (0..DATABASES).map(|offset| run_some(first + offset, count));
    let runs = futures::future::join_all(runs).await;
    let done = runs.into_iter().map(|run| run.unwrap_or_else(|text| panic!("{text}")));
    let done: u64 = done.sum();
    println!("{done} schedules");
    assert!(done > 0);
}
