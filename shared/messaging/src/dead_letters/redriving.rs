//! Sending dead letters again: to the handler of their event, in a transaction that writes down that they are dealt with.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    slice::from_ref,
    time::Duration,
};

use serde::Serialize;
use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    decisions::{Again, Docket, plan},
    desk::{Deal, Desk, Wanted},
    listing::{Pick, Selection, count_selected},
    many::{Pace, Walk},
};
use crate::{
    Criticality, Error, Failure, Outbox, Subscription, Topology, Transaction,
    consumer::{
        core::{Incoming, Key, Step},
        handler::{Handed, hand},
        work::SLOW,
    },
    error::causes,
    failure::Verdict,
};

/// How many of the letters that failed again an answer names.
const NAMED: usize = 20;

/// How long the handler may take for many letters together, and for one of many alone: somebody waits for the answer, and consumers for the
/// keys. What rightly takes longer is sent again by itself.
const OF_MANY: Duration = Duration::from_secs(20);

/// How long a statement may take for them: a handler that is given up is rolled back behind its statement.
const STATEMENT_OF_MANY: &str = "set local statement_timeout = '10s'";

/// Why a dead letter was not dealt with.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// There is none of this id, or somebody has dealt with it already.
    #[error("there is no pending dead letter {0}")]
    NotPending(Uuid),
    /// What it holds cannot be handled again: it can only be discarded.
    #[error("the dead letter cannot be sent again: {0}")]
    NotRedrivable(&'static str),
    /// Its predecessor has still not come.
    #[error(
        "the event is number {sequence} of its key, and the last that took effect is number {last}"
    )]
    NotYet {
        /// The number of the dead letter.
        sequence: i64,
        /// The number of the last event that took effect.
        last: i64,
    },
    /// The handler failed again.
    #[error("the handler failed again: {}", .0.join(": "))]
    FailedAgain(Vec<String>),
    /// The database failed.
    #[error(transparent)]
    Messaging(#[from] Error),
}

/// What a call to [`redrive_many`] has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Redriven {
    /// How many are dealt with.
    pub redriven: u64,
    /// How many failed again. They are as they were.
    pub failed: u64,
    /// How many wait for another event or letter of their key.
    pub not_yet: u64,
    /// The first of those that failed, at most twenty.
    pub failures: Vec<FailedAgain>,
    /// How many of the selection are pending now, tried or not.
    pub left: i64,
    /// Where to go on: the `after` of the next call. None when all of the selection have been tried.
    pub next: Option<Uuid>,
}

/// A letter that failed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedAgain {
    /// The letter.
    pub id: Uuid,
    /// The errors, outermost first.
    pub causes: Vec<String>,
}

/// Hands a dead letter to its handler once more. It takes effect once, also when the process dies in the middle: that the
/// letter is dealt with commits together with the effect.
pub async fn redrive(outbox: &Outbox, topology: &Topology, id: Uuid) -> Result<(), Unresolved> {
    let picked = pending(&mut *outbox.pool().acquire().await.map_err(Error::from)?, id).await?;
    let again = Redrive::of(outbox, topology, &picked, false)?;
    match again.all(from_ref(&picked.wanted), None).await?.fates.remove(&id) {
        None => Err(Unresolved::NotPending(id)),
        Some(Fate::DealtWith) => Ok(()),
        Some(Fate::NotYet { sequence, last }) => Err(Unresolved::NotYet { sequence, last }),
        Some(Fate::Failed(causes)) => Err(Unresolved::FailedAgain(causes)),
    }
}

