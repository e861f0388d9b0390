//! Repairs orders after the database of this service went back to an earlier state.

use std::time::Duration;

use contracts::order::ORDER;
use messaging::{Error, Transaction, reconcile::LostCommits};
use runtime::clock;
use uuid::Uuid;
use vocabulary::OrderId;

use crate::{
    domain::lost_reason,
    publishes::order_cancelled,
    storage::{lost_orders, orders},
};

/// How long the deadlines of an order wait that lost commits. Until then inventory has told what became of its stock, and an
/// operator has repeated what customers and providers did.
const RECOVERY_TIME: Duration = Duration::from_mins(10);

/// Cancels orders that no longer exist, so that other services release what they hold for them, and lists them for operators.
/// Orders that still exist continue after [`RECOVERY_TIME`].
pub(crate) async fn repair_lost_orders(
    tx: &mut Transaction,
    lost: &[LostCommits],
) -> Result<(), Error> {
    let of_orders = lost.iter().filter(|commits| commits.aggregate == ORDER);
    let ids: Vec<OrderId> =
        of_orders.filter_map(|commits| Some(commits.key.parse::<Uuid>().ok()?.into())).collect();
    let now = clock::now();
    let missing = lost_orders::missing(tx, &ids).await?;
    lost_orders::insert(tx, &missing, now).await?;
    for order in missing {
        tx.emit(&order_cancelled(order, &lost_reason(), now))?;
    }
    Ok(orders::postpone(tx, &ids, now + RECOVERY_TIME).await?)
}
