//! The shared state of all actors: the clock, the random numbers, the database, the broker, and the emitted
//! events.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    broker::{Broker, Confirm, Response, StoredMessage},
    bugs::Bug,
    coverage::Coverage,
    database::Database,
    events::{EmittedEvent, KEYS, event},
    handler::{Behaviour, Handler},
    journal::Journal,
    limits::SUBSCRIBERS,
    publisher::Publisher,
    random::Random,
    subscriber::{Broken, Subscriber},
};
use crate::{
    consume::{
        dispatch::Dispatch,
        subscription::{OnReject, Ordering},
    },
    message_position::Purpose,
};

/// The deadline of the dispatch order `FreshestFirst`.
const DEADLINE: Duration = Duration::from_millis(500);

/// The frequencies of all actions. They differ per schedule: situations that need many of one action are rare
/// in an even mix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// Writers, two relays, two processes, the operator, the clock.
    pub(super) actors: [usize; 7],
    /// Pauses: short, longer than a retry, longer than a lease, longer than the gap timeout.
    pub(super) pauses: [usize; 4],
    /// Events: successful, failing, rejected, rejected without being named, fatal.
    pub(super) behaviours: [usize; 5],
    /// Responses of the broker, see `Broker::publish`.
    pub(super) confirms: [usize; Response::COUNT],
    /// The attempts before a failing event becomes a dead letter: fewer than the starts, or more.
    pub(super) max_attempts: u32,
    /// How many percent of the missing predecessors a process of an older version finds.
    pub(super) old_version: usize,
    /// How many percent of the steps are losses, see `World::strike`.
    pub(super) losses: usize,
    /// Whether messages leave the log (1), or positions are forged (2).
    pub(super) rare: usize,
}

impl Weights {
    fn drawn(random: &mut Random) -> Self {
        let relays = [random.pick([4, 15, 15]), random.pick([1, 4, 15])];
        let processes = [random.pick([10, 25, 40]), random.pick([5, 25, 40])];
        let (operator, clock) = (random.pick([0, 8, 25]), random.pick([4, 10, 25]));
        let writers = random.pick([8, 20, 60]);
        let mut confirm = || random.pick([0, 5, 20]);
        let mut confirms = [0; Response::COUNT];
        confirms[..Response::LOST_BINDING].fill_with(&mut confirm);
        confirms[Response::LOST_BINDING] = random.pick([0, 0, 10]);
        confirms[Response::STORED.number] = 70;
        let losses = random.pick([0, 0, 1, 3]);
        let max_attempts = if random.chance(50) { 3 } else { 6 };
        let mut bad = || random.pick([0, 0, 10, 40]);
        Self {
            behaviours: [70, bad(), bad(), bad() / 2, bad()],
            confirms,
            max_attempts,
            old_version: random.pick([0, 0, 30, 100]),
            losses,
            rare: random.pick([0, 0, 0, 0, 0, 0, 1, 2]),
            actors: [writers, relays[0], relays[1], processes[0], processes[1], operator, clock],
            pauses: [3, random.pick([1, 4]), random.pick([0, 1, 4]), random.pick([0, 2, 10])],
        }
    }
}

