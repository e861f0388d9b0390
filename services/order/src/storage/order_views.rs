//! Orders with everything that a client sees of them.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;
use vocabulary::{CustomerId, Money, OrderId, ParcelId};

use super::{
    cost_json::{CostsJson, costs},
    json_columns::{AddressJson, ParcelJson, ReasonJson, ShipmentJson, parcels_from_json},
    optional_money,
    orders::lines_of,
    undecodable,
};
use crate::domain::{
    Address, EndReason, Fulfilment, Order, OrderLine, OrderStatus, Parcel, Parcels, PaymentMethod,
    costs::Costs,
};

/// The read model of an order.
#[derive(Debug, Clone)]
pub(crate) struct OrderView {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) status: OrderStatus,
    pub(crate) method: PaymentMethod,
    pub(crate) lines: Vec<OrderLine>,
    /// `None` while the price of a line is unknown.
    pub(crate) costs: Option<Costs>,
    pub(crate) reason: Option<EndReason>,
    /// None if it was erased, or does not belong into the response.
    pub(crate) address: Option<Address>,
    /// The state of the payment that counts: `approved`, `declined`, `refund_pending` or `refunded`.
    pub(crate) payment: Option<String>,
    /// What was paid back for returns.
    pub(crate) refunded: Option<Money>,
    pub(crate) fulfilment: Fulfilment,
    /// Empty until the stock is reserved.
    pub(crate) parcels: Vec<Parcel>,
    /// The oldest first.
    pub(crate) shipments: Vec<ShipmentView>,
    pub(crate) placed_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
    pub(crate) due_at: Option<DateTime<Utc>>,
    /// Whether the customer has extended the hold of the stock.
    pub(crate) hold_extended: bool,
}

impl OrderView {
    /// The view of an order after a change at this time, without a read and without its address. `None` if the order does not tell everything that
    /// a client sees: whether a payment was refunded, a part of it, or the parcel.
    pub(crate) fn of(order: &Order, changed_at: DateTime<Utc>) -> Option<Self> {
        if order.fulfilment().has_begun() || order.lines.iter().any(|line| line.cancelled > 0) {
            return None;
        }
        let payment = match order.status() {
            OrderStatus::Placed | OrderStatus::Reserved | OrderStatus::Rejected => None,
            OrderStatus::Confirmed => Some("approved".to_owned()),
            OrderStatus::PaymentFailed => Some("declined".to_owned()),
            OrderStatus::Shipped
            | OrderStatus::Delivered
            | OrderStatus::Returned
            | OrderStatus::Expired
            | OrderStatus::Cancelled => return None,
        };
        let reason = order.state.reason().cloned();
        Some(Self { reason, payment, changed_at, ..Self::just_placed(order) })
    }

    /// The same without the address. Responses that are stored contain no personal data.
    pub(crate) fn without_address(self) -> Self {
        Self { address: None, ..self }
    }

    /// The view of a new order, before its transaction commits, without its address.
    pub(crate) fn just_placed(order: &Order) -> Self {
        Self {
            id: order.id,
            customer: order.customer,
            status: order.status(),
            method: order.method,
            lines: order.lines.clone(),
            costs: order.costs.clone(),
            reason: None,
            address: None,
            payment: None,
            refunded: None,
            fulfilment: order.fulfilment(),
            parcels: visible_parcels(order.status(), || order.parcel_list()),
            shipments: Vec::new(),
            placed_at: order.placed_at,
            changed_at: order.placed_at,
            due_at: order.state.deadline(),
            hold_extended: order.state.hold().is_some_and(|hold| hold.is_extended),
        }
    }
}

/// The parcels of an order with this status: whether an order will have any is open before its stock is reserved, and after it ended.
fn visible_parcels(status: OrderStatus, list: impl FnOnce() -> Vec<Parcel>) -> Vec<Parcel> {
    match status {
        OrderStatus::Reserved
        | OrderStatus::Confirmed
        | OrderStatus::Shipped
        | OrderStatus::Delivered
        | OrderStatus::Returned => list(),
        OrderStatus::Placed
        | OrderStatus::Rejected
        | OrderStatus::PaymentFailed
        | OrderStatus::Expired
        | OrderStatus::Cancelled => Vec::new(),
    }
}

#[derive(Debug, Clone)]
pub(crate) struct ShipmentView {
    /// `None` if an earlier version shipped the whole order.
    pub(crate) parcel: Option<ParcelId>,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    pub(crate) shipped_at: DateTime<Utc>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

impl From<ShipmentJson> for ShipmentView {
    fn from(json: ShipmentJson) -> Self {
        let ShipmentJson { parcel_id, carrier, tracking_number, shipped_at, delivered_at } = json;
        Self { parcel: parcel_id, carrier, tracking_number, shipped_at, delivered_at }
    }
}

/// The view of an order, if it exists.
pub(crate) async fn get(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<OrderView>, sqlx::Error> {
    Ok(get_many(connection, &[order.as_uuid()]).await?.pop())
}

/// The views of these orders, newest first.
pub(super) async fn get_many(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<OrderView>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select o.id, o.customer_id, o.status, o.method, o.total, o.currency,
            o.costs as "costs: Json<CostsJson>", o.reason as "reason: Json<ReasonJson>",
            o.shipping_address as "address: Json<AddressJson>", o.placed_at, o.changed_at, o.due_at,
            o.hold_extended,
            o.parcels as "parcels: Json<Vec<ParcelJson>>",
            (
                select jsonb_agg(to_jsonb(s) order by s.shipped_at, s.id) from shipment s where s.order_id = o.id
            ) as "shipments: Json<Vec<ShipmentJson>>",
            (
                select p.state from payment p where p.order_id = o.id
                order by p.id = o.payment_id desc nulls last, p.id desc limit 1
            ) as payment,
            (
                select sum(r.amount)::bigint from order_refund r where r.order_id = o.id and r.state = 'refunded'
            ) as refunded
        from orders o
        where o.id = any($1)
        order by o.id desc
        "#,
        ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut lines = lines_of(connection, ids).await?;
    let views = rows.into_iter().map(|row| {
        let status: OrderStatus = row.status.parse().map_err(undecodable)?;
        let lines = lines.remove(&row.id).unwrap_or_default();
        let parcels: Parcels = parcels_from_json(row.parcels.map(|json| json.0), status)?;
        let shipments = row.shipments.map(|json| json.0).unwrap_or_default();
        Ok(OrderView {
            id: row.id.into(),
            customer: row.customer_id.into(),
            status,
            method: row.method.parse().map_err(undecodable)?,
            fulfilment: parcels.fulfilment(status, &lines),
            parcels: visible_parcels(status, || parcels.list(row.id.into(), status, &lines)),
            shipments: shipments.into_iter().map(ShipmentView::from).collect(),
            lines,
            costs: costs(
                optional_money(row.total, row.currency.as_deref())?,
                row.costs.map(|costs| costs.0),
            )?,
            reason: row.reason.map(|reason| reason.0.into()),
            address: row.address.0.into_address(),
            payment: row.payment,
            refunded: optional_money(row.refunded, row.currency.as_deref())?,
            placed_at: row.placed_at,
            changed_at: row.changed_at,
            due_at: row.due_at,
            hold_extended: row.hold_extended,
        })
    });
    views.collect()
}
