//! Returns. A transaction that writes a return has locked its order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{CustomerId, Money, OrderId, Quantity, ReturnId, Sku, WarehouseId};

use super::{MissingColumn, optional_money, undecodable};
use crate::domain::{OrderNumber, OrderReturn, ReturnLine, ReturnState};

/// Inserts a return that was requested.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    new: &OrderReturn,
) -> Result<(), sqlx::Error> {
    let skus: Vec<&str> = new.lines.iter().map(|line| line.sku.as_str()).collect();
    let quantities: Vec<i32> = new.lines.iter().map(|line| stored(line.quantity.get())).collect();
    let reasons: Vec<&str> = new.lines.iter().map(|line| line.reason.as_str()).collect();
    sqlx::query!(
        r#"
        with made as (
            insert into order_return (id, order_id, state, requested_at) values ($1, $2, 'requested', $3)
        )
        insert into return_line (return_id, sku, quantity, reason)
        select $1, sku, quantity, reason from unnest($4::text[], $5::integer[], $6::text[]) as new (sku, quantity, reason)
        "#,
        new.id.as_uuid(),
        new.order.as_uuid(),
        new.requested_at,
        &skus as &[&str],
        &quantities,
        &reasons as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the decision about a return, and counts the pieces that came back in the lines of the order.
pub(crate) async fn decide(
    connection: &mut PgConnection,
    decided: &OrderReturn,
) -> Result<(), sqlx::Error> {
    let (at, warehouse, refusal) = match decided.state {
        ReturnState::Requested => return Ok(()),
        ReturnState::Received { at, warehouse } => (at, warehouse, None),
        ReturnState::Refused { at, refusal } => (at, None, Some(refusal.as_str())),
    };
    let skus: Vec<&str> = decided.lines.iter().map(|line| line.sku.as_str()).collect();
    let restocked: Vec<i32> = decided.lines.iter().map(|line| stored(line.restocked)).collect();
    let written_off: Vec<i32> = decided.lines.iter().map(|line| stored(line.written_off)).collect();
    sqlx::query!(
        r#"
        with decided as (
            update order_return set state = $3, decided_at = $4, warehouse_id = $5, refusal = $6
            where id = $1 and state = 'requested'
        ), arrived as (
            select * from unnest($7::text[], $8::integer[], $9::integer[]) as a (sku, restocked, written_off)
        ), counted as (
            update order_line l set returned = l.returned + a.restocked + a.written_off
            from arrived a
            where l.order_id = $2 and l.sku = a.sku and a.restocked + a.written_off > 0
        )
        update return_line l set restocked = a.restocked, written_off = a.written_off
        from arrived a
        where l.return_id = $1 and l.sku = a.sku
        "#,
        decided.id.as_uuid(),
        decided.order.as_uuid(),
        decided.state.as_str(),
        at,
        warehouse.map(WarehouseId::as_uuid),
        refusal,
        &skus as &[&str],
        &restocked,
        &written_off,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A quantity as it is stored.
fn stored(pieces: u32) -> i32 {
    i32::try_from(pieces).unwrap_or(i32::MAX)
}

/// A return with what is paid back for it.
#[derive(Debug, Clone)]
pub(crate) struct ReturnView {
    pub(crate) order_return: OrderReturn,
    /// `None` until it is received, and if nothing was paid for the pieces.
    pub(crate) refund: Option<RefundView>,
}

#[derive(Debug, Clone)]
pub(crate) struct RefundView {
    pub(crate) amount: Money,
    /// When it was made; `None` while the payment provider is asked for it.
    pub(crate) refunded_at: Option<DateTime<Utc>>,
}

/// The returns of an order, oldest first.
pub(crate) async fn of_order(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<ReturnView>, sqlx::Error> {
    read(connection, order, None).await
}

/// A return of an order, if it exists.
pub(crate) async fn get(
    connection: &mut PgConnection,
    order: OrderId,
    id: ReturnId,
) -> Result<Option<ReturnView>, sqlx::Error> {
    Ok(read(connection, order, Some(id)).await?.pop())
}

/// The order of a return and its customer, if the return exists.
pub(crate) async fn order_and_customer(
    connection: &mut PgConnection,
    id: ReturnId,
) -> Result<Option<(OrderId, CustomerId)>, sqlx::Error> {
    let row = sqlx::query!(
        "select o.id, o.customer_id from order_return r join orders o on o.id = r.order_id where r.id = $1",
        id.as_uuid(),
    );
    let row = row.fetch_optional(connection).await?;
    Ok(row.map(|row| (row.id.into(), row.customer_id.into())))
}

async fn read(
    connection: &mut PgConnection,
    order: OrderId,
    only: Option<ReturnId>,
) -> Result<Vec<ReturnView>, sqlx::Error> {
    let rows = sqlx::query_as!(
        ReturnRow,
        r#"
        select r.id, r.order_id, r.state, r.requested_at, r.decided_at, r.refusal, r.warehouse_id,
            f.amount as "amount?", f.currency as "currency?", f.refunded_at as "refunded_at?"
        from order_return r
        left join order_refund f on f.id = r.id
        where r.order_id = $1 and ($2::uuid is null or r.id = $2)
        order by r.id
        "#,
        order.as_uuid(),
        only.map(ReturnId::as_uuid),
    )
    .fetch_all(&mut *connection)
    .await?;
    views(connection, rows).await
}

/// Which returns to list. `None` means any.
#[derive(Debug, Clone)]
pub(crate) struct ReturnFilter {
    /// As in the database.
    pub(crate) state: &'static str,
    pub(crate) order_number: Option<OrderNumber>,
    /// Only returns with a line of this SKU.
    pub(crate) sku: Option<Sku>,
    /// Only returns that were requested after this one.
    pub(crate) after: Option<ReturnId>,
}

/// At most `limit` returns, oldest first. The ids of returns are ordered by time.
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &ReturnFilter,
    limit: i64,
) -> Result<Vec<ReturnView>, sqlx::Error> {
    let rows = sqlx::query_as!(
        ReturnRow,
        r#"
        select r.id, r.order_id, r.state, r.requested_at, r.decided_at, r.refusal, r.warehouse_id,
            f.amount as "amount?", f.currency as "currency?", f.refunded_at as "refunded_at?"
        from order_return r
        left join order_refund f on f.id = r.id
        where r.state = $1 and r.id > $2
            and ($3::bigint is null or r.order_id in (select id from orders where order_number(id) = $3))
            and ($4::text is null or exists (select from return_line l where l.return_id = r.id and l.sku = $4))
        order by r.id limit $5
        "#,
        filter.state,
        filter.after.map_or(Uuid::nil(), ReturnId::as_uuid),
        filter.order_number.map(OrderNumber::without_check_digit),
        filter.sku.as_ref().map(Sku::as_str),
        limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    views(connection, rows).await
}

/// The columns of a return and of its refund.
struct ReturnRow {
    id: Uuid,
    order_id: Uuid,
    state: String,
    requested_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    refusal: Option<String>,
    warehouse_id: Option<Uuid>,
    amount: Option<i64>,
    currency: Option<String>,
    refunded_at: Option<DateTime<Utc>>,
}

async fn views(
    connection: &mut PgConnection,
    rows: Vec<ReturnRow>,
) -> Result<Vec<ReturnView>, sqlx::Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut lines = lines_of(connection, &ids).await?;
    let views = rows.into_iter().map(|row| {
        let decided_at = || row.decided_at.ok_or_else(|| undecodable(MissingColumn("decided_at")));
        let state = match row.state.as_str() {
            "received" => {
                let warehouse = row.warehouse_id.map(WarehouseId::from);
                ReturnState::Received { at: decided_at()?, warehouse }
            }
            "refused" => {
                let refusal = row.refusal.as_deref().unwrap_or_default();
                let refusal = refusal.parse().map_err(undecodable)?;
                ReturnState::Refused { at: decided_at()?, refusal }
            }
            _ => ReturnState::Requested,
        };
        let order_return = OrderReturn {
            id: row.id.into(),
            order: row.order_id.into(),
            lines: lines.remove(&row.id).unwrap_or_default(),
            requested_at: row.requested_at,
            state,
        };
        let amount = optional_money(row.amount, row.currency.as_deref())?;
        let refund = amount.map(|amount| RefundView { amount, refunded_at: row.refunded_at });
        Ok(ReturnView { order_return, refund })
    });
    views.collect()
}

async fn lines_of(
    connection: &mut PgConnection,
    returns: &[Uuid],
) -> Result<HashMap<Uuid, Vec<ReturnLine>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select return_id, sku, quantity, reason, restocked, written_off
        from return_line where return_id = any($1)
        order by return_id, sku collate "C"
        "#,
        returns,
    )
    .fetch_all(connection)
    .await?;
    let mut lines: HashMap<Uuid, Vec<ReturnLine>> = HashMap::new();
    for row in rows {
        let line = ReturnLine {
            sku: row.sku.try_into().map_err(undecodable)?,
            quantity: Quantity::try_from(i64::from(row.quantity)).map_err(undecodable)?,
            reason: row.reason.parse().map_err(undecodable)?,
            restocked: u32::try_from(row.restocked).map_err(undecodable)?,
            written_off: u32::try_from(row.written_off).map_err(undecodable)?,
        };
        lines.entry(row.return_id).or_default().push(line);
    }
    Ok(lines)
}
