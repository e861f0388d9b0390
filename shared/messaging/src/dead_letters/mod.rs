//! Administration of dead letters: events that could not be processed, stored with the reason until an operator resolves them.
//!
//! Operators read them ([`list()`], [`groups`], [`show()`]), correct their data ([`edit()`]), test them ([`dry_run()`]), redrive them
//! ([`redrive()`], [`redrive_many`]) and discard them ([`discard()`], [`discard_many`]). If an event waits for one that never arrives,
//! they declare that one lost ([`declare_lost()`]).
//!
//! Every operation locks the cursors of the keys first, in key order, and then the letters: the lock order of a queue's consumer, so
//! they do not deadlock. A retry locks its parked event before the cursor. If an operation deletes this event at the same time,
//! PostgreSQL aborts one of the two, and it is repeated. The decisions under these locks are in `plan`, without I/O.
//!
//! Operations on many letters record no progress of their own: the state of each letter is the progress, and it commits with the
//! effect. A process may die at any point, and the next call continues with the remaining letters.

mod declare_lost;
mod details;
mod discard;
mod dry_run;
mod edit;
mod list;
pub(crate) mod locked_batch;
mod pace;
pub(crate) mod plan;
mod redrive;

pub use declare_lost::{
    Declaration, DeclareLostError, LostEvents, MAX_REASON, MissingEvents, declare_lost, lost_events,
};
pub use details::{DeadLetter, DeadLetterDetails, SchemaCheck, show};
pub use discard::{DiscardReport, discard, discard_many};
pub use dry_run::{DryRun, DryRunOutcome, EmittedEvent, dry_run};
pub use edit::{EditError, edit};
pub use list::{DeadLetterGroup, Selection, count_pending, exists, groups, list};
pub use pace::Pace;
pub use redrive::{RedriveFailure, RedriveReport, ResolveError, redrive, redrive_many};
