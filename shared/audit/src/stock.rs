//! Invariants 2 and 3: stock, its ledger, and reservations.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::Error,
    findings::Findings,
    sessions::{Session, Sessions},
};

/// Invariant 2: stock equals the sum of its ledger, and deducted quantities equal shipped ones.
pub(crate) async fn check_stock(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut inventory = sessions.of("inventory").await?;
    let count = inventory.number("select count(*) from stock").await?;
    findings.checked.insert("stock_rows", count);
    let wrong: Vec<(String, i64, i64)> =
        inventory.rows("select sku, on_hand, on_hand_by_ledger from ledger_discrepancy").await?;
    findings.add(
        2,
        wrong.into_iter().map(|(sku, on_hand, ledger)| {
            format!("{sku}: {on_hand} on hand, {ledger} in the ledger")
        }),
    );
    let oversold: Vec<(String, i64, i64)> = inventory
        .rows("select sku, on_hand, reserved from stock where reserved < 0 or reserved > on_hand")
        .await?;
    findings.add(
        2,
        oversold.into_iter().map(|(sku, on_hand, reserved)| {
            format!("{sku}: {reserved} reserved, {on_hand} on hand")
        }),
    );
    let deducted = "select order_id::text, sku, -sum(on_hand_delta)::bigint from ledger
        where kind = 'deducted' group by order_id, sku";
    let deducted = quantities(&mut inventory, deducted).await?;
    let mut order = sessions.of("order").await?;
    // Of an order that is partly shipped only the parcels that a carrier has.
    let shipped = "select o.id::text, l.sku, sum(l.quantity - l.cancelled)::bigint
        from order_line l join orders o on o.id = l.order_id
        where o.status in ('shipped', 'delivered', 'returned') group by o.id, l.sku
        union all
        select o.id::text, line ->> 'sku', sum((line ->> 'quantity')::bigint)::bigint
        from orders o, jsonb_array_elements(o.parcels) parcel, jsonb_array_elements(parcel -> 'lines') line
        where o.status = 'confirmed' and parcel ->> 'status' in ('shipped', 'delivered')
        group by o.id, line ->> 'sku'";
    let shipped = quantities(&mut order, shipped).await?;
    let lost = lost_orders(&mut order).await?;
    for subject in deducted.keys().chain(shipped.keys()).collect::<BTreeSet<_>>() {
        let of = |quantities: &Quantities| quantities.get(subject).copied().unwrap_or(0);
        let (id, sku) = subject;
        let is_listed = lost.get(id).is_some_and(|stock| stock == "deducted");
        if of(&deducted) != of(&shipped) && !is_listed {
            let (shipped, deducted) = (of(&shipped), of(&deducted));
            findings.add(2, [format!("order {id}, {sku}: {shipped} shipped, {deducted} deducted")]);
        }
    }
    check_returned_stock(sessions, findings).await
}

/// Invariant 2: the pieces that came back are those of the returns that the order service has recorded, also those that were written off.
async fn check_returned_stock(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut inventory = sessions.of("inventory").await?;
    let returned = "select order_id::text, sku, sum(on_hand_delta)::bigint from ledger
        where kind = 'returned' group by order_id, sku";
    let written_off = "select order_id::text, sku, -sum(on_hand_delta)::bigint from ledger
        where kind = 'written_off' group by order_id, sku";
    let in_ledger = [
        quantities(&mut inventory, returned).await?,
        quantities(&mut inventory, written_off).await?,
    ];
    let mut order = sessions.of("order").await?;
    let returned = "select r.order_id::text, l.sku, sum(l.restocked + l.written_off)::bigint
        from order_return r join return_line l on l.return_id = r.id
        where l.restocked + l.written_off > 0 group by r.order_id, l.sku";
    let written_off = "select r.order_id::text, l.sku, sum(l.written_off)::bigint
        from order_return r join return_line l on l.return_id = r.id
        where l.written_off > 0 group by r.order_id, l.sku";
    let recorded =
        [quantities(&mut order, returned).await?, quantities(&mut order, written_off).await?];
    for ((ledger, recorded), name) in
        in_ledger.iter().zip(&recorded).zip(["returned", "written off"])
    {
        for subject in ledger.keys().chain(recorded.keys()).collect::<BTreeSet<_>>() {
            let of = |quantities: &Quantities| quantities.get(subject).copied().unwrap_or(0);
            let (id, sku) = subject;
            if of(ledger) != of(recorded) {
                let (ledger, recorded) = (of(ledger), of(recorded));
                findings.add(
                    2,
                    [format!("order {id}, {sku}: {recorded} {name}, {ledger} in the ledger")],
                );
            }
        }
    }
    Ok(())
}