/// Hands all selected dead letters to their handlers once more, those of a key in the order of their numbers, as many of
/// different keys at a time as the pace allows. Each takes effect once, wherever the process dies.
///
/// It works for as long as the pace says, and is called again with `after` until [`Redriven::next`] is none. A call that is
/// never answered is simply made again: what it did is done.
pub async fn redrive_many(
    outbox: &Outbox,
    topology: &Topology,
    selection: &Selection,
    pace: Pace,
) -> Result<Redriven, Error> {
    let mut tally = Redriven::default();
    let mut walk = Walk::begin(pace);
    while let Some((last, wanted)) = walk.batch(outbox, selection).await? {
        let Tried { letters, fates } = match Redrive::of(outbox, topology, &last, true) {
            Ok(again) => again.all(&wanted, Some(pace.within)).await?,
            Err(refusal) => {
                let failed = |letter: &Wanted| (letter.id, Fate::Failed(causes(&refusal)));
                Tried { letters: wanted.len(), fates: wanted.iter().map(failed).collect() }
            }
        };
        // In the order in which they stand, so that those named are the first.
        for (id, fate) in
            wanted.iter().filter_map(|letter| Some((letter.id, fates.get(&letter.id)?)))
        {
            tally.count(id, fate);
        }
        if let Some(reached) = wanted[..letters].last().filter(|_| letters < wanted.len()) {
            walk.stop_at(reached.id);
            break;
        }
        // What the handlers say fills the outbox: while its events do not leave, whoever asks may go on later.
        if outbox.admit(Criticality::Deferrable).is_err() {
            break;
        }
    }
    tally.left = count_selected(&mut *outbox.pool().acquire().await?, selection).await?;
    tally.next = walk.next();
    Ok(tally)
}

impl Redriven {
    fn count(&mut self, id: Uuid, fate: &Fate) {
        match fate {
            Fate::DealtWith => self.redriven += 1,
            Fate::NotYet { .. } => self.not_yet += 1,
            Fate::Failed(causes) => {
                self.failed += 1;
                if self.failures.len() < NAMED {
                    self.failures.push(FailedAgain { id, causes: causes.clone() });
                }
            }
        }
    }
}

/// A pending letter that holds an event, as it is found by its id, not locked.
pub(super) async fn pending(connection: &mut PgConnection, id: Uuid) -> Result<Pick, Unresolved> {
    let row = sqlx::query!(
        "select consumer, aggregate, source, key from messaging.dead_letter where id = $1 and state = 'pending'",
        id,
    )
    .fetch_optional(connection)
    .await
    .map_err(Error::from)?;
    let row = row.ok_or(Unresolved::NotPending(id))?;
    match (row.aggregate, row.source, row.key) {
        (Some(aggregate), Some(source), Some(key)) => {
            let wanted = Wanted { id, key: (source, key) };
            Ok(Pick { consumer: row.consumer, aggregate, wanted })
        }
        _ => Err(Unresolved::NotRedrivable("it is no event")),
    }
}

/// What has become of a letter that was sent again.
#[derive(Debug)]
pub(super) enum Fate {
    /// It has taken effect, or had before.
    DealtWith,
    /// Something stands before it.
    NotYet { sequence: i64, last: i64 },
    /// Its handler failed.
    Failed(Vec<String>),
}

/// What came of sending letters again.
struct Tried {
    /// How many of them, from the first on; for the others there was no time.
    letters: usize,
    /// What has become of them; nothing of those that are not pending any more.
    fates: HashMap<Uuid, Fate>,
}

/// Letters that are known to fail, with the reasons.
type Failed = HashMap<Uuid, Vec<String>>;

/// How one attempt at some letters ended.
enum Attempt {
    /// Committed.
    Done(HashMap<Uuid, Fate>),
    /// Rolled back: these fail.
    Failed(Failed),
    /// Rolled back: one of them fails, and nobody knows which.
    Split,
    /// Rolled back: together they took too long.
    Apart,
}

/// Who sends letters of one consumer again.
pub(super) struct Redrive<'a> {
    outbox: &'a Outbox,
    subscription: &'a Subscription,
    consumer: &'a str,
    /// Whether they are many, or one of many.
    of_many: bool,
}

/// Letters under lock, decided about, their handlers run.
pub(super) struct Played<'a> {
    pub(super) desk: Desk<'a>,
    pub(super) decided: Vec<Again>,
    after: HashMap<Key, Docket>,
}

