//! Applies events to the shadow tables through their handlers.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use super::{ReplayError, shadow::Shadow};
use crate::{
    consume::{
        call_handlers::{HandlerOutcome, call_handlers},
        latest_wins::plan_latest_wins,
        plan::Decision,
        received_event::{Key, ReceivedEvent},
        subscription::{Ordering, Reception, Subscription},
    },
    error::{Error, causes},
    failure::{Failure, FailureKind},
    publish::transaction::Transaction,
    retry,
};

/// How often a failing event is tried. When it was first handled, it succeeded eventually.
const MAX_ATTEMPTS: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventOrigin {
    /// Part of a snapshot: it carries the full state up to its number.
    Snapshot,
    /// A single event.
    Queue,
}

/// Applies `events` in one transaction or, if that fails, one by one. Returns how many were rejected: a
/// handler that rejects a single event rejected it the first time as well.
///
/// A snapshot entry without a handler fails the replay: its publisher is ahead of this service, and the swap
/// would delete its rows from the live tables.
pub(super) async fn apply(
    shadow: &Shadow,
    subscription: &Subscription,
    events: &[ReceivedEvent],
    origin: EventOrigin,
) -> Result<u64, ReplayError> {
    let is_unknown = |one: &&ReceivedEvent| subscription.handler(&one.envelope.kind).is_none();
    if origin == EventOrigin::Snapshot
        && let Some(event) = events.iter().find(is_unknown)
    {
        return Err(rejected(
            subscription,
            event,
            vec![format!("there is no handler for {}", event.envelope.kind)],
        ));
    }
    if events.is_empty() || apply_batch(shadow, subscription, events, origin).await?.is_ok() {
        return Ok(0);
    }
    let mut rejected = 0;
    for event in events {
        rejected += u64::from(!apply_single(shadow, subscription, event, origin).await?);
    }
    Ok(rejected)
}

/// Tries one event until it is applied or rejected. Returns whether it was applied.
async fn apply_single(
    shadow: &Shadow,
    subscription: &Subscription,
    event: &ReceivedEvent,
    origin: EventOrigin,
) -> Result<bool, ReplayError> {
    let single = std::slice::from_ref(event);
    let Err(failure) =
        retry_until_decided(|| apply_batch(shadow, subscription, single, origin)).await?
    else {
        return Ok(true);
    };
    if origin == EventOrigin::Snapshot {
        return Err(rejected(subscription, event, causes(&*failure.cause)));
    }
    let mut tx = shadow.outbox.begin().await?;
    move_cursors(&mut tx, subscription, single, origin).await?;
    tx.commit().await?;
    Ok(false)
}

/// An entry of a snapshot cannot be applied.
fn rejected(
    subscription: &Subscription,
    event: &ReceivedEvent,
    causes: Vec<String>,
) -> ReplayError {
    let key = event.envelope.subject.clone();
    ReplayError::Rejected { aggregate: subscription.aggregate(), key, causes }
}

/// Repeats `attempt` until it succeeds or is rejected, which is the inner error.
pub(super) async fn retry_until_decided<F>(
    attempt: impl FnMut() -> F,
) -> Result<Result<(), Failure>, ReplayError>
where
    F: Future<Output = Result<Result<(), Failure>, ReplayError>>,
{
    match retry::retry_up_to(MAX_ATTEMPTS, attempt).await? {
        Err(failure) if !matches!(failure.kind, FailureKind::Reject(_)) => {
            Err(ReplayError::HandlerFailed(causes(&*failure.cause)))
        }
        ended => Ok(ended),
    }
}

