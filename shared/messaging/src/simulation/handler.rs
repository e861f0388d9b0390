//! The handler of the listening service, and what its events do to it.

use std::collections::HashMap;

use super::world::{Random, event};
use crate::{consumer::core::Incoming, failure::Verdict};

/// The types of events that somebody handles.
pub(super) const HANDLED: [&str; 2] = ["changed", "removed"];

/// The type that nobody handles.
pub(super) const UNHANDLED: &str = "whatever";

/// What a type of event is called.
pub(super) fn kind(name: &str) -> &'static str {
    HANDLED.into_iter().find(|kind| *kind == name).unwrap_or(UNHANDLED)
}

/// How an event behaves when it is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    /// It is handled.
    Good,
    /// It fails so often, and then is handled.
    Fails(u32),
    /// It never goes better, until somebody mends it.
    Rejected,
    /// It fails the whole batch, and the handler does not say which event it was.
    RejectedSilently,
    /// The process dies over it so often.
    Kills(u32),
}

impl Temper {
    pub(super) fn drawn(random: &mut Random, weights: [usize; 5]) -> Self {
        match random.weighted(weights) {
            1 => Self::Fails(1 + u32::try_from(random.below(6)).unwrap()),
            2 => Self::Rejected,
            3 => Self::RejectedSilently,
            4 => Self::Kills(1 + u32::try_from(random.below(9)).unwrap()),
            _ => Self::Good,
        }
    }
}

/// What the handler answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// The effects are in the transaction.
    Done,
    /// These of the events are refused.
    Refused(HashMap<usize, Verdict>),
    /// Something in the batch is bad.
    Failed(Verdict),
    /// Nothing: the process is gone.
    Died,
}

/// The handler, with what it remembers outside of any transaction.
#[derive(Debug, Default)]
pub(super) struct Handler {
    /// How each event behaves, by its id.
    pub(super) tempers: Vec<Temper>,
    /// Whether a release has taken one of the handlers away.
    pub(super) is_reduced: bool,
}

impl Handler {
    /// Whether anybody handles events of this type.
    pub(super) fn handles(&self, kind: &str) -> bool {
        kind != UNHANDLED && !(self.is_reduced && kind == HANDLED[1])
    }

    /// Handles events of one type together.
    pub(super) fn handle(&mut self, events: &[&Incoming]) -> Answer {
        let mut refused = HashMap::new();
        for (index, one) in events.iter().enumerate() {
            let temper = &mut self.tempers[event(&one.envelope)];
            match temper {
                Temper::Good => {}
                Temper::Fails(times) => {
                    *times -= 1;
                    if *times == 0 {
                        *temper = Temper::Good;
                    }
                    refused.insert(index, Verdict::Retry);
                }
                Temper::Rejected => {
                    refused.insert(index, Verdict::Reject("bad"));
                }
                Temper::RejectedSilently => return Answer::Failed(Verdict::Reject("bad")),
                Temper::Kills(times) => {
                    *times -= 1;
                    if *times == 0 {
                        *temper = Temper::Good;
                    }
                    return Answer::Died;
                }
            }
        }
        if refused.is_empty() { Answer::Done } else { Answer::Refused(refused) }
    }

    /// Whoever is responsible has mended the handler for this event.
    pub(super) fn mend(&mut self, event: usize) {
        self.tempers[event] = Temper::Good;
    }

    /// As [`mend`](Self::mend), for all events.
    pub(super) fn mend_all(&mut self) {
        self.tempers.fill(Temper::Good);
    }
}
