//! Splits the events of a batch over one or more transactions, without I/O.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    time::Duration,
};

use super::{plan::Disposition, received_event::ReceivedEvent};
use crate::{failure::FailureKind, retry::RetryPolicy};

/// If an attempt at several events took longer than this before it failed, it is split into single events instead of halves: if one
/// event waits for something in vain, halves would fail as slowly, again and again.
pub(crate) const SLOW_ATTEMPT: Duration = Duration::from_secs(2);

/// What an attempt revealed about one event.
#[derive(Debug)]
pub(crate) struct FailedEvent {
    /// The index in the attempted range.
    pub(crate) index: usize,
    pub(crate) disposition: Disposition,
    pub(crate) causes: Vec<String>,
}

/// The consequence of a failure for its event, after `attempts` attempts including this one. `None` if the failure says nothing about
/// the event.
pub(crate) fn disposition(
    kind: FailureKind,
    attempts: u32,
    policy: RetryPolicy,
) -> Option<Disposition> {
    match kind {
        FailureKind::Unavailable => None,
        FailureKind::Reject(code) => Some(Disposition::DeadLetter(code)),
        FailureKind::Retry if attempts >= policy.max_attempts => {
            Some(Disposition::DeadLetter("retries_exhausted"))
        }
        FailureKind::Retry => Some(Disposition::Retry((policy.delay)(attempts))),
    }
}

/// The events of a batch, and the ranges of them that are not committed yet, each for one transaction.
#[derive(Debug)]
pub(crate) struct BatchSplitter {
    events: Vec<ReceivedEvent>,
    dispositions: HashMap<usize, Disposition>,
    ranges: VecDeque<Range<usize>>,
}

impl BatchSplitter {
    /// All events in one transaction. `dispositions` holds what is known of some of them.
    pub(crate) fn new(
        events: Vec<ReceivedEvent>,
        dispositions: HashMap<usize, Disposition>,
    ) -> Self {
        let ranges = std::iter::once(0..events.len()).collect();
        Self { events, dispositions, ranges }
    }

    /// The events of the next attempt, and the known dispositions by index.
    pub(crate) fn next(&self) -> Option<(&[ReceivedEvent], HashMap<usize, Disposition>)> {
        let range = self.ranges.front()?;
        let known = self.dispositions.iter().filter(|(index, _)| range.contains(index));
        let known =
            known.map(|(index, disposition)| (index - range.start, disposition.clone())).collect();
        Some((&self.events[range.clone()], known))
    }

    /// The attempt was committed.
    pub(crate) fn committed(&mut self) {
        self.ranges.pop_front();
    }

    /// The attempt was rolled back because of these events. It is repeated with their dispositions.
    pub(crate) fn failed(&mut self, failed: Vec<FailedEvent>) {
        let start = self.ranges.front().map_or(0, |range| range.start);
        for FailedEvent { index, disposition, mut causes } in failed {
            let event = &mut self.events[start + index];
            event.attempts += 1;
            event.causes.append(&mut causes);
            self.dispositions.insert(start + index, disposition);
        }
    }

    /// The attempt was rolled back because of an unknown event. It is repeated in halves.
    pub(crate) fn split_in_halves(&mut self) {
        if let Some(range) = self.ranges.pop_front() {
            let middle = range.start + range.len() / 2;
            self.ranges.push_front(middle..range.end);
            self.ranges.push_front(range.start..middle);
        }
    }

    /// The attempt was rolled back because it took too long. It is repeated with single events.
    pub(crate) fn split_into_singles(&mut self) {
        for index in self.ranges.pop_front().into_iter().flatten().rev() {
            self.ranges.push_front(index..index + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use super::{BatchSplitter, Disposition, FailedEvent, disposition};
    use crate::{consume::received_event::tests::event, failure::FailureKind, retry::RetryPolicy};

    #[test]
    fn halves_keep_the_dispositions_of_their_events() {
        let mut splitter = BatchSplitter::new(
            (1..=5).map(|sequence| event("k", sequence, "a")).collect(),
            HashMap::new(),
        );
        splitter.split_in_halves();
        splitter.committed();
        let disposition = Disposition::DeadLetter("bad");
        let causes = vec!["why".to_owned()];
        splitter.failed(vec![FailedEvent { index: 1, disposition: disposition.clone(), causes }]);
        let (half, known) = splitter.next().unwrap();
        let found: Vec<_> = half.iter().map(|one| (one.envelope.sequence, one.attempts)).collect();
        assert_eq!(found, [(3, 0), (4, 1), (5, 0)]);
        assert_eq!(known, HashMap::from([(1, disposition)]));
        splitter.committed();
        assert!(splitter.next().is_none());
    }

    #[test]
    fn a_slow_batch_is_split_into_single_events() {
        let mut splitter = BatchSplitter::new(
            (1..=4).map(|sequence| event("k", sequence, "a")).collect(),
            HashMap::new(),
        );
        splitter.split_in_halves();
        splitter.split_into_singles();
        let mut attempts = Vec::new();
        while let Some((events, _)) = splitter.next() {
            attempts.push(events.iter().map(|one| one.envelope.sequence).collect::<Vec<_>>());
            splitter.committed();
        }
        assert_eq!(attempts, [vec![1], vec![2], vec![3, 4]]);
    }

    #[test]
    fn retries_are_limited() {
        let policy = RetryPolicy { max_attempts: 3, delay: |_| Duration::ZERO };
        let retry = Some(Disposition::Retry(Duration::ZERO));
        assert_eq!(disposition(FailureKind::Retry, 2, policy), retry);
        let exhausted = Some(Disposition::DeadLetter("retries_exhausted"));
        assert_eq!(disposition(FailureKind::Retry, 3, policy), exhausted);
        let rejected = Some(Disposition::DeadLetter("bad"));
        assert_eq!(disposition(FailureKind::Reject("bad"), 1, policy), rejected);
        assert_eq!(disposition(FailureKind::Unavailable, 9, policy), None);
    }
}
