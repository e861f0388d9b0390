//! Calls the handlers of a batch.

use std::{collections::HashMap, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    plan::{Decision, HandlerCall, handler_calls},
    received_event::ReceivedEvent,
    subscription::Subscription,
};
use crate::{
    failure::{Failure, FailureKind},
    publish::transaction::Transaction,
};

/// The result of a round of handler calls. Anything but `Done` requires a rollback.
#[derive(Debug)]
pub(crate) enum HandlerOutcome {
    Done,
    /// These events failed, by index.
    Failed(Vec<(usize, Failure)>),
    /// One of several events failed, and it is unknown which.
    BatchFailed(Failure),
    /// Several events exceeded the timeout together. They are retried one by one: if one of them hangs, halves would time out again.
    TimedOut(Failure),
}

/// Passes the events to apply to their handlers, in as few calls as the order of each key permits, all within `limit`.
pub(crate) async fn call_handlers(
    subscription: &Subscription,
    tx: &mut Transaction,
    events: &[ReceivedEvent],
    decisions: &[Decision],
    limit: Duration,
) -> HandlerOutcome {
    let deadline = Instant::now() + limit;
    let is_single = decisions.iter().filter(|one| **one == Decision::Apply).count() == 1;
    for HandlerCall { kind, indices } in handler_calls(events, decisions) {
        let Some(handler) = subscription.handler(&kind) else { continue };
        let events: Vec<&ReceivedEvent> = indices.iter().map(|index| &events[*index]).collect();
        let failures = match timeout_at(deadline, handler.handle(tx, &events)).await {
            Ok(Ok(failures)) if failures.is_empty() => continue,
            Ok(Ok(failures)) => failures,
            Ok(Err(failure)) if failure.kind != FailureKind::Unavailable && events.len() > 1 => {
                return HandlerOutcome::BatchFailed(failure);
            }
            Ok(Err(failure)) => HashMap::from([(0, failure)]),
            Err(_) => {
                let timed_out = Failure::timed_out(limit);
                if !is_single {
                    return HandlerOutcome::TimedOut(timed_out);
                }
                HashMap::from([(0, timed_out)])
            }
        };
        let at = |(index, failure): (usize, Failure)| Some((*indices.get(index)?, failure));
        return HandlerOutcome::Failed(failures.into_iter().filter_map(at).collect());
    }
    HandlerOutcome::Done
}
