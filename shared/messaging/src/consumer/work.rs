//! Events on their way through one or more transactions, without any I/O: what is tried together, and what has been found out
//! about them by trying.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    time::Duration,
};

use super::core::{Incoming, Ruling};
use crate::{failure::Verdict, retry::Patience};

/// An attempt at several events that failed after longer is not made again in halves, but one by one: where one of them waits in vain for
/// something, halves would fail as slowly, and halves of these again.
pub(crate) const SLOW: Duration = Duration::from_secs(2);

/// What an attempt has found out about one event.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Its place in what was tried together.
    pub(crate) index: usize,
    pub(crate) ruling: Ruling,
    /// Why it failed.
    pub(crate) causes: Vec<String>,
}

/// What a failure of an event means for it, given how often it has been tried, this time included. `None` if the failure says
/// nothing about the event.
pub(crate) fn ruling(verdict: Verdict, attempts: u32, patience: Patience) -> Option<Ruling> {
    match verdict {
        Verdict::Unavailable => None,
        Verdict::Reject(code) => Some(Ruling::Dead(code)),
        Verdict::Retry if attempts >= patience.attempts => Some(Ruling::Dead("retries_exhausted")),
        Verdict::Retry => Some(Ruling::Retry((patience.pause)(attempts))),
    }
}

/// Events that came together, and the ranges of them that are still to be committed, each by a transaction of its own.
#[derive(Debug)]
pub(crate) struct Work {
    incoming: Vec<Incoming>,
    rulings: HashMap<usize, Ruling>,
    ranges: VecDeque<Range<usize>>,
}

impl Work {
    /// All of `incoming` in one transaction. `rulings` says what is known of some of them beforehand.
    pub(crate) fn new(incoming: Vec<Incoming>, rulings: HashMap<usize, Ruling>) -> Self {
        let ranges = std::iter::once(0..incoming.len()).collect();
        Self { incoming, rulings, ranges }
    }

    /// What is to be tried next, and what is known of it by the place in it.
    pub(crate) fn next(&self) -> Option<(&[Incoming], HashMap<usize, Ruling>)> {
        let range = self.ranges.front()?;
        let known = self.rulings.iter().filter(|(index, _)| range.contains(index));
        let known = known.map(|(index, ruling)| (index - range.start, ruling.clone())).collect();
        Some((&self.incoming[range.clone()], known))
    }

    /// What was tried is committed.
    pub(crate) fn done(&mut self) {
        self.ranges.pop_front();
    }

    /// What was tried is rolled back, and something has been found out about some of it: it is tried again with that.
    pub(crate) fn learn(&mut self, findings: Vec<Finding>) {
        let start = self.ranges.front().map_or(0, |range| range.start);
        for Finding { index, ruling, mut causes } in findings {
            let incoming = &mut self.incoming[start + index];
            incoming.attempts += 1;
            incoming.causes.append(&mut causes);
            self.rulings.insert(start + index, ruling);
        }
    }

    /// What was tried is rolled back, and nobody knows which of it is bad: it is tried again in halves.
    pub(crate) fn split(&mut self) {
        if let Some(range) = self.ranges.pop_front() {
            let middle = range.start + range.len() / 2;
            self.ranges.push_front(middle..range.end);
            self.ranges.push_front(range.start..middle);
        }
    }

    /// What was tried is rolled back, for it took too long: it is tried again one by one.
    pub(crate) fn part(&mut self) {
        for index in self.ranges.pop_front().into_iter().flatten().rev() {
            self.ranges.push_front(index..index + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use super::{Finding, Ruling, Work, ruling};
    use crate::{consumer::core::tests::incoming, failure::Verdict, retry::Patience};

    #[test]
    fn halves_know_what_was_found_out_about_their_events() {
        let mut work = Work::new(
            (1..=5).map(|sequence| incoming("k", sequence, "a")).collect(),
            HashMap::new(),
        );
        work.split();
        work.done();
        let ruling = Ruling::Dead("bad");
        work.learn(vec![Finding { index: 1, ruling: ruling.clone(), causes: vec!["why".into()] }]);
        let (half, known) = work.next().unwrap();
        let found: Vec<_> = half.iter().map(|one| (one.envelope.sequence, one.attempts)).collect();
        assert_eq!(found, [(3, 0), (4, 1), (5, 0)]);
        assert_eq!(known, HashMap::from([(1, ruling)]));
        work.done();
        assert!(work.next().is_none());
    }

    #[test]
    fn what_takes_too_long_together_is_tried_one_by_one() {
        let mut work = Work::new(
            (1..=4).map(|sequence| incoming("k", sequence, "a")).collect(),
            HashMap::new(),
        );
        work.split();
        work.part();
        let mut tried = Vec::new();
        while let Some((events, _)) = work.next() {
            tried.push(events.iter().map(|one| one.envelope.sequence).collect::<Vec<_>>());
            work.done();
        }
        assert_eq!(tried, [vec![1], vec![2], vec![3, 4]]);
    }

    #[test]
    fn patience_ends() {
        let patience = Patience { attempts: 3, pause: |_| Duration::ZERO };
        assert_eq!(ruling(Verdict::Retry, 2, patience), Some(Ruling::Retry(Duration::ZERO)));
        assert_eq!(ruling(Verdict::Retry, 3, patience), Some(Ruling::Dead("retries_exhausted")));
        assert_eq!(ruling(Verdict::Reject("bad"), 1, patience), Some(Ruling::Dead("bad")));
        assert_eq!(ruling(Verdict::Unavailable, 9, patience), None);
    }
}