/// The shared state of all actors.
#[derive(Debug)]
pub(super) struct World {
    /// The time in milliseconds. It advances by schedule.
    pub(super) clock: u64,
    pub(super) random: Random,
    pub(super) bug: Option<Bug>,
    /// A factor for the frequency of faults; zero at the end of a schedule.
    pub(super) faults: usize,
    pub(super) weights: Weights,
    /// Of the subscriber that acts, like `database` and `handler`, see `turn_to`.
    pub(super) ordering: Ordering,
    /// The number of keys of this schedule.
    pub(super) keys: usize,
    /// The most events in a message.
    pub(super) message_events: usize,
    pub(super) publisher: Publisher,
    pub(super) subscribers: [Subscriber; SUBSCRIBERS],
    /// The subscriber that acts.
    pub(super) acting: usize,
    /// A fault that does not end.
    pub(super) broken: Option<Broken>,
    /// Whether the partitions of a broken queue are no longer probed.
    pub(super) is_settling: bool,
    pub(super) database: Database,
    pub(super) broker: Broker,
    pub(super) handler: Handler,
    /// All events by id, including those of transactions that did not commit.
    pub(super) emitted: Vec<Option<EmittedEvent>>,
    pub(super) coverage: Coverage,
    /// The events that were published with each slot and position; and those positions with different ones.
    publications: HashMap<(i16, i64), Vec<usize>>,
    pub(super) ambiguous: HashSet<(i16, i64)>,
    /// Whether a position was forged.
    pub(super) is_forged: bool,
    /// The beginning of the clock for monotonic times.
    pub(super) began: tokio::time::Instant,
    /// The first violation found.
    pub(super) violation: Option<String>,
    /// The steps, if they are recorded.
    pub(super) trace: Option<Vec<String>>,
    /// The statements, if they are recorded.
    pub(super) journal: Option<Journal>,
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>, is_traced: bool) -> Self {
        let mut random = Random(seed);
        let ordering = draw_ordering(&mut random);
        let keys = random.pick([1, 1, 2, 3, KEYS]);
        let message_events = random.pick([1, 1, 2, 4]);
        let mut orderings = [ordering; SUBSCRIBERS];
        orderings[1..].fill_with(|| draw_ordering(&mut random));
        let faults = random.pick([0, 1, 1, 4]);
        let weights = Weights::drawn(&mut random);
        Self {
            clock: 0,
            random,
            bug,
            faults,
            weights,
            ordering,
            keys,
            message_events,
            publisher: Publisher { history: 1, ..Publisher::default() },
            subscribers: orderings.map(Subscriber::new),
            acting: 0,
            broken: None,
            is_settling: false,
            database: Database::default(),
            broker: Broker::default(),
            handler: Handler::default(),
            emitted: Vec::new(),
            publications: HashMap::new(),
            ambiguous: HashSet::new(),
            is_forged: false,
            began: tokio::time::Instant::now(),
            coverage: Coverage::default(),
            violation: None,
            trace: is_traced.then(Vec::new),
            journal: None,
        }
    }

    /// The time as a timestamp.
    pub(super) fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(i64::try_from(self.clock).unwrap())
    }

    /// Whether `bug` is planted.
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether the subscription is a state subscription.
    pub(super) const fn is_of_state(&self) -> bool {
        matches!(self.ordering, Ordering::LatestWins(_))
    }

    /// True in `percent` of all cases while faults happen.
    pub(super) fn fault(&mut self, percent: usize) -> bool {
        self.faults > 0 && self.random.chance(percent * self.faults)
    }

    /// Draws the broker's response to a message, see `Broker::publish`.
    fn response(&mut self) -> Response {
        if self.faults == 0 {
            return Response::STORED;
        }
        match self.random.weighted(self.weights.confirms) {
            number if number == Response::STORED.number => Response::STORED,
            number @ Response::LOST_BINDING => {
                Response { number, receivers: !(1 << self.random.below(SUBSCRIBERS)) }
            }
            number => Response { number, receivers: self.random.below(1 << SUBSCRIBERS) },
        }
    }

    /// Publishes a message for all subscribers.
    pub(super) fn publish(&mut self, message: &StoredMessage, group: usize) -> Confirm {
        let response = self.response();
        if message.purpose == Purpose::New {
            let position = (message.position.slot, message.position.number);
            let events: Vec<usize> = message.events.iter().map(event).collect();
            let before = self.publications.entry(position).or_insert_with(|| events.clone());
            if *before != events {
                self.ambiguous.insert(position);
            }
        }
        let (confirm, missed) = self.broker.publish(message, group, response);
        for subscriber in missed {
            self.note(|| format!("    subscriber {subscriber} does not receive it"));
            self.coverage.not_bound += 1;
            self.lose(subscriber, std::slice::from_ref(message));
        }
        confirm
    }

    /// Whether the partition of a slot is no longer probed.
    pub(super) fn is_frozen(&self, slot: i16) -> bool {
        self.is_settling && self.broken.is_some_and(|broken| broken.stops(slot))
    }

    /// The broker stores a message that it had not answered. Returns whether there was one.
    pub(super) fn store_late(&mut self) -> bool {
        let is_stored = self.broker.store_late();
        if is_stored {
            self.note(|| "the broker stores a late message".to_owned());
            self.coverage.late += 1;
        }
        is_stored
    }

    /// Adds a line to the trace.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>7} ms  {}", self.clock, line()));
        }
    }

    /// Records a violation; the first one counts.
    pub(super) fn violated(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    /// Draws the behaviour of a new event and assigns its id.
    pub(super) fn new_event(&mut self) -> usize {
        for subscriber in 0..SUBSCRIBERS {
            let behaviour = Behaviour::drawn(&mut self.random, self.weights.behaviours);
            let handler = if subscriber == self.acting {
                &mut self.handler
            } else {
                &mut self.subscribers[subscriber].handler
            };
            handler.behaviours.push(behaviour);
        }
        self.emitted.push(None);
        self.emitted.len() - 1
    }
}

/// Two thirds of all schedules are sequenced; in the others the latest event wins.
fn draw_ordering(random: &mut Random) -> Ordering {
    if random.chance(67) {
        let blocks = random.chance(60);
        return Ordering::Sequenced(if blocks { OnReject::BlockKey } else { OnReject::Continue });
    }
    Ordering::LatestWins(match random.below(3) {
        0 => Dispatch::Fifo,
        1 => Dispatch::PriorityClasses {
            normal_per_bulk: NonZeroU32::MIN.saturating_add(u32::from(random.chance(50))),
        },
        _ => Dispatch::FreshestFirst { deadline: DEADLINE },
    })
}
