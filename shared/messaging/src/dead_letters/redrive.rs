//! Redrives dead letters: passes their events to the handlers in a transaction that also resolves the letters.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    slice::from_ref,
    time::Duration,
};

use serde::Serialize;
use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    list::{SelectedLetter, Selection, count_selected},
    locked_batch::{LetterRef, LockedBatch, LockedLetter, Resolution},
    pace::{Pace, PacedScan},
    plan::{KeyLetters, RedriveDecision, plan_redrive},
};
use crate::{
    consume::{
        batch_splitter::SLOW_ATTEMPT,
        call_handlers::{HandlerOutcome, call_handlers},
        plan::Decision,
        received_event::{Key, ReceivedEvent},
        subscription::{Reception, Subscription},
    },
    error::{Error, causes},
    failure::{Failure, FailureKind},
    publish::{admission::Criticality, outbox::Outbox, transaction::Transaction},
    topology::Topology,
};

/// The most failures that a report names.
const MAX_FAILURES: usize = 20;

/// The handler timeout for a batch of letters, and for one letter of many: a caller waits for the answer, and consumers wait for the
/// keys. Redrive slower events one by one.
const BATCH_TIMEOUT: Duration = Duration::from_secs(20);

/// The statement timeout for a batch of letters: when a handler times out, its rollback waits for its current statement.
const BATCH_STATEMENT_TIMEOUT: &str = "set local statement_timeout = '10s'";

/// Why a dead letter was not resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It does not exist or is resolved already.
    #[error("there is no pending dead letter {0}")]
    NotPending(Uuid),
    /// Its content cannot be handled. It can only be discarded.
    #[error("the dead letter cannot be redriven: {0}")]
    NotRedrivable(&'static str),
    /// Its predecessor has still not arrived.
    #[error(
        "the event is number {sequence} of its key, but the last applied event is number {last}"
    )]
    NotYet { sequence: i64, last: i64 },
    #[error("the handler failed again: {}", .0.join(": "))]
    FailedAgain(Vec<String>),
    #[error(transparent)]
    Messaging(#[from] Error),
}

/// The result of [`redrive_many`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RedriveReport {
    /// Resolved letters.
    pub redriven: u64,
    /// Letters whose handler failed again. They are unchanged.
    pub failed: u64,
    /// Letters that wait for another event or letter of their key.
    pub not_yet: u64,
    /// The first failures, at most twenty.
    pub failures: Vec<RedriveFailure>,
    /// Letters of the selection that are still pending, tried or not.
    pub left: i64,
    /// The `after` of the next call; `None` when all letters of the selection have been tried.
    pub next: Option<Uuid>,
}

/// A letter whose handler failed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedriveFailure {
    pub id: Uuid,
    /// The errors, outermost first.
    pub causes: Vec<String>,
}

/// Passes a dead letter to its handler. The event takes effect exactly once, even if the process dies: the letter is resolved in the
/// same transaction.
pub async fn redrive(outbox: &Outbox, topology: &Topology, id: Uuid) -> Result<(), ResolveError> {
    let selected =
        find_pending(&mut *outbox.pool().acquire().await.map_err(Error::from)?, id).await?;
    let redriver = Redriver::new(outbox, topology, &selected, false)?;
    match redriver.redrive(from_ref(&selected.letter), None).await?.results.remove(&id) {
        None => Err(ResolveError::NotPending(id)),
        Some(RedriveResult::Resolved) => Ok(()),
        Some(RedriveResult::NotYet { sequence, last }) => {
            Err(ResolveError::NotYet { sequence, last })
        }
        Some(RedriveResult::Failed(causes)) => Err(ResolveError::FailedAgain(causes)),
    }
}

