//! Handing events to their handlers again, in the shadow.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use super::{ReplayError, shadow::Shadow};
use crate::{
    Error, Failure,
    consumer::{
        core::{Incoming, Key, Step},
        handler::{Handed, hand},
        newest::plan_newest,
    },
    error::causes,
    failure::Verdict,
    retry,
    topology::{Guard, Subscription},
};

/// How often an event that fails is tried. It did not fail the first time, or only until it was tried again.
const ATTEMPTS: u32 = 5;

/// How an event came into a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// As a part of a snapshot: it says the full state, and the number goes with it.
    Snapshot,
    /// By itself.
    Queue,
}

/// Lets `incoming` take effect, all together if that goes well, else one by one. Answers how many were refused: what a handler
/// refuses of single events it refused the first time as well.
///
/// A snapshot of a type that nobody handles is refused: its owner is ahead of this service, and a shadow without its rows would take them
/// from the live tables too.
pub(super) async fn apply(
    shadow: &Shadow,
    subscription: &Subscription,
    incoming: &[Incoming],
    from: From,
) -> Result<u64, ReplayError> {
    let is_unknown = |one: &&Incoming| subscription.handler(&one.envelope.kind).is_none();
    if from == From::Snapshot
        && let Some(one) = incoming.iter().find(is_unknown)
    {
        return Err(refused(
            subscription,
            one,
            vec![format!("nobody handles {}", one.envelope.kind)],
        ));
    }
    if incoming.is_empty() || together(shadow, subscription, incoming, from).await?.is_ok() {
        return Ok(0);
    }
    let mut number = 0;
    for one in incoming {
        number += u64::from(!alone(shadow, subscription, one, from).await?);
    }
    Ok(number)
}

/// Tries one event until it takes effect or is refused. Says whether it took effect.
async fn alone(
    shadow: &Shadow,
    subscription: &Subscription,
    one: &Incoming,
    from: From,
) -> Result<bool, ReplayError> {
    let event = std::slice::from_ref(one);
    let Err(failure) = insist(|| together(shadow, subscription, event, from)).await? else {
        return Ok(true);
    };
    if from == From::Snapshot {
        return Err(refused(subscription, one, causes(&*failure.cause)));
    }
    let mut tx = shadow.outbox.begin().await?;
    move_cursors(&mut tx, subscription, event, from).await?;
    tx.commit().await?;
    Ok(false)
}

/// An event of a snapshot cannot take effect.
fn refused(subscription: &Subscription, one: &Incoming, causes: Vec<String>) -> ReplayError {
    let key = one.envelope.subject.clone();
    ReplayError::Refused { aggregate: subscription.aggregate(), key, causes }
}

/// Repeats `attempt` until what it tries takes effect, or is refused: that is the inner error.
pub(super) async fn insist<F>(
    attempt: impl FnMut() -> F,
) -> Result<Result<(), Failure>, ReplayError>
where
    F: Future<Output = Result<Result<(), Failure>, ReplayError>>,
{
    match retry::insist(ATTEMPTS, attempt).await? {
        Err(failure) if !matches!(failure.verdict, Verdict::Reject(_)) => {
            Err(ReplayError::Stuck(causes(&*failure.cause)))
        }
        ended => Ok(ended),
    }
}

/// Lets events take effect in one transaction. The inner result is the handlers'.
async fn together(
    shadow: &Shadow,
    subscription: &Subscription,
    incoming: &[Incoming],
    from: From,
) -> Result<Result<(), Failure>, ReplayError> {
    let mut tx = shadow.outbox.begin().await?;
    let steps = steps(subscription, incoming);
    let failed = match hand(subscription, &mut tx, incoming, &steps, subscription.limit()).await {
        Handed::Done => None,
        Handed::Failed(failures) => failures.into_iter().next().map(|(_, failure)| failure),
        Handed::Split(failure) | Handed::Late(failure) => Some(failure),
    };
    if let Some(failure) = failed {
        tx.rollback().await;
        return Ok(Err(failure));
    }
    move_cursors(&mut tx, subscription, incoming, from).await?;
    match tx.commit().await {
        Ok(()) => Ok(Ok(())),
        Err(error @ Error::Database(_)) if !error.is_outage() => Ok(Err(Failure::retry(error))),
        Err(error) => Err(error.into()),
    }
}

/// What is to be done with each of `incoming`. Of full state only the newest of a key that anybody handles, as the live consumer decides
/// it: a handler is promised one event of a key at a time.
fn steps(subscription: &Subscription, incoming: &[Incoming]) -> Vec<Step> {
    let has_handler = |kind: &str| subscription.handler(kind).is_some();
    let step = |one: &Incoming| {
        if has_handler(&one.envelope.kind) { Step::Apply } else { Step::Ignore }
    };
    match subscription.guard() {
        Guard::Newest(_) => {
            plan_newest(&mut HashMap::new(), incoming, &HashMap::new(), has_handler)
        }
        Guard::Cursors(_) => incoming.iter().map(step).collect(),
    }
}

/// Writes down how far the shadow has come with the keys of `incoming`. A cursor of the shadow is written by one replay alone.
async fn move_cursors(
    tx: &mut crate::Transaction,
    subscription: &Subscription,
    incoming: &[Incoming],
    from: From,
) -> Result<(), ReplayError> {
    let mut lasts: HashMap<Key, i64> = HashMap::new();
    for one in incoming {
        match lasts.entry(one.key()) {
            Entry::Vacant(entry) => drop(entry.insert(one.envelope.sequence)),
            Entry::Occupied(mut entry) => {
                let last = (*entry.get()).max(one.envelope.sequence);
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
    .bind(from == From::Snapshot)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How long whoever is waited for is given.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::steps;
    use crate::{
        OnReject, Subscription,
        consumer::core::{Step, tests::incoming},
        topology::tests::Hear,
    };

    #[test]
    fn of_full_state_the_newest_of_a_key_that_is_handled_takes_effect() {
        use Step::{Apply, Ignore, Stale};
        let told = [
            incoming("a", 1, "told"),
            incoming("b", 4, "told"),
            incoming("a", 2, "told"),
            incoming("a", 3, "other"),
        ];
        let state = Subscription::to_state("order", ["order"]).on(Hear).into();
        assert_eq!(steps(&state, &told), [Stale, Apply, Apply, Ignore]);
        let each = Subscription::to("order", ["order"], OnReject::Continue).on(Hear);
        assert_eq!(steps(&each, &told), [Apply, Apply, Apply, Ignore]);
    }
}
