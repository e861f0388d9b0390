//! Planted bugs: each is one wrong decision in the model or around the pure functions. A simulation that does
//! not find them proves nothing.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// A writer numbers its events without holding the row lock of the key until the commit.
    NumberWithoutLock,
    /// The relay deletes rows before the broker has confirmed them.
    DeleteBeforeConfirm,
    /// The relay deletes all rows up to the highest confirmed one, including nacked and late ones.
    DeleteUpToHighest,
    /// The relay continues after the highest row it has published, like a reader with a cursor.
    ReadPastHighest,
    /// The relay treats a nack as a confirm: event 5 is nacked, and deleted like event 6.
    NackedIsConfirmed,
    /// The relay treats a returned message as confirmed.
    ReturnedIsConfirmed,
    /// The relay treats an unanswered message as confirmed.
    UnansweredIsConfirmed,
    /// A return is attributed to another message of the round, as on a shared channel: that one is published
    /// again, and the returned one is deleted.
    ReturnOfAnother,
    /// The relays work without a lease: each skips the rows that the other has locked.
    RelaysSkipLocked,
    /// The relay delays the nacked rows instead of their keys: later events are published first.
    FollowersOvertakeNacked,
    /// The consumer acknowledges before the effects are committed.
    AcknowledgeBeforeCommit,
    /// The consumer applies every event, whatever its cursor.
    SkipCursor,
    /// The consumer applies an event although its predecessor has not arrived.
    SkipGap,
    /// An event that waits for a retry does not delay later ones.
    RetryIsOvertaken,
    /// A new cursor overwrites the one that another process has created meanwhile.
    TakeoverUnnoticed,
    /// A dead letter is recorded, but the cursor does not move.
    LetterWithoutCursor,
    /// The cursor moves past a dead event, but no letter is recorded.
    CursorWithoutLetter,
    /// Messages of the dead-letter queue are acknowledged but not parked.
    DeadLetterQueueDropped,
    /// Settling a key ignores an event that has become the next.
    SettleIgnoresTheNext,
    /// A resolved letter can be redriven.
    ResolvedIsRedriven,
    /// A letter whose event was applied meanwhile is handled again.
    AppliedIsRedriven,
    /// The letter is resolved after the commit of the effect, not with it.
    RedriveMarkedLater,
    /// In a batch of redriven letters, a failed one does not block later ones.
    FailedIsOvertaken,
    /// Resolving a letter unblocks its key although another letter blocks it.
    UnblockedTooEarly,
    /// A letter with a missing predecessor is not updated when its event is rejected later. The kit had this
    /// bug.
    RejectedCopyIgnored,
    /// An event that is a dead letter is not due when its missing predecessor has arrived.
    RevivalForgotten,
    /// The dead letter of an event is not resolved when the event is applied after all.
    RevivedStaysDead,
    /// An event of an unknown type only moves the cursor. The kit had this bug.
    UnknownIsIgnored,
    /// An event of an unknown type is parked, but later ones do not wait for it.
    UnknownIsOvertaken,
    /// No version of the program looks for parked events whose type it knows.
    UnknownForgotten,
    /// A declaration of loss includes events that have arrived, and wait.
    PresentIsLost,
    /// An event that arrives after it was declared lost is taken for a duplicate.
    LateIsDuplicate,
    /// Each copy of such an event becomes another letter.
    LateCountedTwice,
    /// A retry does not check before its commit that its key has not moved meanwhile.
    RetryNotChecked,
    /// Discarding a letter does not mark the earlier letters that the cursor passes. The kit had this bug.
    LeapNotMarked,
    /// An event that was started too often is identified by its index, although another process may have
    /// changed the list. The kit had this bug.
    GivenUpByIndex,
    /// Full state: the sequence number is not compared, so an old state overwrites a newer one.
    NumberNotCompared,
    /// Full state: a failed event makes older ones in the same batch stale.
    FailedMakesStale,
    /// Full state: an event without a handler makes older ones stale.
    IgnoredMakesStale,
    /// Full state: a retried event is applied although a newer one was applied meanwhile.
    OvertakenRetryIsApplied,
    /// Full state: a successfully retried event stays parked.
    RetryStaysParked,
    /// Full state: a message is acknowledged with the first of its events that is committed.
    AcknowledgedWithTheFirst,
    /// Full state: a message is acknowledged together with all earlier ones, although one of them is open.
    AcknowledgedWithOpen,
    /// Full state: a redriven letter is applied although a newer event was.
    OvertakenLetterIsRedriven,
    /// Full state: several letters of a key are applied in one transaction.
    LettersOfAKeyTogether,
    /// Full state: a letter is recorded as if the cursor had passed it.
    LetterOfStateIsPassed,
    /// Full state: discarding a letter moves the cursor.
    DiscardedMakesStale,
    /// Full state: a redriven letter without a handler makes older events stale. The kit had this bug.
    IgnoredLetterMakesStale,
    /// A round with an unanswered message is repeated as a whole, so a broken queue stops all others. The kit had this bug.
    SuspendedStopsOthers,
    /// A suspended partition is never probed.
    NeverProbed,
    /// The last position counts messages that were never confirmed.
    PositionPastUnconfirmed,
    /// A position that stays unused is not in the log.
    UnusedNotLogged,
    /// Confirmed rows are deleted, but their messages are not in the log.
    DeleteWithoutLog,
    /// A relay that leads again gives out the positions that it remembers.
    PositionsNotReloaded,
    /// A request is answered to another subscriber.
    AnswerToAnother,
    /// A request whose answer is not confirmed stays the first one.
    AnswersWaitForBroken,
    /// The publisher denies positions that may have been published already.
    GrowingIsDenied,
    /// The last message of a slot is not sent again.
    NoReminder,
    /// A new leader sends the last messages again only after it has published something. The kit had this bug.
    NotRemindedAfterTakeover,
    /// Messages are published again for all subscribers.
    RepublishToAll,
    /// A consumer asks for missing messages only once.
    AskedOnce,
    /// The positions of unacknowledged messages are stored as received.
    OpenIsReceived,
    /// Messages that the publisher no longer has become no dead letter.
    LossNotReported,
    /// A message that the broker has dead-lettered is asked for again: processes die over it for ever. The kit had this bug.
    DeadLetteredIsMissing,
    /// The relay deletes without checking the epoch of its lease: positions are used twice.
    DeleteWithoutEpoch,
}

