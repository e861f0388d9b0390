//! Bugs that can be planted: each is one wrong decision in the model or around the kit's cores. A simulation that would not
//! notice them would prove nothing.

/// One wrong behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// A writer takes its numbers without holding the row of its key until it commits.
    NumberWithoutLock,
    /// The relay deletes what it has read before the broker has confirmed it.
    DeleteBeforeConfirm,
    /// The relay deletes all rows up to the highest one confirmed, and with them what was refused or committed late.
    DeleteUpToHighest,
    /// The relay reads on from the highest row it has carried, as a reader with a cursor would.
    ReadPastHighest,
    /// The relay takes a refusal for a confirm: number 5 is refused, and deleted like number 6.
    RefusedIsConfirmed,
    /// The relay takes a returned message for a confirmed one.
    ReturnedIsConfirmed,
    /// A return is put down to another message of the round, as can happen to who shares a channel: that one is published again, and
    /// the one that came back is deleted.
    ReturnOfAnother,
    /// The relays need no lease: each reads the rows that the other has not locked.
    RelaysSkipLocked,
    /// The relay lets the refused rows rest, and not their keys: what follows is published before them.
    FollowersOvertakeRefused,
    /// The listener acknowledges what it takes before its effects are committed.
    AcknowledgeBeforeCommit,
    /// The listener applies whatever comes.
    SkipCursor,
    /// The listener applies an event though its predecessor has not come.
    SkipGap,
    /// An event that waits for a retry holds nobody back.
    RetryIsOvertaken,
    /// A new cursor overwrites the one that another process has written meanwhile.
    TakeoverUnnoticed,
    /// A dead letter is written, and the cursor stays where it was.
    LetterWithoutCursor,
    /// The cursor goes past a dead event of which no letter is written.
    CursorWithoutLetter,
    /// What the broker gave up is acknowledged and not parked.
    DeadQueueDropped,
    /// Settling a key does not look at an event that has become the next.
    SettleForgetsTheNext,
    /// A resolved letter can be sent again.
    ResolvedIsRedriven,
    /// A letter whose event has taken effect meanwhile is handed to its handler all the same.
    EffectIsRedriven,
    /// That a letter is dealt with commits after the effect and not with it.
    RedriveMarkedLater,
    /// Of letters that are sent again together, one that fails does not hold back those behind it.
    FailedIsOvertaken,
    /// Dealing with one letter frees its key, though another letter blocks it.
    UnblockedTooEarly,
    /// A letter that waits for a predecessor is not told that its event has been rejected since. The kit had this bug.
    RejectedCopyForgotten,
    /// Giving up a letter does not tell the letters before it that the cursor has gone past them. The kit had this bug.
    LeapForgotten,
    /// What has been started too often is named by its place, though another process may have changed what stands there. The
    /// kit had this bug.
    GivenUpByPlace,
    /// Of full state: the number of what comes is not compared, so that an old state overwrites a newer one.
    NumberNotCompared,
    /// Of full state: what fails makes what is older in the same batch stale.
    FailedMakesStale,
    /// Of full state: what nobody handles makes what is older stale.
    IgnoredMakesStale,
    /// Of full state: what waited for its retry is applied, though something newer has taken effect meanwhile.
    OvertakenRetryIsApplied,
    /// Of full state: what has been tried again with success stays in the parking place.
    RetryStaysParked,
    /// Of full state: a message is acknowledged with the first of its events that is committed.
    AcknowledgedWithTheFirst,
    /// Of full state: a message is acknowledged together with all before it, though one of those is open.
    AcknowledgedWithOpen,
    /// Of full state: a letter takes effect when it is sent again, though something newer has.
    OvertakenLetterIsRedriven,
    /// Of full state: several letters of a key take effect in one transaction.
    LettersOfAKeyTogether,
    /// Of full state: a letter is written as if the cursor had gone past it.
    LetterOfStateIsPassed,
    /// Of full state: giving up a letter moves the cursor.
    DiscardedMakesStale,
    /// Of full state: a letter that nobody handles any more makes what is older stale when it is sent again. The kit had this bug.
    IgnoredLetterMakesStale,
    /// The relay deletes without looking at the epoch of its lease. This is harmless, see the test.
    DeleteWithoutEpoch,
}

impl Bug {
    /// Those that do harm.
    pub(super) const HARMFUL: [Self; 38] = [
        Self::NumberWithoutLock,
        Self::DeleteBeforeConfirm,
        Self::DeleteUpToHighest,
        Self::ReadPastHighest,
        Self::RefusedIsConfirmed,
        Self::ReturnedIsConfirmed,
        Self::ReturnOfAnother,
        Self::RelaysSkipLocked,
        Self::FollowersOvertakeRefused,
        Self::AcknowledgeBeforeCommit,
        Self::SkipCursor,
        Self::SkipGap,
        Self::RetryIsOvertaken,
        Self::TakeoverUnnoticed,
        Self::LetterWithoutCursor,
        Self::CursorWithoutLetter,
        Self::DeadQueueDropped,
        Self::SettleForgetsTheNext,
        Self::ResolvedIsRedriven,
        Self::EffectIsRedriven,
        Self::RedriveMarkedLater,
        Self::FailedIsOvertaken,
        Self::UnblockedTooEarly,
        Self::RejectedCopyForgotten,
        Self::LeapForgotten,
        Self::GivenUpByPlace,
        Self::NumberNotCompared,
        Self::FailedMakesStale,
        Self::IgnoredMakesStale,
        Self::OvertakenRetryIsApplied,
        Self::RetryStaysParked,
        Self::AcknowledgedWithTheFirst,
        Self::AcknowledgedWithOpen,
        Self::OvertakenLetterIsRedriven,
        Self::LettersOfAKeyTogether,
        Self::LetterOfStateIsPassed,
        Self::DiscardedMakesStale,
        Self::IgnoredLetterMakesStale,
    ];
}
