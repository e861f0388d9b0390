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
         where o.status in ('confirmed', 'shipped', 'delivered', 'returned')
         group by o.id having count(p.id) <> 1",
        )
        .await?;
    findings.add(
        1,
        unpaid
            .into_iter()
            .map(|(id, payments)| format!("order {id} has {payments} approved payments")),
    );
    check_costs(sessions, findings).await?;
    check_money(sessions, findings).await?;
    check_returns(sessions, findings).await?;
    check_cancelled_lines(sessions, findings).await?;
    check_refunds(sessions, findings).await
}

/// Invariant 1: the costs of an order add up to its total, and its lines to its goods.
async fn check_costs(sessions: &mut Sessions<'_>, findings: &mut Findings) -> Result<(), Error> {
    let mut order = sessions.of("order").await?;
    let wrong: Vec<(String, i64, i64)> = order
        .rows(
            "select o.id::text, o.total, c.goods - c.discounts + c.shipping + c.added_tax from orders o
         cross join lateral (
             select coalesce((o.costs ->> 'goods')::bigint, o.total) as goods,
                 coalesce((
                     select sum((d ->> 'amount')::bigint)::bigint from jsonb_array_elements(o.costs -> 'discounts') d
                 ), 0) as discounts,
                 coalesce((o.costs ->> 'shipping')::bigint, 0) as shipping,
                 case when o.costs -> 'tax' ->> 'mode' = 'added' then (o.costs -> 'tax' ->> 'amount')::bigint else 0 end
                     as added_tax
         ) c
         where o.total <> c.goods - c.discounts + c.shipping + c.added_tax",
        )
        .await?;
    let wrong = wrong.into_iter();
    findings.add(
        1,
        wrong.map(|(id, total, costs)| {
            format!("the total of order {id} is {total}, its costs are {costs}")
        }),
    );
    let wrong: Vec<(String, i64, i64)> = order
        .rows(
            "select o.id::text, coalesce((o.costs ->> 'goods')::bigint, o.total), sum(l.quantity * l.unit_price)::bigint
         from orders o join order_line l on l.order_id = o.id
         where o.total is not null
         group by o.id
         having coalesce((o.costs ->> 'goods')::bigint, o.total) <> sum(l.quantity * l.unit_price)",
        )
        .await?;
    let wrong = wrong.into_iter();
    findings.add(
        1,
        wrong.map(|(id, goods, lines)| {
            format!("the goods of order {id} cost {goods}, its lines {lines}")
        }),
    );
    Ok(())
}

/// Invariant 1: the money that moved for an order is what its status tells: its total, if it is paid and not cancelled, without what was
/// paid back for returns.
async fn check_money(sessions: &mut Sessions<'_>, findings: &mut Findings) -> Result<(), Error> {
    let mut order = sessions.of("order").await?;
    let count = order.number("select count(*) from order_money").await?;
    let wrong: Vec<(String, String, i64, i64)> = order
        .rows(
            "select o.id::text, o.status, coalesce(m.balance, 0), e.expected from orders o
         left join (
             select order_id, sum(amount)::bigint as balance from order_money where kind <> 'unmatched' group by order_id
         ) m on m.order_id = o.id
         cross join lateral (
             select case when o.status in ('confirmed', 'shipped', 'delivered', 'returned') then o.total - coalesce((
                     select sum(r.amount)::bigint from order_refund r where r.order_id = o.id and r.state = 'refunded'
                 ), 0)
                 else coalesce((
                     select sum(r.amount)::bigint from order_refund r where r.order_id = o.id and r.state = 'pending'
                 ), 0)
             end + coalesce((
                 select sum(p.amount - coalesce((select sum(r.amount) from order_refund r where r.payment_id = p.id), 0))::bigint
                 from payment p where p.order_id = o.id and p.state = 'refund_pending'
             ), 0) as expected
         ) e
         where coalesce(m.balance, 0) <> e.expected",
        )
        .await?;
    let wrong = wrong.into_iter();
    findings.add(
        1,
        wrong.map(|(id, status, balance, expected)| {
            format!("order {id} is {status} with a balance of {balance}, not {expected}")
        }),
    );
    findings.checked.insert("money_entries", count);
    Ok(())
}

