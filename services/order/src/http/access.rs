//! Which orders a caller may read and change.

use std::time::Duration;

use messaging::{Outbox, Transaction};
use problem::Problem;
use runtime::auth::{Caller, Scope};
use vocabulary::{CustomerId, OrderId};

use crate::{
    app::order_process::{OrderProcess, OrderWatcher},
    domain::OrderStatus,
    storage::orders::{self, LockedOrder},
};

/// `Retry-After` while there are too many watchers.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// 403 unless the token carries `scope` or `orders:admin`. Checked before the order is read, so that a token without the
/// scope learns nothing about the order.
pub(super) fn require_scope(caller: &Caller, scope: Scope) -> Result<(), Problem> {
    if caller.has(Scope::OrdersAdmin) { Ok(()) } else { caller.require(scope) }
}

/// 403 unless the caller may use the orders of `customer` with `scope`.
pub(super) fn require_customer(
    caller: &Caller,
    scope: Scope,
    customer: CustomerId,
) -> Result<(), Problem> {
    caller.require_own(scope, &customer.to_string(), Scope::OrdersAdmin)
}

/// The order does not exist: 404 for `orders:admin`. All others get the same as for the order of another customer, so that
/// they do not learn which orders exist.
pub(super) fn no_such_order(caller: &Caller, order: OrderId) -> Problem {
    if caller.has(Scope::OrdersAdmin) {
        order_not_found(order)
    } else {
        Caller::not_yours(Scope::OrdersAdmin)
    }
}

/// 404 for an order.
pub(super) fn order_not_found(order: OrderId) -> Problem {
    Problem::not_found(format_args!("order {order}"))
}

/// The status of an order; 403 or 404 unless the caller may read it.
pub(super) async fn readable_status(
    outbox: &Outbox,
    caller: &Caller,
    order: OrderId,
) -> Result<OrderStatus, Problem> {
    require_scope(caller, Scope::OrdersRead)?;
    let mut connection = outbox.pool().acquire().await?;
    let found = orders::customer_and_status(&mut connection, order).await?;
    let (customer, status) = found.ok_or_else(|| no_such_order(caller, order))?;
    require_customer(caller, Scope::OrdersRead, customer)?;
    Ok(status)
}

/// Locks an order that the caller wants to change; 403 or 404 unless the caller may.
pub(super) async fn lock_own(
    tx: &mut Transaction,
    caller: &Caller,
    order: OrderId,
) -> Result<LockedOrder, Problem> {
    let locked = orders::lock_one(tx, order).await?;
    let locked = locked.ok_or_else(|| no_such_order(caller, order))?;
    require_customer(caller, Scope::OrdersWrite, locked.order.customer)?;
    Ok(locked)
}

/// Watches an order; 503 if there are too many watchers.
pub(super) fn watch(process: &OrderProcess, order: OrderId) -> Result<OrderWatcher, Problem> {
    process.watch(order).ok_or_else(|| {
        Problem::unavailable("too_many_watchers", RETRY_AFTER)
            .detail("Too many clients wait for changes of orders.")
    })
}
