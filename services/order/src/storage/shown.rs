//! Orders as their owners read them.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;
use vocabulary::{CustomerId, Money, OrderId};

use super::{optional_money, orders::lines_of, undecodable};
use crate::domain::{Address, Line, Method, Order, Reason, Status};

/// An order with all that is to be seen of it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) status: Status,
    pub(crate) method: Method,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Option<Money>,
    pub(crate) reason: Option<Reason>,
    pub(crate) address: Address,
    /// What became of the payment that counts: `approved`, `declined`, `refunded`; nothing if there was none.
    pub(crate) payment: Option<String>,
    pub(crate) shipment: Option<Shipment>,
    pub(crate) placed_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
    pub(crate) due_at: Option<DateTime<Utc>>,
}

impl Shown {
    /// An order that is being placed, as it will be read.
    pub(crate) fn just_placed(order: &Order, address: &Address) -> Self {
        Self {
            id: order.id,
            customer: order.customer,
            status: order.status(),
            method: order.method,
            lines: order.lines.clone(),
            total: order.total,
            reason: None,
            address: address.clone(),
            payment: None,
            shipment: None,
            placed_at: order.placed_at,
            changed_at: order.placed_at,
            due_at: order.state.due(),
        }
    }
}

/// The parcel of an order.
#[derive(Debug, Clone)]
pub(crate) struct Shipment {
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    pub(crate) shipped_at: DateTime<Utc>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

/// One order, if it exists.
pub(crate) async fn one(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<Shown>, sqlx::Error> {
    Ok(many(connection, &[order.as_uuid()]).await?.pop())
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Selection {
    /// Orders of this customer only.
    pub(crate) customer: Option<CustomerId>,
    /// Orders that stand there only.
    pub(crate) status: Option<Status>,
    /// Orders placed before this one only.
    pub(crate) before: Option<OrderId>,
}

/// The newest `limit` orders of a selection, newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    selection: Selection,
    limit: i64,
) -> Result<Vec<Shown>, sqlx::Error> {
    // The largest UUID stands before everything.
    let before = selection.before.map_or(Uuid::max(), OrderId::as_uuid);
    let status = selection.status.map(Status::as_str);
    // Each shape is a statement of its own, so that each is planned for the index that it needs.
    let ids = match (selection.customer, status) {
        (Some(customer), status) => {
            sqlx::query_scalar!(
                r#"
                select id from orders where customer_id = $1 and id < $2 and ($3::text is null or status = $3)
                order by id desc limit $4
                "#,
                customer.as_uuid(),
                before,
                status,
                limit,
            )
            .fetch_all(&mut *connection)
            .await?
        }
        (None, Some(status)) => {
            sqlx::query_scalar!(
                "select id from orders where status = $1 and id < $2 order by id desc limit $3",
                status,
                before,
                limit,
            )
            .fetch_all(&mut *connection)
            .await?
        }
        (None, None) => {
            sqlx::query_scalar!("select id from orders where id < $1 order by id desc limit $2", before, limit)
                .fetch_all(&mut *connection)
                .await?
        }
    };
    many(connection, &ids).await
}

async fn many(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Shown>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select o.id, o.customer_id, o.status, o.method, o.total, o.currency, o.reason as "reason: Json<Reason>",
            o.shipping_address as "address: Json<Address>", o.placed_at, o.changed_at, o.due_at,
            s.carrier as "carrier?", s.tracking_number as "tracking_number?", s.shipped_at as "shipped_at?", s.delivered_at,
            (
                select p.state from payment p where p.order_id = o.id
                order by p.id = o.payment_id desc nulls last, p.id desc limit 1
            ) as payment
        from orders o
        left join shipment s on s.order_id = o.id
        where o.id = any($1)
        order by o.id desc
        "#,
        ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut lines = lines_of(connection, ids).await?;
    let shown = rows.into_iter().map(|row| {
        let shipment = match (row.carrier, row.tracking_number, row.shipped_at) {
            (Some(carrier), Some(tracking_number), Some(shipped_at)) => Some(Shipment {
                carrier,
                tracking_number,
                shipped_at,
                delivered_at: row.delivered_at,
            }),
            _ => None,
        };
        Ok(Shown {
            id: row.id.into(),
            customer: row.customer_id.into(),
            status: row.status.parse().map_err(undecodable)?,
            method: row.method.parse().map_err(undecodable)?,
            lines: lines.remove(&row.id).unwrap_or_default(),
            total: optional_money(row.total, row.currency.as_deref())?,
            reason: row.reason.map(|reason| reason.0),
            address: row.address.0,
            payment: row.payment,
            shipment,
            placed_at: row.placed_at,
            changed_at: row.changed_at,
            due_at: row.due_at,
        })
    });
    shown.collect()
}