/// Why letters could not be played.
pub(super) enum NotPlayed {
    /// These fail.
    Failed(Failed),
    /// One of them fails, and nobody knows which.
    Split,
    /// Together they took too long.
    Apart,
    /// It is not about the letters.
    Messaging(Error),
}

impl From<Error> for NotPlayed {
    fn from(error: Error) -> Self {
        Self::Messaging(error)
    }
}

impl<'a> Redrive<'a> {
    /// For the consumer of this letter, if it still hears the letter's aggregate.
    pub(super) fn of(
        outbox: &'a Outbox,
        topology: &'a Topology,
        letter: &'a Pick,
        of_many: bool,
    ) -> Result<Self, Unresolved> {
        let hears = |subscription: &&Subscription| {
            subscription.consumer(topology.service()) == letter.consumer
                && subscription.aggregate() == letter.aggregate
        };
        let subscription = topology.subscriptions().iter().find(hears);
        let subscription =
            subscription.ok_or(Unresolved::NotRedrivable("nobody consumes it any more"))?;
        Ok(Self { outbox, subscription, consumer: &letter.consumer, of_many })
    }

    /// Sends letters again until each has met its fate, or for as long as `within` says if some have by then: all in one
    /// transaction if it goes well, else without those that fail, in halves, or one by one, and then as long again.
    async fn all(&self, wanted: &[Wanted], within: Option<Duration>) -> Result<Tried, Error> {
        let in_time = || within.map(|within| Instant::now() + within);
        let mut deadline = in_time();
        let mut fates = HashMap::with_capacity(wanted.len());
        let mut failed = Failed::new();
        let mut ranges: VecDeque<Range<usize>> = std::iter::once(0..wanted.len()).collect();
        while let Some(range) = ranges.pop_front() {
            let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if is_over && range.start > 0 {
                return Ok(Tried { letters: range.start, fates });
            }
            let began = Instant::now();
            match self.attempt(&wanted[range.clone()], &failed).await? {
                Attempt::Done(done) => fates.extend(done),
                Attempt::Failed(found) => {
                    failed.extend(found);
                    ranges.push_front(range);
                }
                Attempt::Split if began.elapsed() < SLOW => {
                    let middle = range.start + range.len() / 2;
                    ranges.push_front(middle..range.end);
                    ranges.push_front(range.start..middle);
                }
                Attempt::Split | Attempt::Apart => {
                    deadline = in_time();
                    for letter in range.rev() {
                        ranges.push_front(letter..letter + 1);
                    }
                }
            }
        }
        Ok(Tried { letters: wanted.len(), fates })
    }

    async fn attempt(&self, wanted: &[Wanted], failed: &Failed) -> Result<Attempt, Error> {
        let mut tx = self.outbox.begin().await?;
        let played = match self.play(&mut tx, wanted, failed).await {
            Ok(played) => played,
            Err(not_played) => {
                tx.rollback().await;
                return match not_played {
                    NotPlayed::Failed(found) => Ok(Attempt::Failed(found)),
                    NotPlayed::Split => Ok(Attempt::Split),
                    NotPlayed::Apart => Ok(Attempt::Apart),
                    NotPlayed::Messaging(error) => Err(error),
                };
            }
        };
        let fates = played.fates(failed);
        let dealt: Vec<Uuid> = played.dealt();
        if dealt.is_empty() {
            tx.rollback().await;
            return Ok(Attempt::Done(fates));
        }
        let Played { desk, after, .. } = played;
        let written = async {
            desk.close(&mut tx, after, &dealt, Deal::Redriven).await?;
            tx.commit_sound().await
        };
        match written.await {
            Ok(()) => {
                self.outbox.unparked().send_replace(());
                Ok(Attempt::Done(fates))
            }
            Err(error) if error.is_outage() => Err(error),
            // What the handlers said or left behind cannot be committed: one of the letters is to blame.
            Err(error) => match dealt[..] {
                [id] => Ok(Attempt::Failed(Failed::from([(id, causes(&error))]))),
                _ => Ok(Attempt::Split),
            },
        }
    }