/// Passes all selected dead letters to their handlers, those of a key in sequence, as many of different keys at a time as the pace
/// allows. Each event takes effect exactly once, even if the process dies.
///
/// It works at the given pace; repeat it with `after` until [`RedriveReport::next`] is `None`. If a call is not answered, repeat it:
/// its committed work is done.
pub async fn redrive_many(
    outbox: &Outbox,
    topology: &Topology,
    selection: &Selection,
    pace: Pace,
) -> Result<RedriveReport, Error> {
    let mut report = RedriveReport::default();
    let mut scan = PacedScan::begin(pace);
    while let Some((last, letters)) = scan.next_batch(outbox, selection).await? {
        let Progress { tried, results } = match Redriver::new(outbox, topology, &last, true) {
            Ok(redriver) => redriver.redrive(&letters, Some(pace.within)).await?,
            Err(error) => {
                let failed =
                    |letter: &LetterRef| (letter.id, RedriveResult::Failed(causes(&error)));
                Progress { tried: letters.len(), results: letters.iter().map(failed).collect() }
            }
        };
        // In sequence, so the report names the first failures.
        for (id, result) in
            letters.iter().filter_map(|letter| Some((letter.id, results.get(&letter.id)?)))
        {
            report.add(id, result);
        }
        if let Some(reached) = letters[..tried].last().filter(|_| tried < letters.len()) {
            scan.stop_at(reached.id);
            break;
        }
        // The events that handlers emit fill the outbox. While it cannot be emptied, the caller should continue later.
        if outbox.admit(Criticality::Deferrable).is_err() {
            break;
        }
    }
    report.left = count_selected(&mut *outbox.pool().acquire().await?, selection).await?;
    report.next = scan.next();
    Ok(report)
}

impl RedriveReport {
    fn add(&mut self, id: Uuid, result: &RedriveResult) {
        match result {
            RedriveResult::Resolved => self.redriven += 1,
            RedriveResult::NotYet { .. } => self.not_yet += 1,
            RedriveResult::Failed(causes) => {
                self.failed += 1;
                if self.failures.len() < MAX_FAILURES {
                    self.failures.push(RedriveFailure { id, causes: causes.clone() });
                }
            }
        }
    }
}

/// Finds a pending letter with an event by its id, without locking it.
pub(super) async fn find_pending(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<SelectedLetter, ResolveError> {
    let row = sqlx::query!(
        "select consumer, aggregate, source, key from messaging.dead_letter where id = $1 and state = 'pending'",
        id,
    )
    .fetch_optional(connection)
    .await
    .map_err(Error::from)?;
    let row = row.ok_or(ResolveError::NotPending(id))?;
    match (row.aggregate, row.source, row.key) {
        (Some(aggregate), Some(source), Some(key)) => {
            let letter = LetterRef { id, key: (source, key) };
            Ok(SelectedLetter { consumer: row.consumer, aggregate, letter })
        }
        _ => Err(ResolveError::NotRedrivable("it holds no event")),
    }
}

/// The result of redriving a letter.
#[derive(Debug)]
enum RedriveResult {
    /// Its event was applied, now or before.
    Resolved,
    /// An earlier event or letter of the key must be resolved first.
    NotYet {
        sequence: i64,
        last: i64,
    },
    Failed(Vec<String>),
}

/// The progress with a list of letters.
struct Progress {
    /// How many letters from the beginning were tried.
    tried: usize,
    /// Their results, without letters that are not pending any more.
    results: HashMap<Uuid, RedriveResult>,
}

/// Letters whose handler failed, with the errors.
type FailedLetters = HashMap<Uuid, Vec<String>>;

/// Redrives letters of one consumer.
pub(super) struct Redriver<'a> {
    outbox: &'a Outbox,
    subscription: &'a Subscription,
    consumer: &'a str,
    /// Whether many letters are redriven, which shortens the timeouts.
    is_bulk: bool,
}

/// Locked letters whose handlers have run.
pub(super) struct AppliedBatch<'a> {
    pub(super) batch: LockedBatch<'a>,
    pub(super) decisions: Vec<RedriveDecision>,
    after: HashMap<Key, KeyLetters>,
}

/// Why an attempt must be rolled back.
pub(super) enum AttemptError {
    Failed(FailedLetters),
    /// One letter failed, and it is unknown which.
    BatchFailed,
    /// The letters exceeded the timeout together.
    TimedOut,
    /// The error does not concern the letters.
    Messaging(Error),
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self::Messaging(error)
    }
}

