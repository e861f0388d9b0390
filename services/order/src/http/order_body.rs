//! An order in JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{CustomerId, Localized, Money, OrderId, ProductId, Quantity, Sku};

use crate::{
    domain::{Address, Line, Method, Reason, Status},
    storage::shown::{Shipment, Shown},
};

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(crate) struct OrderBody {
    /// Which.
    id: OrderId,
    /// Whose.
    customer_id: CustomerId,
    /// Where it stands.
    status: Status,
    /// What is ordered, sorted by SKU.
    lines: Vec<LineBody>,
    /// What it costs; null as long as the price of a line is not known.
    total: Option<Money>,
    /// Why it ended without being shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// How it is paid for.
    payment: PaymentBody,
    /// Where it goes.
    shipping_address: Address,
    /// Its parcel, once it has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment: Option<ShipmentBody>,
    /// When it was placed.
    placed_at: DateTime<Utc>,
    /// When its status last changed.
    updated_at: DateTime<Utc>,
    /// When it expires unless something happens before.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

/// A line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderLine)]
struct LineBody {
    /// What.
    sku: Sku,
    /// The product that it is a variant of, where the catalogue has told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<ProductId>,
    /// How many.
    quantity: Quantity,
    /// What one piece costs; null where the catalogue has not told of the SKU yet.
    unit_price: Option<Money>,
    /// The product's name when it was ordered; null where the catalogue has not told of it yet.
    title: Option<Localized>,
}

/// How an order is paid for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderPayment)]
struct PaymentBody {
    /// By which method.
    method: Method,
    /// `pending`, `approved`, `declined` or `refunded`.
    #[schema(example = "approved")]
    state: String,
}

/// The parcel of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderShipment)]
struct ShipmentBody {
    /// Who carries it.
    carrier: String,
    /// Its number there.
    tracking_number: String,
    /// When it left.
    shipped_at: DateTime<Utc>,
    /// When it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<DateTime<Utc>>,
}

impl From<Shown> for OrderBody {
    fn from(shown: Shown) -> Self {
        let waits = [Status::Placed, Status::Reserved].contains(&shown.status);
        Self {
            id: shown.id,
            customer_id: shown.customer,
            status: shown.status,
            lines: shown.lines.into_iter().map(LineBody::from).collect(),
            total: shown.total,
            reason: shown.reason,
            payment: PaymentBody {
                method: shown.method,
                state: shown.payment.unwrap_or_else(|| "pending".to_owned()),
            },
            shipping_address: shown.address,
            shipment: shown.shipment.map(ShipmentBody::from),
            placed_at: shown.placed_at,
            updated_at: shown.changed_at,
            expires_at: shown.due_at.filter(|_| waits),
        }
    }
}

impl From<Line> for LineBody {
    fn from(line: Line) -> Self {
        let offer = line.offer.as_ref();
        Self {
            product_id: offer.map(|offer| offer.product),
            unit_price: offer.map(|offer| offer.price),
            sku: line.sku,
            quantity: line.quantity,
            title: line.offer.map(|offer| offer.title),
        }
    }
}

impl From<Shipment> for ShipmentBody {
    fn from(shipment: Shipment) -> Self {
        let Shipment { carrier, tracking_number, shipped_at, delivered_at } = shipment;
        Self { carrier, tracking_number, shipped_at, delivered_at }
    }
}
