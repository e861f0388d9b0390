//! The handler of the subscribing service, and the behaviour of its events.

use std::collections::HashMap;

use super::{
    events::{HANDLED, NOVEL, UNHANDLED, event},
    random::Random,
};
use crate::{
    consume::{received_event::ReceivedEvent, subscription::Reception},
    failure::FailureKind,
};

/// How an event behaves in its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Succeeds,
    /// It fails so many times, and then succeeds.
    Fails(u32),
    /// It is rejected until the handler is fixed.
    Rejected,
    /// It fails the whole batch without being named.
    RejectedSilently,
    /// The process dies over it so many times.
    Kills(u32),
}

impl Behaviour {
    pub(super) fn drawn(random: &mut Random, weights: [usize; 5]) -> Self {
        match random.weighted(weights) {
            1 => Self::Fails(1 + u32::try_from(random.below(6)).unwrap()),
            2 => Self::Rejected,
            3 => Self::RejectedSilently,
            4 => Self::Kills(1 + u32::try_from(random.below(9)).unwrap()),
            _ => Self::Succeeds,
        }
    }
}

/// The result of a handler call.
#[derive(Debug)]
pub(super) enum HandlerResult {
    Done,
    Failed(HashMap<usize, FailureKind>),
    /// An unknown event of the batch failed.
    BatchFailed(FailureKind),
    Died,
}

/// The handler, with its state outside of transactions.
#[derive(Debug, Default)]
pub(super) struct Handler {
    /// The behaviour of each event by id.
    pub(super) behaviours: Vec<Behaviour>,
    /// Whether a release has removed one of the handlers, whose type is ignored now.
    pub(super) is_reduced: bool,
    /// How it behaves for every event, whatever `behaviours` says.
    pub(super) broken: Option<Behaviour>,
    /// How often a process has died over each event.
    pub(super) deaths: HashMap<usize, u32>,
}

/// The versions of the program that run beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Old,
    New,
}

impl Handler {
    /// Whether the event type has a handler, at least in the new version.
    pub(super) fn handles(&self, kind: &str) -> bool {
        self.reception(kind, Version::New) == Reception::Handled
    }

    /// `Subscription::reception` in a version of the program.
    pub(super) fn reception(&self, kind: &str, version: Version) -> Reception {
        if kind == NOVEL && version == Version::Old {
            Reception::Unknown
        } else if kind == UNHANDLED || (self.is_reduced && kind == HANDLED[1]) {
            Reception::Ignored
        } else {
            Reception::Handled
        }
    }

    /// The types that the new version knows.
    pub(super) fn known() -> Vec<String> {
        HANDLED.into_iter().chain([UNHANDLED, NOVEL]).map(str::to_owned).collect()
    }

    /// Handles events of one type together.
    pub(super) fn handle(&mut self, events: &[&ReceivedEvent]) -> HandlerResult {
        let mut failed = HashMap::new();
        for (index, received) in events.iter().enumerate() {
            let own = &mut self.behaviours[event(&received.envelope)];
            let behaviour = self.broken.as_mut().unwrap_or(own);
            match behaviour {
                Behaviour::Succeeds => {}
                Behaviour::Fails(times) => {
                    *times -= 1;
                    if *times == 0 {
                        *behaviour = Behaviour::Succeeds;
                    }
                    failed.insert(index, FailureKind::Retry);
                }
                Behaviour::Rejected => {
                    failed.insert(index, FailureKind::Reject("bad"));
                }
                Behaviour::RejectedSilently => {
                    return HandlerResult::BatchFailed(FailureKind::Reject("bad"));
                }
                Behaviour::Kills(times) => {
                    *times -= 1;
                    if *times == 0 {
                        *behaviour = Behaviour::Succeeds;
                    }
                    *self.deaths.entry(event(&received.envelope)).or_default() += 1;
                    return HandlerResult::Died;
                }
            }
        }
        if failed.is_empty() { HandlerResult::Done } else { HandlerResult::Failed(failed) }
    }

    /// The handler is fixed for this event.
    pub(super) fn fix(&mut self, event: usize) {
        self.behaviours[event] = Behaviour::Succeeds;
    }

    /// The handler is fixed for all events.
    pub(super) fn fix_all(&mut self) {
        self.behaviours.fill(Behaviour::Succeeds);
    }
}