/// Invariant 1: no more pieces come back than were shipped, and the lines of an order count those that came.
async fn check_returns(sessions: &mut Sessions<'_>, findings: &mut Findings) -> Result<(), Error> {
    let mut order = sessions.of("order").await?;
    let count = order.number("select count(*) from order_return").await?;
    findings.checked.insert("returns", count);
    let wrong: Vec<(String, String, i64, i64, i64, i64)> = order
        .rows(
            "with back as (
             select r.order_id, l.sku, sum(l.restocked + l.written_off)::bigint as received,
                 coalesce(sum(l.quantity) filter (where r.state = 'requested'), 0)::bigint as announced
             from order_return r join return_line l on l.return_id = r.id
             group by r.order_id, l.sku
         ), line as (
             select l.order_id, l.sku, l.returned::bigint as returned, coalesce(b.received, 0) as received,
                 coalesce(b.announced, 0) as announced,
                 case
                     when o.status in ('shipped', 'delivered', 'returned') then (l.quantity - l.cancelled)::bigint
                     when o.status = 'confirmed' then coalesce((
                         select sum((part ->> 'quantity')::bigint)::bigint
                         from jsonb_array_elements(o.parcels) parcel, jsonb_array_elements(parcel -> 'lines') part
                         where parcel ->> 'status' in ('shipped', 'delivered') and part ->> 'sku' = l.sku
                     ), 0)
                     else 0
                 end as shipped
             from back b
             full join (select * from order_line where returned > 0) counted using (order_id, sku)
             join order_line l on l.order_id = coalesce(b.order_id, counted.order_id) and l.sku = coalesce(b.sku, counted.sku)
             join orders o on o.id = l.order_id
         )
         select order_id::text, sku, returned, received, announced, shipped from line
         where returned <> received or returned + announced > shipped",
        )
        .await?;
    findings.add(
        1,
        wrong.into_iter().map(|(id, sku, returned, received, announced, shipped)| {
            format!("order {id}, {sku}: {returned} returned, {received} received, {announced} announced, {shipped} shipped")
        }),
    );
    Ok(())
}

/// Invariant 1: the lines of an order count the pieces that were cancelled.
async fn check_cancelled_lines(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut order = sessions.of("order").await?;
    let wrong: Vec<(String, String, i64, i64)> = order
        .rows(
            "select coalesce(l.order_id, c.order_id)::text, coalesce(l.sku, c.sku), coalesce(l.cancelled, 0)::bigint,
             coalesce(c.pieces, 0)
         from (select order_id, sku, cancelled from order_line where cancelled > 0) l
         full join (
             select order_id, sku, sum(quantity)::bigint as pieces from line_cancellation group by order_id, sku
         ) c on c.order_id = l.order_id and c.sku = l.sku
         where coalesce(l.cancelled, 0) <> coalesce(c.pieces, 0)",
        )
        .await?;
    findings.add(
        1,
        wrong.into_iter().map(|(id, sku, counted, recorded)| {
            format!("order {id}, {sku}: {counted} cancelled, {recorded} recorded")
        }),
    );
    Ok(())
}

/// Invariant 1: what is paid back for the returns of an order is no more than was paid, and everything if all pieces came back. Each
/// refund belongs to a return that was received, and is made or asked for.
async fn check_refunds(sessions: &mut Sessions<'_>, findings: &mut Findings) -> Result<(), Error> {
    let mut order = sessions.of("order").await?;
    let wrong: Vec<(String, String, i64, i64)> = order
        .rows(
            "select o.id::text, o.status, o.total, coalesce(sum(r.amount), 0)::bigint from orders o
         left join order_refund r on r.order_id = o.id
         where o.status = 'returned' or r.id is not null
         group by o.id
         having coalesce(sum(r.amount), 0) > o.total or o.status = 'returned' and coalesce(sum(r.amount), 0) <> o.total",
        )
        .await?;
    findings.add(
        1,
        wrong.into_iter().map(|(id, status, total, refunds)| {
            format!("order {id} is {status} with refunds of {refunds} of {total}")
        }),
    );
    let stray: Vec<(String, String)> = order
        .rows(
            "select f.id::text, f.state from order_refund f
         where not exists (select from order_return r where r.id = f.id and r.order_id = f.order_id and r.state = 'received')
             and not exists (select from line_cancellation c where c.id = f.id and c.order_id = f.order_id)
             or f.state = 'pending' and not exists (
                 select from provider_request q where q.refund_id = f.id and q.operation = 'refund' and q.state <> 'done'
             )",
        )
        .await?;
    findings.add(
        1,
        stray.into_iter().map(|(id, state)| {
            format!("the refund {id} is {state} without a received return, a cancelled line or a request")
        }),
    );
    Ok(())
}
