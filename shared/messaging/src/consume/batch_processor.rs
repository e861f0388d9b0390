//! Processes one batch of events in one transaction, and repeats it without failed events, or split, when something fails.

use std::{
    collections::{BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    batch_splitter::{BatchSplitter, FailedEvent, SLOW_ATTEMPT, disposition},
    call_handlers::{HandlerOutcome, call_handlers},
    cursors,
    dead_letter::{self, DECLARED_LOST, DeadLetterRecord, UNKNOWN_TYPE, record},
    latest_wins::plan_latest_wins,
    lost_events, parking,
    plan::{Decision, Disposition, Origin, Position, plan_sequenced},
    received_event::{Key, ReceivedEvent},
    retries,
    subscription::{OnReject, Ordering, Subscription},
};
use crate::{
    error::{Error, causes, with_timeout},
    failure::Failure,
    publish::{outbox::Outbox, transaction::Transaction},
    retry::RETRY_POLICY,
};

/// The timeout of one attempt. It exceeds the handler timeout plus the statement that a cancelled handler may leave running.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(2);

/// Processes batches of one subscription.
pub(crate) struct BatchProcessor<'a> {
    pub(crate) outbox: &'a Outbox,
    pub(crate) subscription: &'a Subscription,
    pub(crate) consumer: &'a str,
    /// The events have failed repeatedly as if the database was unavailable, but it answers: an event is the cause, such as one
    /// whose statement needs too much memory.
    pub(crate) is_suspect: bool,
}

/// The result of one attempt at a range of events.
enum Attempt {
    Committed {
        /// Whether events were parked.
        parked: bool,
    },
    /// Rolled back: these events cannot be applied.
    Failed(Vec<FailedEvent>),
    /// Rolled back: one event failed, and it is unknown which.
    BatchFailed,
    /// Rolled back: the handlers exceeded their timeout.
    TimedOut,
}