/// The orders that the order service has listed for operators, because its database went back, each with what became of its stock.
async fn lost_orders(order: &mut Session<'_>) -> Result<BTreeMap<String, String>, Error> {
    let lost = "select order_id::text, coalesce(stock, 'unknown') from lost_order";
    Ok(order.rows::<(String, String)>(lost).await?.into_iter().collect())
}

/// Quantities by order and SKU.
type Quantities = BTreeMap<(String, String), i64>;

async fn quantities(session: &mut Session<'_>, query: &str) -> Result<Quantities, Error> {
    let rows: Vec<(Option<String>, String, i64)> = session.rows(query).await?;
    let keyed = rows.into_iter().map(|(order, sku, sum)| ((order.unwrap_or_default(), sku), sum));
    Ok(keyed.collect())
}

/// Invariant 3: inventory holds for each order that is not shipped the pieces that were ordered and not cancelled.
pub(crate) async fn check_held_pieces(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut inventory = sessions.of("inventory").await?;
    let held = "select l.order_id::text, l.sku, sum(l.quantity)::bigint from reservation_line l
        join reservation r on r.order_id = l.order_id and r.state = 'reserved' group by l.order_id, l.sku";
    let held = quantities(&mut inventory, held).await?;
    let mut order = sessions.of("order").await?;
    let meant = "select o.id::text, l.sku, (l.quantity - l.cancelled - coalesce((
            select sum((line ->> 'quantity')::bigint)
            from jsonb_array_elements(o.parcels) parcel, jsonb_array_elements(parcel -> 'lines') line
            where parcel ->> 'status' in ('shipped', 'delivered') and line ->> 'sku' = l.sku
        ), 0))::bigint
        from orders o join order_line l on l.order_id = o.id where o.status in ('reserved', 'confirmed')";
    let meant = quantities(&mut order, meant).await?;
    for (subject, meant) in &meant {
        let held = held.get(subject).copied().unwrap_or(0);
        if held != *meant {
            let (id, sku) = subject;
            findings.add(3, [format!("order {id}, {sku}: {held} held, {meant} ordered")]);
        }
    }
    Ok(())
}

/// Invariant 3: every reservation belongs to an open order, or has been released or deducted. What was deducted for a lost order is
/// listed for an operator.
pub(crate) async fn check_reservations(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut inventory = sessions.of("inventory").await?;
    let wrong: Vec<(String, i64, i64)> = inventory
        .rows("select sku, reserved, reserved_by_orders from reservation_discrepancy")
        .await?;
    findings.add(
        3,
        wrong.into_iter().map(|(sku, reserved, orders)| {
            format!("{sku}: {reserved} reserved, {orders} of them for orders")
        }),
    );
    let reservations: BTreeMap<String, String> = inventory
        .rows::<(String, String)>("select order_id::text, state from reservation")
        .await?
        .into_iter()
        .collect();
    findings.checked.insert("reservations", i64::try_from(reservations.len()).unwrap_or(i64::MAX));
    let mut order = sessions.of("order").await?;
    let orders: BTreeMap<String, String> = order
        .rows::<(String, String)>("select id::text, status from orders")
        .await?
        .into_iter()
        .collect();
    let lost = lost_orders(&mut order).await?;
    let shipped = lost.values().filter(|stock| *stock == "deducted").count();
    for (name, count) in [("lost_orders", lost.len()), ("lost_orders_shipped", shipped)] {
        findings.checked.insert(name, i64::try_from(count).unwrap_or(i64::MAX));
    }
    let is_listed = |id: &str| lost.get(id).is_some_and(|stock| stock == "deducted");
    for (id, status) in &orders {
        let state = reservations.get(id).map(String::as_str);
        let is_consistent = match status.as_str() {
            "placed" => matches!(state, None | Some("reserved")),
            "reserved" | "confirmed" => state == Some("reserved"),
            "shipped" | "delivered" | "returned" => state == Some("deducted"),
            _ => matches!(state, None | Some("released")),
        };
        let is_for_operator = state == Some("deducted") && is_listed(id);
        if !is_consistent && !is_for_operator {
            findings.add(
                3,
                [format!(
                    "order {id} is {status}, its reservation is {}",
                    state.unwrap_or("missing")
                )],
            );
        }
    }
    for (id, state) in reservations.iter().filter(|(id, _)| !orders.contains_key(*id)) {
        let is_settled = match state.as_str() {
            "released" => lost.contains_key(id),
            "deducted" => is_listed(id),
            _ => false,
        };
        if !is_settled {
            findings.add(3, [format!("{state} for order {id}, which does not exist")]);
        }
    }
    Ok(())
}