impl<'a> Redriver<'a> {
    /// A redriver for the consumer of this letter, if it still subscribes to the letter's aggregate.
    pub(super) fn new(
        outbox: &'a Outbox,
        topology: &'a Topology,
        letter: &'a SelectedLetter,
        is_bulk: bool,
    ) -> Result<Self, ResolveError> {
        let is_own = |subscription: &&Subscription| {
            subscription.consumer(topology.service()) == letter.consumer
                && subscription.aggregate() == letter.aggregate
        };
        let subscription = topology.subscriptions().iter().find(is_own);
        let subscription =
            subscription.ok_or(ResolveError::NotRedrivable("it has no consumer any more"))?;
        Ok(Self { outbox, subscription, consumer: &letter.consumer, is_bulk })
    }

    /// Redrives letters: all in one transaction if possible, otherwise without the failed ones, in halves, or one by one. Stops after
    /// `within` if some have been tried by then; letters that are tried one by one get as long again.
    async fn redrive(
        &self,
        letters: &[LetterRef],
        within: Option<Duration>,
    ) -> Result<Progress, Error> {
        let new_deadline = || within.map(|within| Instant::now() + within);
        let mut deadline = new_deadline();
        let mut results = HashMap::with_capacity(letters.len());
        let mut failed = FailedLetters::new();
        let mut ranges: VecDeque<Range<usize>> = std::iter::once(0..letters.len()).collect();
        while let Some(range) = ranges.pop_front() {
            let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if is_over && range.start > 0 {
                return Ok(Progress { tried: range.start, results });
            }
            let began = Instant::now();
            match self.attempt(&letters[range.clone()], &failed).await {
                Ok(done) => results.extend(done),
                Err(AttemptError::Failed(found)) => {
                    failed.extend(found);
                    ranges.push_front(range);
                }
                Err(AttemptError::BatchFailed) if began.elapsed() < SLOW_ATTEMPT => {
                    let middle = range.start + range.len() / 2;
                    ranges.push_front(middle..range.end);
                    ranges.push_front(range.start..middle);
                }
                Err(AttemptError::BatchFailed | AttemptError::TimedOut) => {
                    deadline = new_deadline();
                    for letter in range.rev() {
                        ranges.push_front(letter..letter + 1);
                    }
                }
                Err(AttemptError::Messaging(error)) => return Err(error),
            }
        }
        Ok(Progress { tried: letters.len(), results })
    }

    async fn attempt(
        &self,
        letters: &[LetterRef],
        failed: &FailedLetters,
    ) -> Result<HashMap<Uuid, RedriveResult>, AttemptError> {
        let mut tx = self.outbox.begin().await?;
        let applied = match self.apply(&mut tx, letters, failed).await {
            Ok(applied) => applied,
            Err(error) => {
                tx.rollback().await;
                return Err(error);
            }
        };
        let results = applied.results(failed);
        let resolved: Vec<Uuid> = applied.resolved();
        if resolved.is_empty() {
            tx.rollback().await;
            return Ok(results);
        }
        let AppliedBatch { batch, after, .. } = applied;
        let committed = async {
            batch.close(&mut tx, after, &resolved, Resolution::Redriven).await?;
            tx.commit_verified().await
        };
        match committed.await {
            Ok(()) => {
                self.outbox.parking_signal().send_replace(());
                Ok(results)
            }
            Err(error) if error.is_outage() => Err(error.into()),
            // The commit failed because of the events that handlers emitted or the state that they left.
            Err(error) => Err(match resolved[..] {
                [id] => AttemptError::Failed(FailedLetters::from([(id, causes(&error))])),
                _ => AttemptError::BatchFailed,
            }),
        }
    }

