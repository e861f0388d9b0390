//! Invariant 1: the outcomes of orders.

use crate::{error::Error, findings::Findings, sessions::Sessions};

/// Invariant 1: every accepted order has exactly one outcome or is still within its deadline.
pub(crate) async fn check_orders(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut order = sessions.of("order").await?;
    let count = order.number("select count(*) from orders").await?;
    findings.checked.insert("orders", count);
    // Deadlines are handled immediately: a delay of 30 seconds means that the worker is gone.
    let overdue: Vec<(String, String)> = order
        .rows("select id::text, status from orders where due_at < now() - interval '30 seconds'")
        .await?;
    findings.add(
        1,
        overdue
            .into_iter()
            .map(|(id, status)| format!("order {id} is still {status} after its deadline")),
    );
    let twice: Vec<(String, i64)> = order
        .rows(
            "select order_id::text, count(distinct status) from order_timeline
         where status in ('delivered', 'rejected', 'payment_failed', 'expired', 'cancelled')
         group by order_id having count(distinct status) > 1",
        )
        .await?;
    findings.add(
        1,
        twice.into_iter().map(|(id, outcomes)| format!("order {id} has {outcomes} outcomes")),
    );
    let inconsistent: Vec<(String, String)> = order.rows("select o.id::text, o.status from orders o
         where o.status is distinct from (
             select t.status from order_timeline t where t.order_id = o.id order by t.position desc limit 1
         )",
    )
    .await?;
    findings.add(
        1,
        inconsistent.into_iter().map(|(id, status)| {
            format!("order {id} is {status}, but the last status of its timeline differs")
        }),
    );
    let unpaid: Vec<(String, i64)> = order
        .rows(
            "select o.id::text, count(p.id) from orders o
         left join payment p on p.order_id = o.id and p.state = 'approved'
         where o.status in ('confirmed', 'shipped', 'delivered')
         group by o.id having count(p.id) <> 1",
        )
        .await?;
    findings.add(
        1,
        unpaid
            .into_iter()
            .map(|(id, payments)| format!("order {id} has {payments} approved payments")),
    );
    Ok(())
}
