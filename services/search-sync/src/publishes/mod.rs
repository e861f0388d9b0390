//! What this service says, one file per event: from the domain to the contract.

pub mod product_applied;
pub mod product_failed;

use uuid::Uuid;

/// How many lanes there are for receipts of products that are searchable.
const LANES: u8 = 4;

/// The lane of receipts for dead letters, which the consumers say and not a tail.
const LANE_OF_FAILURES: &str = "failed";

/// The lane of the receipts that one process says.
///
/// The numbers of a lane are given out under a lock, so two processes with the same lane wait for one another's commits.
/// Nothing is lost by spreading them: a receipt settles all versions before its own, so receipts need no order.
#[derive(Debug, Clone)]
pub struct Lane(String);

impl Lane {
    /// One of the lanes, at random.
    pub fn any() -> Self {
        let [first, ..] = *Uuid::new_v4().as_bytes();
        Self((first % LANES).to_string())
    }
}