impl BatchProcessor<'_> {
    /// Processes `events` until each is applied, ignored, parked, or dead-lettered. `dispositions` holds what is known of some of
    /// them. An error never concerns an event: then nothing may be acknowledged, and the same events may be processed again.
    ///
    /// Returns whether events of the affected keys are parked now.
    pub(super) async fn process(
        &self,
        events: Vec<ReceivedEvent>,
        dispositions: HashMap<usize, Disposition>,
        origin: Origin,
    ) -> Result<bool, Error> {
        let mut any_parked = false;
        let mut splitter = BatchSplitter::new(events, dispositions);
        while let Some((events, dispositions)) = splitter.next() {
            let began = Instant::now();
            // The timeout applies to one attempt, so the findings of earlier attempts are kept.
            let attempt = Box::pin(self.attempt(events, &dispositions, origin));
            match with_timeout("processing a batch", ATTEMPT_TIMEOUT, attempt).await? {
                Attempt::Committed { parked } => {
                    any_parked |= parked;
                    splitter.committed();
                }
                Attempt::Failed(failed) => splitter.failed(failed),
                Attempt::BatchFailed if began.elapsed() < SLOW_ATTEMPT => {
                    splitter.split_in_halves();
                }
                Attempt::BatchFailed | Attempt::TimedOut => splitter.split_into_singles(),
            }
        }
        Ok(any_parked)
    }

    async fn attempt(
        &self,
        events: &[ReceivedEvent],
        dispositions: &HashMap<usize, Disposition>,
        origin: Origin,
    ) -> Result<Attempt, Error> {
        let Self { subscription, consumer, .. } = self;
        let keys: BTreeSet<Key> = events.iter().map(ReceivedEvent::key).collect();
        let aggregate = subscription.aggregate();

        let mut tx = self.outbox.begin().await?;
        let Some(before) = self.positions(&mut tx, events, &keys, origin).await? else {
            tx.rollback().await;
            return Ok(Attempt::Committed { parked: false });
        };
        let mut after = before.clone();
        let reception = |kind: &str| subscription.reception(kind);
        let mut decisions = match subscription.ordering() {
            Ordering::Sequenced(on_reject) => {
                plan_sequenced(&mut after, events, dispositions, origin, on_reject, reception)
            }
            Ordering::LatestWins(_) => {
                plan_latest_wins(&mut after, events, dispositions, reception)
            }
        };
        if origin == Origin::Queue && matches!(subscription.ordering(), Ordering::Sequenced(_)) {
            lost_events::mark(&mut tx, consumer, aggregate, events, &mut decisions).await?;
        }
        let limit = subscription.timeout();
        match call_handlers(subscription, &mut tx, events, &decisions, limit).await {
            HandlerOutcome::Done => {}
            HandlerOutcome::Failed(mut failures) => {
                tx.rollback().await;
                let is_outage = |(_, failure): &(usize, Failure)| failure.is_outage();
                if self.is_suspect && failures.iter().any(is_outage) {
                    if decisions.iter().filter(|one| **one == Decision::Apply).count() > 1 {
                        return Ok(Attempt::BatchFailed);
                    }
                    failures = failures.into_iter().map(|(at, one)| (at, one.blamed())).collect();
                }
                return failed_attempt(events, failures.into_iter());
            }
            HandlerOutcome::BatchFailed(failure) => {
                tracing::debug!(causes = ?causes(&*failure.cause), "a batch failed; splitting it");
                tx.rollback().await;
                return Ok(Attempt::BatchFailed);
            }
            HandlerOutcome::TimedOut(failure) => {
                tracing::warn!(causes = ?causes(&*failure.cause), "a batch timed out; retrying its events one by one");
                tx.rollback().await;
                return Ok(Attempt::TimedOut);
            }
        }
        let planned: Vec<(&ReceivedEvent, &Decision)> = events.iter().zip(&decisions).collect();
        let applied: Vec<usize> =
            (0..decisions.len()).filter(|index| decisions[*index] == Decision::Apply).collect();
        match self.commit(tx, &before, &after, &planned, origin).await {
            Ok(parked) => {
                self.count(&planned);
                Ok(Attempt::Committed { parked })
            }
            Err(error) if error.is_outage() && !self.is_suspect => Err(error),
            // The commit failed because of the events that handlers emitted or the state that they left.
            Err(error) => match applied[..] {
                [] => Err(error),
                [index] => failed_attempt(events, [(index, Failure::retry(error))].into_iter()),
                _ => Ok(Attempt::BatchFailed),
            },
        }
    }

    /// The positions of the keys, locked until the commit. Those of parked events are locked only after the handlers, because a
    /// handler that hangs must not hold up later events of its key, which are parked meanwhile. Instead their first event is locked;
    /// `None` if another process handles it, or has handled it.
    pub(crate) async fn positions(
        &self,
        tx: &mut Transaction,
        events: &[ReceivedEvent],
        keys: &BTreeSet<Key>,
        origin: Origin,
    ) -> Result<Option<HashMap<Key, Position>>, Error> {
        let aggregate = self.subscription.aggregate();
        match (origin, events) {
            (Origin::Parked, [first, ..]) => {
                let is_free = parking::lock(tx, self.consumer, &first.envelope).await?;
                let positions = cursors::read(tx, self.consumer, aggregate, keys).await?;
                Ok(is_free.then_some(positions))
            }
            _ => cursors::lock(tx, self.consumer, aggregate, keys).await.map(Some),
        }
    }

    /// Writes the decisions and commits them with the effects of the handlers. Returns whether events are parked.
    pub(crate) async fn commit(
        &self,
        mut tx: Transaction,
        before: &HashMap<Key, Position>,
        after: &HashMap<Key, Position>,
        planned: &[(&ReceivedEvent, &Decision)],
        origin: Origin,
    ) -> Result<bool, Error> {
        let (consumer, aggregate) = (self.consumer, self.subscription.aggregate());
        if origin == Origin::Parked {
            let keys: BTreeSet<Key> = planned.iter().map(|(event, _)| event.key()).collect();
            if cursors::lock(&mut tx, consumer, aggregate, &keys).await? != *before {
                return Err(Error::Superseded("a parked key"));
            }
        }
        cursors::save(&mut tx, consumer, aggregate, before, after).await?;
        parking::park(&mut tx, consumer, planned, origin).await?;
        self.record_dead_letters(&mut tx, planned).await?;
        if let Ordering::LatestWins(_) = self.subscription.ordering() {
            let parked = retries::clear(&mut tx, consumer, planned, origin).await?;
            if origin == Origin::Parked {
                let processed = planned.iter().filter(|(_, decision)| {
                    matches!(decision, Decision::Apply | Decision::Ignore | Decision::Stale)
                });
                let processed = processed.map(|(event, _)| *event);
                dead_letter::resolve_applied(&mut tx, consumer, processed).await?;
            }
            tx.commit_verified().await?;
            return Ok(parked);
        }
        if origin == Origin::Parked {
            let applied = planned.iter().filter(|(_, decision)| decision.is_applied());
            dead_letter::resolve_applied(&mut tx, consumer, applied.map(|(event, _)| *event))
                .await?;
        }
        let unsettled: BTreeSet<Key> = planned
            .iter()
            .filter(|(_, decision)| decision.needs_settling(origin))
            .map(|(event, _)| event.key())
            .collect();
        parking::settle(&mut tx, consumer, aggregate, &unsettled).await?;
        // If a handler did anything, a cursor has moved, and that statement came after it.
        tx.commit_verified().await?;
        Ok(!unsettled.is_empty())
    }

    async fn record_dead_letters(
        &self,
        tx: &mut Transaction,
        planned: &[(&ReceivedEvent, &Decision)],
    ) -> Result<(), Error> {
        // A dead letter of full state does not make older events of its key stale.
        let passed = matches!(self.subscription.ordering(), Ordering::Sequenced(_));
        for (event, decision) in planned {
            match decision {
                Decision::DeadLetter(reason) => {
                    self.record_dead_letter(tx, event, reason, passed).await?;
                }
                // It stays parked. The dead letter tells operators why, and is resolved when the event is applied.
                Decision::ParkUnknown => {
                    self.record_dead_letter(tx, event, UNKNOWN_TYPE, false).await?;
                }
                Decision::Late => self.record_late_event(tx, event).await?,
                Decision::Duplicate
                | Decision::Stale
                | Decision::Apply
                | Decision::Ignore
                | Decision::ParkGap
                | Decision::ParkBehind
                | Decision::ParkDue
                | Decision::ParkRetry(_) => {}
            }
        }
        Ok(())
    }

    /// Records an event that arrived after it was declared lost, once. Whether it still matters, an operator decides.
    async fn record_late_event(
        &self,
        tx: &mut Transaction,
        event: &ReceivedEvent,
    ) -> Result<(), Error> {
        match lost_events::record_arrival(tx, self.consumer, event).await? {
            Some(declaration) => {
                let mut event = event.clone();
                event.causes.push(declaration);
                self.record_dead_letter(tx, &event, DECLARED_LOST, true).await
            }
            None => Ok(()),
        }
    }

    /// Records a dead letter and emits the events that announce it in the same transaction, once per letter however often its event
    /// arrives. `passed` tells whether the cursor moves past the event.
    pub(crate) async fn record_dead_letter(
        &self,
        tx: &mut Transaction,
        event: &ReceivedEvent,
        reason: &str,
        passed: bool,
    ) -> Result<(), Error> {
        let letter = DeadLetterRecord {
            consumer: self.consumer,
            reason,
            causes: &event.causes,
            // The key has continued without an event that was declared lost.
            blocks: self.subscription.ordering() == Ordering::Sequenced(OnReject::BlockKey)
                && reason != DECLARED_LOST,
            passed,
            route: (&event.route.0, &event.route.1),
        };
        if record(tx, letter, event).await? {
            self.announce_dead_letter(tx, event, reason)?;
        }
        Ok(())
    }

    /// Counts the decisions that are committed.
    fn count(&self, planned: &[(&ReceivedEvent, &Decision)]) {
        for (event, decision) in planned {
            let outcome = match decision {
                Decision::Duplicate => "duplicate",
                Decision::Late => "late",
                Decision::Stale => "stale",
                Decision::Apply => "applied",
                Decision::Ignore => "ignored",
                Decision::ParkUnknown => {
                    self.subscription.log_unknown(self.consumer, &event.envelope.kind);
                    "unknown_type"
                }
                Decision::ParkGap
                | Decision::ParkBehind
                | Decision::ParkDue
                | Decision::ParkRetry(_) => "parked",
                Decision::DeadLetter(_) => "dead",
            };
            metrics::counter!(
                "messaging_events_consumed_total",
                "consumer" => self.consumer.to_owned(),
                "outcome" => outcome
            )
            .increment(1);
        }
    }

    /// Emits the events that announce a dead letter. If that fails, the letter is recorded nevertheless.
    fn announce_dead_letter(
        &self,
        tx: &mut Transaction,
        event: &ReceivedEvent,
        reason: &str,
    ) -> Result<(), Error> {
        let before = tx.pending().len();
        let emit = AssertUnwindSafe(|| {
            self.subscription.emit_dead_letter_events(tx, &event.envelope, reason)
        });
        let error = match catch_unwind(emit) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.is_outage() => return Err(error),
            Ok(Err(error)) => causes(&error),
            Err(_) => vec!["it panicked".to_owned()],
        };
        tracing::error!(causes = ?error, consumer = self.consumer, "failed to announce a dead letter");
        tx.truncate_pending(before);
        Ok(())
    }
}

/// Derives dispositions from failures, unless one of them does not concern its event.
fn failed_attempt(
    events: &[ReceivedEvent],
    failures: impl Iterator<Item = (usize, Failure)>,
) -> Result<Attempt, Error> {
    let failed = |(index, failure): (usize, Failure)| {
        let attempts = events[index].attempts + 1;
        let disposition = match disposition(failure.kind, attempts, RETRY_POLICY) {
            // The timeout delayed all other events of the slot group: the event waits at least as long.
            Some(Disposition::Retry(delay)) => {
                Disposition::Retry(delay.max(failure.exceeded_timeout().unwrap_or_default()))
            }
            Some(disposition) => disposition,
            None => return Err(Error::Unavailable(failure.cause)),
        };
        Ok(FailedEvent { index, disposition, causes: causes(&*failure.cause) })
    };
    Ok(Attempt::Failed(failures.map(failed).collect::<Result<_, _>>()?))
}
