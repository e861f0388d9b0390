//! Dead letters: what could not be handled, kept with its reason, until somebody deals with it.
//!
//! They are read ([`list`], [`groups`], [`show`]), put right ([`edit`]), tried ([`dry_run()`]), sent again ([`redrive`],
//! [`redrive_many`]) and given up ([`discard`], [`discard_many`]).
//!
//! Whoever deals with letters locks the cursors of their keys first, in the order of the keys, and then the letters: as consumers
//! do, so that nobody waits for another in a circle. What is decided under these locks stands in `decisions`, without any I/O.
//!
//! Dealing with many needs no record of how far it has come: the state of each letter is the state of the work, and it
//! commits with the letter's effect. A process may die anywhere, and the next call finds what is left.

mod burying;
pub(crate) mod decisions;
mod desk;
mod discarding;
mod dry_run;
mod editing;
mod letter;
mod listing;
mod many;
mod redriving;

pub use discarding::{Discarded, discard, discard_many};
pub use dry_run::{DryRun, Outcome, SaidEvent, dry_run};
pub use editing::{NotEdited, edit};
pub use letter::{DeadLetter, Fit, Shown, show};
pub use listing::{Group, Selection, count_pending, exists, groups, list};
pub use many::Pace;
pub use redriving::{FailedAgain, Redriven, Unresolved, redrive, redrive_many};

pub(crate) use burying::{Burial, MISSING_PREDECESSOR, Unreadable, bury, bury_unreadable};
