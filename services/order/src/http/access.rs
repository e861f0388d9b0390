//! Whose orders a caller may see and move.

use messaging::Kit;
use problem::Problem;
use runtime::auth::{Caller, Scope};
use vocabulary::{CustomerId, OrderId};

use crate::{domain::Status, storage::orders};

/// 403 unless the caller may do what `scope` allows with the orders of some customer: what others own need not be told.
pub(super) fn require_some(caller: &Caller, scope: Scope) -> Result<(), Problem> {
    if caller.has(Scope::OrdersAdmin) { Ok(()) } else { caller.require(scope) }
}

/// 403 unless the caller may do what `scope` allows with the orders of `customer`.
pub(super) fn require_of(
    caller: &Caller,
    scope: Scope,
    customer: CustomerId,
) -> Result<(), Problem> {
    caller.require_own(scope, &customer.to_string(), Scope::OrdersAdmin)
}

/// 404: there is no such order.
pub(super) fn no_such(order: OrderId) -> Problem {
    Problem::not_found(format_args!("order {order}"))
}

/// Where an order stands, if the caller may read it; else 403 or 404.
pub(super) async fn readable(
    kit: &Kit,
    caller: &Caller,
    order: OrderId,
) -> Result<Status, Problem> {
    require_some(caller, Scope::OrdersRead)?;
    let head = orders::head(&mut *kit.pool().acquire().await?, order).await?;
    let (customer, status) = head.ok_or_else(|| no_such(order))?;
    require_of(caller, Scope::OrdersRead, customer)?;
    Ok(status)
}