/// Applies events in one transaction. The inner result is that of the handlers.
async fn apply_batch(
    shadow: &Shadow,
    subscription: &Subscription,
    events: &[ReceivedEvent],
    origin: EventOrigin,
) -> Result<Result<(), Failure>, ReplayError> {
    let mut tx = shadow.outbox.begin().await?;
    let decisions = decisions(subscription, events);
    let failed = match call_handlers(
        subscription,
        &mut tx,
        events,
        &decisions,
        subscription.timeout(),
    )
    .await
    {
        HandlerOutcome::Done => None,
        HandlerOutcome::Failed(failures) => failures.into_iter().next().map(|(_, failure)| failure),
        HandlerOutcome::BatchFailed(failure) | HandlerOutcome::TimedOut(failure) => Some(failure),
    };
    if let Some(failure) = failed {
        tx.rollback().await;
        return Ok(Err(failure));
    }
    move_cursors(&mut tx, subscription, events, origin).await?;
    match tx.commit().await {
        Ok(()) => Ok(Ok(())),
        Err(error @ Error::Database(_)) if !error.is_outage() => Ok(Err(Failure::retry(error))),
        Err(error) => Err(error.into()),
    }
}

/// The decision about each of `events`. Of full state, only the newest event of a key with a handler is
/// applied, as the live consumer decides it: handlers are promised at most one event per key.
fn decisions(subscription: &Subscription, events: &[ReceivedEvent]) -> Vec<Decision> {
    // The live consumer has passed these events. One of an unknown type was given up by an operator.
    let reception = |kind: &str| match subscription.reception(kind) {
        Reception::Handled => Reception::Handled,
        Reception::Ignored | Reception::Unknown => Reception::Ignored,
    };
    let decide = |one: &ReceivedEvent| {
        let is_handled = reception(&one.envelope.kind) == Reception::Handled;
        if is_handled { Decision::Apply } else { Decision::Ignore }
    };
    match subscription.ordering() {
        Ordering::LatestWins(_) => {
            plan_latest_wins(&mut HashMap::new(), events, &HashMap::new(), reception)
        }
        Ordering::Sequenced(_) => events.iter().map(decide).collect(),
    }
}

/// Saves how far the shadow has processed the keys of `events`. Only one replay writes the cursors of a
/// shadow.
async fn move_cursors(
    tx: &mut Transaction,
    subscription: &Subscription,
    events: &[ReceivedEvent],
    origin: EventOrigin,
) -> Result<(), ReplayError> {
    let mut lasts: HashMap<Key, i64> = HashMap::new();
    for event in events {
        match lasts.entry(event.key()) {
            Entry::Vacant(entry) => drop(entry.insert(event.envelope.sequence)),
            Entry::Occupied(mut entry) => {
                let last = (*entry.get()).max(event.envelope.sequence);
                entry.insert(last);
            }
        }
    }
    let (keys, lasts): (Vec<Key>, Vec<i64>) = lasts.into_iter().unzip();
    let (sources, keys): (Vec<String>, Vec<String>) = keys.into_iter().unzip();
    sqlx::query(
        "insert into replay_cursor as c (source, aggregate, key, last, snapshot)
         select source, $1, key, last, case when $5 then last else 0 end
         from unnest($2::text[], $3::text[], $4::bigint[]) as u (source, key, last)
         on conflict (source, aggregate, key) do update set last = excluded.last, snapshot = greatest(c.snapshot, excluded.snapshot)",
    )
    .bind(subscription.aggregate())
    .bind(sources)
    .bind(keys)
    .bind(lasts)
    .bind(origin == EventOrigin::Snapshot)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How long a replay waits without progress.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::decisions;
    use crate::consume::{
        plan::Decision,
        received_event::tests::event,
        subscription::{OnReject, Subscription, tests::IgnoreLit},
    };

    #[test]
    fn of_full_state_the_newest_handled_event_of_a_key_applies() {
        use Decision::{Apply, Ignore, Stale};
        let events = [
            event("a", 1, "lit"),
            event("b", 4, "lit"),
            event("a", 2, "lit"),
            event("a", 3, "other"),
        ];
        let state = Subscription::to_state("order", ["order"]).on(IgnoreLit).into();
        assert_eq!(decisions(&state, &events), [Stale, Apply, Apply, Ignore]);
        let each = Subscription::to("order", ["order"], OnReject::Continue).on(IgnoreLit);
        assert_eq!(decisions(&each, &events), [Apply, Apply, Apply, Ignore]);
    }
}
