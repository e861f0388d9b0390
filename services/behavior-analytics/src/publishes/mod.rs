//! What this service says, one file per event: from the domain to the contract.

pub mod popularity_changed;
pub mod product_applied;
pub mod product_failed;
pub mod user_event;

use contracts::Slot;
use messaging::SLOT_GROUPS;
use vocabulary::ProductId;

/// The lane of receipts for a product. One consumer handles all products of a lane, so receipts for a product are said in
/// the order in which its events were handled.
fn lane_of(product: ProductId) -> String {
    (Slot::of(&product.to_string()).number() % SLOT_GROUPS).to_string()
}