impl Bug {
    /// The bugs that break an invariant.
    pub(super) const HARMFUL: [Self; 65] = [
        Self::NumberWithoutLock,
        Self::DeleteBeforeConfirm,
        Self::DeleteUpToHighest,
        Self::ReadPastHighest,
        Self::NackedIsConfirmed,
        Self::ReturnedIsConfirmed,
        Self::UnansweredIsConfirmed,
        Self::ReturnOfAnother,
        Self::RelaysSkipLocked,
        Self::FollowersOvertakeNacked,
        Self::AcknowledgeBeforeCommit,
        Self::SkipCursor,
        Self::SkipGap,
        Self::RetryIsOvertaken,
        Self::TakeoverUnnoticed,
        Self::LetterWithoutCursor,
        Self::CursorWithoutLetter,
        Self::DeadLetterQueueDropped,
        Self::SettleIgnoresTheNext,
        Self::ResolvedIsRedriven,
        Self::AppliedIsRedriven,
        Self::RedriveMarkedLater,
        Self::FailedIsOvertaken,
        Self::UnblockedTooEarly,
        Self::RejectedCopyIgnored,
        Self::RevivalForgotten,
        Self::RevivedStaysDead,
        Self::UnknownIsIgnored,
        Self::UnknownIsOvertaken,
        Self::UnknownForgotten,
        Self::PresentIsLost,
        Self::LateIsDuplicate,
        Self::LateCountedTwice,
        Self::RetryNotChecked,
        Self::LeapNotMarked,
        Self::GivenUpByIndex,
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
        Self::SuspendedStopsOthers,
        Self::NeverProbed,
        Self::PositionPastUnconfirmed,
        Self::UnusedNotLogged,
        Self::DeleteWithoutLog,
        Self::PositionsNotReloaded,
        Self::AnswerToAnother,
        Self::AnswersWaitForBroken,
        Self::GrowingIsDenied,
        Self::NoReminder,
        Self::NotRemindedAfterTakeover,
        Self::RepublishToAll,
        Self::AskedOnce,
        Self::OpenIsReceived,
        Self::LossNotReported,
        Self::DeadLetteredIsMissing,
        Self::DeleteWithoutEpoch,
    ];
}
