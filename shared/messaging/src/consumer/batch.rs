//! One batch of events, from what came to what is committed: everything in one transaction, and again without, or in
//! halves, when something in it fails.

use std::{
    collections::{BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    core::{Incoming, Key, Origin, Position, Ruling, Step, plan},
    cursors,
    handler::{Handed, hand},
    newest::plan_newest,
    parking, retries,
    work::{Finding, SLOW, Work, ruling},
};
use crate::{
    Error, Failure, Outbox, Transaction,
    dead_letters::{Burial, bury},
    error::{causes, within},
    retry,
    topology::{Guard, OnReject, Subscription},
};

/// How long one attempt at events may take in all before its connection is given up: longer than handlers may, and then any
/// statement of theirs that nobody waits for any more.
const ATTEMPT: Duration = Duration::from_mins(2);

/// Who processes: a subscription of a service.
pub(super) struct Ear<'a> {
    pub(super) outbox: &'a Outbox,
    pub(super) subscription: &'a Subscription,
    pub(super) consumer: &'a str,
}

/// How one attempt at a range of events ended.
enum Attempt {
    /// Committed; whether something was parked.
    Done {
        /// Whether something was.
        parked: bool,
    },
    /// Rolled back: these events are not to be applied.
    Ruled(Vec<Finding>),
    /// Rolled back: one of the range is bad, and nobody knows which.
    Split,
    /// Rolled back: the range took too long.
    Apart,
}

impl Ear<'_> {
    /// Processes `incoming` until each event of it has taken effect, is ignored, parked, or dead. `rulings` says what is
    /// known of some of them beforehand. An error is never about an event: then nothing may be acknowledged, and the same
    /// events may simply be processed again.
    ///
    /// Says whether anything of the keys it touched waits now.
    pub(super) async fn process(
        &self,
        incoming: Vec<Incoming>,
        rulings: HashMap<usize, Ruling>,
        origin: Origin,
    ) -> Result<bool, Error> {
        let mut waits = false;
        let mut work = Work::new(incoming, rulings);
        while let Some((incoming, rulings)) = work.next() {
            let began = Instant::now();
            // The deadline is that of one attempt: what attempts before it have found out about events must not be lost with it.
            let attempt = Box::pin(self.attempt(incoming, &rulings, origin));
            match within("an attempt at a batch", ATTEMPT, attempt).await? {
                Attempt::Done { parked } => {
                    waits |= parked;
                    work.done();
                }
                Attempt::Ruled(findings) => work.learn(findings),
                Attempt::Split if began.elapsed() < SLOW => work.split(),
                Attempt::Split | Attempt::Apart => work.part(),
            }
        }
        Ok(waits)
    }

    async fn attempt(
        &self,
        incoming: &[Incoming],
        rulings: &HashMap<usize, Ruling>,
        origin: Origin,
    ) -> Result<Attempt, Error> {
        let Self { subscription, consumer, .. } = self;
        let keys: BTreeSet<Key> = incoming.iter().map(Incoming::key).collect();
        let aggregate = subscription.aggregate();

        let mut tx = self.outbox.begin().await?;
        let before = cursors::lock(&mut tx, consumer, aggregate, &keys).await?;
        let mut after = before.clone();
        let has_handler = |kind: &str| subscription.handler(kind).is_some();
        let steps = match subscription.guard() {
            Guard::Cursors(on_reject) => {
                plan(&mut after, incoming, rulings, origin, on_reject, has_handler)
            }
            Guard::Newest(_) => plan_newest(&mut after, incoming, rulings, has_handler),
        };
        match hand(subscription, &mut tx, incoming, &steps, subscription.limit()).await {
            Handed::Done => {}
            Handed::Failed(failures) => {
                tx.rollback().await;
                return rule(incoming, failures.into_iter());
            }
            Handed::Split(failure) => {
                tracing::debug!(causes = ?causes(&*failure.cause), "a batch failed and is split");
                tx.rollback().await;
                return Ok(Attempt::Split);
            }
            Handed::Late(failure) => {
                tracing::warn!(causes = ?causes(&*failure.cause), "a batch took too long, and its events are tried one by one");
                tx.rollback().await;
                return Ok(Attempt::Apart);
            }
        }
        let planned: Vec<(&Incoming, &Step)> = incoming.iter().zip(&steps).collect();
        let applied: Vec<usize> =
            (0..steps.len()).filter(|index| steps[*index] == Step::Apply).collect();
        match self.commit(tx, &before, &after, &planned, origin).await {
            Ok(parked) => {
                count(consumer, &steps);
                Ok(Attempt::Done { parked })
            }
            Err(error) if error.is_outage() => Err(error),
            // What the handlers said or left behind cannot be committed: one of the events is to blame.
            Err(error) => match applied[..] {
                [] => Err(error),
                [index] => rule(incoming, [(index, Failure::retry(error))].into_iter()),
                _ => Ok(Attempt::Split),
            },
        }
    }

    /// Writes down what was decided, and commits it with the handlers' effects. Says whether something is parked.
    async fn commit(
        &self,
        mut tx: Transaction,
        before: &HashMap<Key, Position>,
        after: &HashMap<Key, Position>,
        planned: &[(&Incoming, &Step)],
        origin: Origin,
    ) -> Result<bool, Error> {
        let (consumer, aggregate) = (self.consumer, self.subscription.aggregate());
        cursors::save(&mut tx, consumer, aggregate, before, after).await?;
        parking::park(&mut tx, consumer, planned).await?;
        self.bury_dead(&mut tx, planned).await?;
        if let Guard::Newest(_) = self.subscription.guard() {
            let waits = retries::clear(&mut tx, consumer, planned, origin).await?;
            tx.commit_sound().await?;
            return Ok(waits);
        }
        let unsettled: BTreeSet<Key> = planned
            .iter()
            .filter(|(_, step)| step.unsettles(origin))
            .map(|(incoming, _)| incoming.key())
            .collect();
        for key in &unsettled {
            parking::settle(&mut tx, consumer, aggregate, key).await?;
        }
        // Where a handler did anything a cursor has moved, and that was written behind it.
        tx.commit_sound().await?;
        Ok(!unsettled.is_empty())
    }

    async fn bury_dead(
        &self,
        tx: &mut Transaction,
        planned: &[(&Incoming, &Step)],
    ) -> Result<(), Error> {
        // What is dead makes nothing of its key stale.
        let passed = matches!(self.subscription.guard(), Guard::Cursors(_));
        for (incoming, step) in planned {
            if let Step::Dead(reason) = step {
                self.bury(tx, incoming, reason, passed).await?;
            }
        }
        Ok(())
    }

    /// Writes the dead letter, and lets the subscription say what it has to say of it in the same transaction, once for each
    /// letter however often its event comes. `passed` says whether the cursor goes past it.
    pub(super) async fn bury(
        &self,
        tx: &mut Transaction,
        incoming: &Incoming,
        reason: &str,
        passed: bool,
    ) -> Result<(), Error> {
        let burial = Burial {
            consumer: self.consumer,
            reason,
            causes: &incoming.causes,
            blocks: self.subscription.guard() == Guard::Cursors(OnReject::BlockKey),
            passed,
            route: (&incoming.route.0, &incoming.route.1),
        };
        if bury(tx, burial, incoming).await? {
            self.say_dead(tx, incoming, reason)?;
        }
        Ok(())
    }

    /// Lets the subscription say what it has to say of a dead letter. If it cannot, that is no reason to keep the letter from being
    /// written, and its neighbours from being done.
    fn say_dead(
        &self,
        tx: &mut Transaction,
        incoming: &Incoming,
        reason: &str,
    ) -> Result<(), Error> {
        let before = tx.said().len();
        let saying =
            AssertUnwindSafe(|| self.subscription.say_dead(tx, &incoming.envelope, reason));
        let error = match catch_unwind(saying) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.is_outage() => return Err(error),
            Ok(Err(error)) => causes(&error),
            Err(_) => vec!["it panicked".to_owned()],
        };
        tracing::error!(causes = ?error, consumer = self.consumer, "nothing could be said of a dead letter");
        tx.unsay(before);
        Ok(())
    }
}