    /// Locks letters, decides about them, and runs their handlers in `tx`. The caller commits or rolls back.
    pub(super) async fn apply(
        &self,
        tx: &mut Transaction,
        letters: &[LetterRef],
        failed: &FailedLetters,
    ) -> Result<AppliedBatch<'a>, AttemptError> {
        if self.is_bulk {
            sqlx::raw_sql(BATCH_STATEMENT_TIMEOUT).execute(&mut **tx).await.map_err(Error::from)?;
        }
        let aggregate = self.subscription.aggregate();
        let batch = LockedBatch::open(tx, self.consumer, aggregate, letters).await?;
        let unknown = self.of_unknown_type(&batch.letters, failed);
        if !unknown.is_empty() {
            return Err(AttemptError::Failed(unknown));
        }
        let mut after = batch.keys.clone();
        let keys: Vec<Key> = batch.letters.iter().map(|letter| letter.event.key()).collect();
        let letters = keys.iter().zip(&batch.letters);
        let letters = letters.map(|(key, letter)| (key, letter.event.envelope.sequence));
        let has_failed = |index: usize| failed.contains_key(&batch.letters[index].id);
        let is_handled = |index: usize| self.handles(&batch.letters[index].event.envelope.kind);
        let redrive_decisions = plan_redrive(&mut after, letters, has_failed, is_handled);
        let decide = |(index, decision): (usize, &RedriveDecision)| {
            let takes_effect = *decision == RedriveDecision::Apply && is_handled(index);
            if takes_effect { Decision::Apply } else { Decision::Ignore }
        };
        let decisions: Vec<Decision> = redrive_decisions.iter().enumerate().map(decide).collect();
        let events: Vec<ReceivedEvent> =
            batch.letters.iter().map(|letter| letter.event.clone()).collect();
        let limit = self.subscription.timeout();
        let limit = if self.is_bulk { limit.min(BATCH_TIMEOUT) } else { limit };
        match call_handlers(self.subscription, tx, &events, &decisions, limit).await {
            HandlerOutcome::Done => Ok(AppliedBatch { batch, decisions: redrive_decisions, after }),
            HandlerOutcome::BatchFailed(_) => Err(AttemptError::BatchFailed),
            HandlerOutcome::TimedOut(_) => Err(AttemptError::TimedOut),
            HandlerOutcome::Failed(failures) => {
                let failures =
                    failures.into_iter().map(|(index, failure)| (batch.letters[index].id, failure));
                Err(failed_letters(failures))
            }
        }
    }

    /// The letters that have not failed yet and whose type this program does not know: without a handler they would be lost.
    fn of_unknown_type(&self, letters: &[LockedLetter], failed: &FailedLetters) -> FailedLetters {
        let of_unknown_type = |letter: &LockedLetter| {
            let kind = &letter.event.envelope.kind;
            let is_unknown = self.subscription.reception(kind) == Reception::Unknown;
            let cause = || format!("this version of the program does not know the type {kind}");
            (is_unknown && !failed.contains_key(&letter.id)).then(|| (letter.id, vec![cause()]))
        };
        letters.iter().filter_map(of_unknown_type).collect()
    }

    /// Whether the event type has a handler.
    pub(super) fn handles(&self, kind: &str) -> bool {
        self.subscription.handler(kind).is_some()
    }
}

impl AppliedBatch<'_> {
    /// The letters that the commit resolves.
    fn resolved(&self) -> Vec<Uuid> {
        let decided = self.batch.letters.iter().zip(&self.decisions);
        let resolved = decided.filter(|(_, decision)| **decision != RedriveDecision::NotYet);
        resolved.map(|(letter, _)| letter.id).collect()
    }

    fn results(&self, failed: &FailedLetters) -> HashMap<Uuid, RedriveResult> {
        let result = |(letter, decision): (&LockedLetter, &RedriveDecision)| {
            let result = match (failed.get(&letter.id), decision) {
                (Some(causes), _) => RedriveResult::Failed(causes.clone()),
                (None, RedriveDecision::NotYet) => {
                    let key = self.after.get(&letter.event.key());
                    let last = key.map_or(0, |key| key.position.last);
                    RedriveResult::NotYet { sequence: letter.event.envelope.sequence, last }
                }
                (None, RedriveDecision::Apply | RedriveDecision::MarkResolved) => {
                    RedriveResult::Resolved
                }
            };
            (letter.id, result)
        };
        self.batch.letters.iter().zip(&self.decisions).map(result).collect()
    }
}

/// Collects the failures of single letters, unless one of them does not concern its letter.
fn failed_letters(failures: impl Iterator<Item = (Uuid, Failure)>) -> AttemptError {
    let mut failed = FailedLetters::new();
    for (id, failure) in failures {
        if failure.kind == FailureKind::Unavailable {
            return AttemptError::Messaging(Error::Unavailable(failure.cause));
        }
        failed.insert(id, causes(&*failure.cause));
    }
    AttemptError::Failed(failed)
}