    /// Locks letters, decides about them, and lets their handlers run in `tx`, which is left to the caller to commit or to roll
    /// back.
    pub(super) async fn play(
        &self,
        tx: &mut Transaction,
        wanted: &[Wanted],
        failed: &Failed,
    ) -> Result<Played<'a>, NotPlayed> {
        if self.of_many {
            sqlx::raw_sql(STATEMENT_OF_MANY).execute(&mut **tx).await.map_err(Error::from)?;
        }
        let desk = Desk::open(tx, self.consumer, self.subscription.aggregate(), wanted).await?;
        let mut after = desk.dockets.clone();
        let keys: Vec<Key> = desk.letters.iter().map(|letter| letter.incoming.key()).collect();
        let letters = keys.iter().zip(&desk.letters);
        let letters = letters.map(|(key, letter)| (key, letter.incoming.envelope.sequence));
        let has_failed = |index: usize| failed.contains_key(&desk.letters[index].id);
        let is_handled = |index: usize| self.handles(&desk.letters[index].incoming.envelope.kind);
        let decided = plan(&mut after, letters, has_failed, is_handled);
        let step = |(index, again): (usize, &Again)| {
            let takes_effect = *again == Again::Effect && is_handled(index);
            if takes_effect { Step::Apply } else { Step::Ignore }
        };
        let steps: Vec<Step> = decided.iter().enumerate().map(step).collect();
        let incoming: Vec<Incoming> =
            desk.letters.iter().map(|letter| letter.incoming.clone()).collect();
        let limit = self.subscription.limit();
        let limit = if self.of_many { limit.min(OF_MANY) } else { limit };
        match hand(self.subscription, tx, &incoming, &steps, limit).await {
            Handed::Done => Ok(Played { desk, decided, after }),
            Handed::Split(_) => Err(NotPlayed::Split),
            Handed::Late(_) => Err(NotPlayed::Apart),
            Handed::Failed(failures) => {
                let named =
                    failures.into_iter().map(|(index, failure)| (desk.letters[index].id, failure));
                Err(name(named))
            }
        }
    }

    /// Whether anybody handles the events of this type.
    pub(super) fn handles(&self, kind: &str) -> bool {
        self.subscription.handler(kind).is_some()
    }
}

impl Played<'_> {
    /// The letters that are dealt with once this is committed.
    fn dealt(&self) -> Vec<Uuid> {
        let decided = self.desk.letters.iter().zip(&self.decided);
        let dealt = decided.filter(|(_, again)| **again != Again::NotYet);
        dealt.map(|(letter, _)| letter.id).collect()
    }

    fn fates(&self, failed: &Failed) -> HashMap<Uuid, Fate> {
        let fate = |(letter, again): (&super::desk::Letter, &Again)| {
            let fate = match (failed.get(&letter.id), again) {
                (Some(causes), _) => Fate::Failed(causes.clone()),
                (None, Again::NotYet) => {
                    let docket = self.after.get(&letter.incoming.key());
                    let last = docket.map_or(0, |docket| docket.position.last);
                    Fate::NotYet { sequence: letter.incoming.envelope.sequence, last }
                }
                (None, Again::Effect | Again::Mark) => Fate::DealtWith,
            };
            (letter.id, fate)
        };
        self.desk.letters.iter().zip(&self.decided).map(fate).collect()
    }
}

/// The failures of single letters, unless one of them is not about the letter at all.
fn name(failures: impl Iterator<Item = (Uuid, Failure)>) -> NotPlayed {
    let mut failed = Failed::new();
    for (id, failure) in failures {
        if failure.verdict == Verdict::Unavailable {
            return NotPlayed::Messaging(Error::Unavailable(failure.cause));
        }
        failed.insert(id, causes(&*failure.cause));
    }
    NotPlayed::Failed(failed)
}
