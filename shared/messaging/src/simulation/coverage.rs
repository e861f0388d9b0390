//! How often the situations occurred that the invariants concern: a schedule without them proves nothing.

use crate::consume::plan::Decision;

/// How often the situations occurred that all invariants concern.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Coverage {
    pub(super) events: u64,
    pub(super) effects: u64,
    pub(super) duplicates: u64,
    pub(super) gaps: u64,
    pub(super) retries: u64,
    /// Dead letters in all; those with a missing predecessor.
    pub(super) dead: u64,
    pub(super) missing_predecessor: u64,
    pub(super) redriven: u64,
    /// Transactions that resolved several letters.
    pub(super) together: u64,
    pub(super) discarded: u64,
    /// Messages that the broker dead-lettered.
    pub(super) given_up: u64,
    /// Transactions whose keys another process had started meanwhile.
    pub(super) superseded: u64,
    /// Messages published by a relay without the lease; deletes rejected for that reason.
    pub(super) zombie_published: u64,
    pub(super) zombie_refused: u64,
    /// Messages that the broker did not answer; those that it stored later, behind newer ones.
    pub(super) unanswered: u64,
    pub(super) late: u64,
    /// Dead letters whose missing predecessor arrived after all.
    pub(super) revived: u64,
    /// Events of a type that the program did not know; those that a newer version found.
    pub(super) unknown: u64,
    pub(super) recognised: u64,
    /// Events that were declared lost; those that arrived after all.
    pub(super) lost: u64,
    pub(super) arrived: u64,
    /// Confirmed messages that a subscriber did not receive, because its binding was lost.
    pub(super) not_bound: u64,
    /// Queues that were deleted with messages in them.
    pub(super) deleted: u64,
    /// Databases of subscribers that went back.
    pub(super) restored: u64,
    /// Requests for missing messages; what the publisher answered.
    pub(super) asked: u64,
    pub(super) sent_again: u64,
    pub(super) unused: u64,
    pub(super) expired: u64,
    pub(super) unknown_positions: u64,
    /// Last messages that were sent again; messages that an operator published again.
    pub(super) reminders: u64,
    pub(super) republished: u64,
    /// Probes of suspended partitions.
    pub(super) probes: u64,
    /// Dead letters about messages that had left the log, and about forged positions.
    pub(super) messages_lost: u64,
    pub(super) went_back: u64,
    /// Schedules with a subscriber whose fault did not end; events that waited for its queue then.
    pub(super) broken: u64,
    pub(super) waited: u64,
    /// The coverage of state subscriptions.
    pub(super) of_state: StateCoverage,
}

impl Coverage {
    pub(super) fn count(&mut self, decision: &Decision) {
        match decision {
            Decision::Duplicate => self.duplicates += 1,
            Decision::ParkGap => self.gaps += 1,
            Decision::ParkRetry(_) => self.retries += 1,
            Decision::ParkUnknown => self.unknown += 1,
            Decision::Late
            | Decision::Stale
            | Decision::Apply
            | Decision::Ignore
            | Decision::ParkBehind
            | Decision::ParkDue
            | Decision::DeadLetter(_) => {}
        }
    }

    fn fields(&mut self) -> [&mut u64; 36] {
        [
            &mut self.events,
            &mut self.effects,
            &mut self.duplicates,
            &mut self.gaps,
            &mut self.retries,
            &mut self.dead,
            &mut self.missing_predecessor,
            &mut self.redriven,
            &mut self.together,
            &mut self.discarded,
            &mut self.given_up,
            &mut self.superseded,
            &mut self.zombie_published,
            &mut self.zombie_refused,
            &mut self.unanswered,
            &mut self.late,
            &mut self.revived,
            &mut self.unknown,
            &mut self.recognised,
            &mut self.lost,
            &mut self.arrived,
            &mut self.not_bound,
            &mut self.deleted,
            &mut self.restored,
            &mut self.asked,
            &mut self.sent_again,
            &mut self.unused,
            &mut self.expired,
            &mut self.unknown_positions,
            &mut self.reminders,
            &mut self.republished,
            &mut self.probes,
            &mut self.messages_lost,
            &mut self.went_back,
            &mut self.broken,
            &mut self.waited,
        ]
    }

    /// Adds the coverage of another schedule.
    pub(super) fn add(&mut self, mut other: Self) {
        for (mine, others) in self.fields().into_iter().zip(other.fields()) {
            *mine += *others;
        }
        self.of_state.add(other.of_state);
    }

    /// Whether each situation occurred.
    pub(super) fn is_everything(mut self) -> bool {
        self.fields().into_iter().all(|count| *count > 0) && self.of_state.is_everything()
    }
}

/// How often the situations occurred that the invariants of a state subscription concern.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct StateCoverage {
    /// Stale events in all; those that had waited for a retry; dead letters that were stale when they were
    /// redriven.
    pub(super) stale: u64,
    pub(super) stale_retries: u64,
    pub(super) stale_letters: u64,
    /// Effects of an event while a newer one of its key was parked or dead; effects of retries; effects of
    /// letters.
    pub(super) stood_in: u64,
    pub(super) retried: u64,
    pub(super) redriven: u64,
    /// Redriven letters whose event type had no handler any more.
    pub(super) unhandled: u64,
    /// Events that processes died over too often.
    pub(super) exhausted: u64,
    /// Batches after which a message had some but not all events committed; messages acknowledged behind an
    /// open one.
    pub(super) between: u64,
    pub(super) acknowledged_alone: u64,
}

impl StateCoverage {
    const fn fields(&mut self) -> [&mut u64; 10] {
        [
            &mut self.stale,
            &mut self.stale_retries,
            &mut self.stale_letters,
            &mut self.stood_in,
            &mut self.retried,
            &mut self.redriven,
            &mut self.unhandled,
            &mut self.exhausted,
            &mut self.between,
            &mut self.acknowledged_alone,
        ]
    }

    /// Adds the coverage of another schedule.
    pub(super) fn add(&mut self, mut other: Self) {
        for (mine, others) in self.fields().into_iter().zip(other.fields()) {
            *mine += *others;
        }
    }

    /// Whether each situation occurred.
    pub(super) fn is_everything(mut self) -> bool {
        self.fields().into_iter().all(|count| *count > 0)
    }
}
