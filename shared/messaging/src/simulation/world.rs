//! What all actors share: the clock, the dice, the database, the broker, and the events that were said.

use std::{num::NonZeroU32, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use envelope::Envelope;

use super::{
    broker::Broker,
    bugs::Bug,
    database::Database,
    handler::{Handler, Temper},
    invariants::Seen,
};
use crate::{
    consumer::dispatch::Dispatch,
    topology::{Guard, OnReject},
};

/// How many keys there are at most.
pub(super) const KEYS: usize = 4;

/// How old an event may become before the freshest are taken first, where they are.
const DEADLINE: Duration = Duration::from_millis(500);

/// A tiny generator of random numbers (splitmix64): the same seed gives the same schedule for ever.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    /// One of some numbers.
    pub(super) fn pick<const N: usize>(&mut self, of: [usize; N]) -> usize {
        of[self.below(N)]
    }

    /// The place of one of some weights, each as often as it says.
    pub(super) fn weighted<const N: usize>(&mut self, weights: [usize; N]) -> usize {
        let mut dice = self.below(weights.iter().sum::<usize>().max(1));
        for (place, weight) in weights.into_iter().enumerate() {
            if dice < weight {
                return place;
            }
            dice -= weight;
        }
        0
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// How often everything is done. Each schedule has other weights, for what needs many of one thing is rare when all is mixed
/// evenly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// Writers, the two relays, the two processes, the operator, the clock.
    pub(super) actors: [usize; 7],
    /// Pauses: short, longer than a retry, longer than a lease, longer than a gap is waited for.
    pub(super) pauses: [usize; 4],
    /// Events: good, failing, rejected, rejected without being named, killing.
    pub(super) tempers: [usize; 5],
    /// Answers of the broker: see `Broker::publish`.
    pub(super) confirms: [usize; 6],
    /// After how many attempts an event that fails is a dead letter: before it is started too often, or not.
    pub(super) attempts: u32,
}

impl Weights {
    fn drawn(random: &mut Random) -> Self {
        let relays = [random.pick([4, 15, 15]), random.pick([1, 4, 15])];
        let processes = [random.pick([10, 25, 40]), random.pick([5, 25, 40])];
        let (operator, clock) = (random.pick([0, 6, 15]), random.pick([4, 10, 25]));
        let writers = random.pick([8, 20, 60]);
        let mut confirm = || random.pick([0, 5, 20]);
        let confirms = [confirm(), confirm(), confirm(), confirm(), confirm(), 70];
        let attempts = if random.chance(50) { 3 } else { 6 };
        let mut bad = || random.pick([0, 0, 10, 40]);
        Self {
            tempers: [70, bad(), bad(), bad() / 2, bad()],
            confirms,
            attempts,
            actors: [writers, relays[0], relays[1], processes[0], processes[1], operator, clock],
            pauses: [3, random.pick([1, 4]), random.pick([0, 1, 4]), random.pick([0, 2, 10])],
        }
    }
}

/// An event that a transaction has committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    /// Its key.
    pub(super) key: usize,
    /// Its number.
    pub(super) sequence: i64,
    /// Its type.
    pub(super) kind: &'static str,
}

/// All that the actors share.
#[derive(Debug)]
pub(super) struct World {
    /// The time, in milliseconds. It moves when the schedule says so.
    pub(super) clock: u64,
    pub(super) random: Random,
    pub(super) bug: Option<Bug>,
    /// How often servers and processes fail, as a factor. At the end they do not any more.
    pub(super) faults: usize,
    pub(super) weights: Weights,
    /// What keeps the effects of the subscription from being doubled and from going backwards.
    pub(super) guard: Guard,
    /// How many keys this schedule has.
    pub(super) keys: usize,
    /// How many slots they are divided among: what is of one slot may be in one message.
    pub(super) slots: usize,
    pub(super) database: Database,
    pub(super) broker: Broker,
    pub(super) handler: Handler,
    /// The events, by their ids: also those whose transaction did not commit.
    pub(super) said: Vec<Option<Said>>,
    pub(super) seen: Seen,
    /// The first promise that was found broken.
    pub(super) violation: Option<String>,
    /// What happened, if anybody wants to read it.
    pub(super) trace: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>, is_traced: bool) -> Self {
        let mut random = Random(seed);
        let guard = drawn_guard(&mut random);
        let keys = random.pick([1, 1, 2, 3, KEYS]);
        let slots = random.pick([2, KEYS]);
        let faults = random.pick([0, 1, 1, 4]);
        let weights = Weights::drawn(&mut random);
        Self {
            clock: 0,
            random,
            bug,
            faults,
            weights,
            guard,
            keys,
            slots,
            database: Database::default(),
            broker: Broker::default(),
            handler: Handler::default(),
            said: Vec::new(),
            seen: Seen::default(),
            violation: None,
            trace: is_traced.then(Vec::new),
        }
    }

    /// The time as people read it.
    pub(super) fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(i64::try_from(self.clock).unwrap())
    }

    /// Whether `bug` is planted.
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether a fault happens that happens `percent` times in a hundred while faults happen.
    pub(super) fn fault(&mut self, percent: usize) -> bool {
        self.faults > 0 && self.random.chance(percent * self.faults)
    }

    /// Writes a line of the trace.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>7} ms  {}", self.clock, line()));
        }
    }

    /// Writes down that a promise is broken; the first one counts.
    pub(super) fn violated(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    /// Draws a new event's character and gives it an id.
    pub(super) fn new_event(&mut self) -> usize {
        let temper = Temper::drawn(&mut self.random, self.weights.tempers);
        self.handler.tempers.push(temper);
        self.said.push(None);
        self.said.len() - 1
    }
}

/// Two thirds of all schedules take every number in its turn; to the others the newest is enough.
fn drawn_guard(random: &mut Random) -> Guard {
    if random.chance(67) {
        let blocks = random.chance(60);
        return Guard::Cursors(if blocks { OnReject::BlockKey } else { OnReject::Continue });
    }
    Guard::Newest(match random.below(3) {
        0 => Dispatch::Fifo,
        1 => Dispatch::PriorityClasses {
            normal_per_bulk: NonZeroU32::MIN.saturating_add(u32::from(random.chance(50))),
        },
        _ => Dispatch::FreshestFirst { deadline: DEADLINE },
    })
}

/// The name of a key.
pub(super) fn name(key: usize) -> String {
    key.to_string()
}

/// The key of a name.
pub(super) fn number(name: &str) -> usize {
    usize::from(name.as_bytes()[0] - b'0')
}

/// The id of the event in an envelope.
pub(super) fn event(envelope: &Envelope) -> usize {
    usize::try_from(envelope.id.as_uuid().as_u128()).unwrap()
}