/// Turns failures of single events into rulings, unless one of them is not about the event at all.
fn rule(
    incoming: &[Incoming],
    failures: impl Iterator<Item = (usize, Failure)>,
) -> Result<Attempt, Error> {
    let finding = |(index, failure): (usize, Failure)| {
        let attempts = incoming[index].attempts + 1;
        let ruling = match ruling(failure.verdict, attempts, retry::PATIENCE) {
            // While it was waited for, everything else of its slot group stood still: it rests as long at least.
            Some(Ruling::Retry(pause)) => {
                Ruling::Retry(pause.max(failure.waited().unwrap_or_default()))
            }
            Some(ruling) => ruling,
            None => return Err(Error::Unavailable(failure.cause)),
        };
        Ok(Finding { index, ruling, causes: causes(&*failure.cause) })
    };
    Ok(Attempt::Ruled(failures.map(finding).collect::<Result<_, _>>()?))
}

fn count(consumer: &str, steps: &[Step]) {
    for step in steps {
        let outcome = match step {
            Step::Duplicate => "duplicate",
            Step::Stale => "stale",
            Step::Apply => "applied",
            Step::Ignore => "ignored",
            Step::ParkGap | Step::ParkBehind | Step::ParkDue | Step::ParkRetry(_) => "parked",
            Step::Dead(_) => "dead",
        };
        metrics::counter!("messaging_events_consumed_total", "consumer" => consumer.to_owned(), "outcome" => outcome)
            .increment(1);
    }
}
