//! An order in JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{CustomerId, Localized, Money, OrderId, ProductId, Quantity, Sku};

use super::{costs_body::CostsBody, fulfilment_body::FulfilmentBody, status_body::StatusBody};
use crate::{
    domain::{
        Address, EndReason, Offer, OrderLine, OrderNumber, OrderStatus, PaymentMethod, Shortage,
        costs::Costs,
    },
    storage::order_views::{OrderView, ShipmentView},
};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderBody {
    id: OrderId,
    /// For people to read out: digits with a check digit. It finds the order in the list, and gives no access.
    #[schema(example = "10604-22390-24878")]
    number: String,
    customer_id: CustomerId,
    status: StatusBody,
    /// Sorted by SKU.
    lines: Vec<LineBody>,
    /// Null while the price of a line is unknown.
    total: Option<Money>,
    /// How the total comes about; absent while the price of a line is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    costs: Option<CostsBody>,
    /// Why the order ended without a shipment.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonBody>,
    payment: PaymentBody,
    /// Absent in responses to the placing and the payment of an order, and after the customer was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    shipping_address: Option<AddressBody>,
    /// The parcels. What `status` does not tell is here: `partly_shipped`, `partly_delivered`, `partly_returned`.
    fulfilment: FulfilmentBody,
    /// The only parcel, or the last one that was shipped; present once the order is shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment: Option<ShipmentBody>,
    placed_at: DateTime<Utc>,
    /// When the status last changed.
    updated_at: DateTime<Utc>,
    /// When the order expires if neither inventory nor the customer acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// Whether the customer may extend that time; present while the order is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_extendable: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderLine)]
pub(super) struct LineBody {
    sku: Sku,
    /// Absent while the catalogue does not know the SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<ProductId>,
    quantity: Quantity,
    /// How many pieces were cancelled before the shipment; absent if none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<u32>,
    /// How many pieces have come back; absent if none have.
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<u32>,
    /// The price of one piece; null while the catalogue does not know the SKU.
    unit_price: Option<Money>,
    /// The title of the product when the order was placed; null while the catalogue does not know the SKU.
    title: Option<Localized>,
    /// What distinguished the variant when the order was placed; absent if nothing did, and in orders of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!({"颜色": "红"}))]
    options: Option<BTreeMap<String, String>>,
    /// The URL of a picture of the product when the order was placed; absent if there was none, and in orders of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// The share of the line in the discounts on goods; absent without a discount.
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<Money>,
    /// The share of the line in the tax; absent without tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<Money>,
}

/// Why an order ended without a shipment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderReason)]
struct ReasonBody {
    /// Stable, for programs.
    #[schema(example = "insufficient_stock")]
    code: String,
    /// One sentence, for people.
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shortages: Vec<ShortageBody>,
}

/// A SKU with too little stock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shortage)]
struct ShortageBody {
    sku: Sku,
    requested: i64,
    available: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderPayment)]
struct PaymentBody {
    method: MethodBody,
    /// `pending`, `approved`, `declined`, `refund_pending` or `refunded`.
    #[schema(example = "approved")]
    state: String,
    /// What was paid back for cancelled lines and returns; absent if nothing was. The payment stays `approved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded: Option<Money>,
}

/// How an order is paid.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentMethod)]
pub(super) enum MethodBody {
    /// The built-in provider approves at once.
    Test,
    /// The built-in provider declines at once.
    TestDecline,
    /// The order waits for a payment by the customer or a webhook of a provider.
    Manual,
}

/// A postal address.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Address)]
struct AddressBody {
    name: String,
    /// Street and number.
    line1: String,
    /// Building, floor or room.
    #[serde(skip_serializing_if = "Option::is_none")]
    line2: Option<String>,
    city: String,
    /// Province or state.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    /// ISO 3166-1: two capital letters.
    country: String,
    /// For the carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderShipment)]
struct ShipmentBody {
    carrier: String,
    /// The carrier's number of the parcel.
    tracking_number: String,
    shipped_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<DateTime<Utc>>,
}

impl OrderBody {
    pub(super) const fn id(&self) -> OrderId {
        self.id
    }
}

impl From<OrderView> for OrderBody {
    fn from(view: OrderView) -> Self {
        let is_shipped = [OrderStatus::Shipped, OrderStatus::Delivered, OrderStatus::Returned]
            .contains(&view.status);
        let shipment = view.shipments.last().filter(|_| is_shipped).cloned();
        let expires = [OrderStatus::Placed, OrderStatus::Reserved].contains(&view.status);
        Self {
            id: view.id,
            number: OrderNumber::of(view.id).to_string(),
            customer_id: view.customer,
            status: view.status.into(),
            lines: LineBody::list(view.lines, view.costs.as_ref()),
            total: view.costs.as_ref().map(Costs::total),
            costs: view.costs.as_ref().map(CostsBody::from),
            reason: view.reason.map(ReasonBody::from),
            payment: PaymentBody {
                method: view.method.into(),
                state: view.payment.unwrap_or_else(|| "pending".to_owned()),
                refunded: view.refunded,
            },
            shipping_address: view.address.map(AddressBody::from),
            fulfilment: FulfilmentBody::new(view.fulfilment, view.parcels, &view.shipments),
            shipment: shipment.map(ShipmentBody::from),
            placed_at: view.placed_at,
            updated_at: view.changed_at,
            expires_at: view.due_at.filter(|_| expires),
            hold_extendable: (view.status == OrderStatus::Reserved).then_some(!view.hold_extended),
        }
    }
}

impl LineBody {
    /// Lines with their shares in the costs.
    pub(super) fn list(lines: Vec<OrderLine>, costs: Option<&Costs>) -> Vec<Self> {
        lines.into_iter().map(|line| Self::new(line, costs)).collect()
    }

    fn new(line: OrderLine, costs: Option<&Costs>) -> Self {
        let share =
            costs.and_then(|costs| Some((costs.currency(), costs.shares().get(&line.sku)?)));
        let money = |currency, amount: i64| {
            Money::new(amount, currency).ok().filter(|money| money.amount() > 0)
        };
        let (product_id, unit_price) =
            line.offer.as_ref().map(|offer| (offer.product, offer.price)).unzip();
        let (title, options, image) = match line.offer {
            Some(Offer { title, options, image, .. }) => (Some(title), Some(options), image),
            None => (None, None, None),
        };
        Self {
            product_id,
            unit_price,
            discount: share.and_then(|(currency, share)| money(currency, share.discount)),
            tax: share.and_then(|(currency, share)| money(currency, share.tax)),
            sku: line.sku,
            quantity: line.quantity,
            cancelled: Some(line.cancelled).filter(|pieces| *pieces > 0),
            returned: Some(line.returned).filter(|pieces| *pieces > 0),
            title,
            options: options.filter(|options| !options.is_empty()),
            image,
        }
    }
}

impl From<EndReason> for ReasonBody {
    fn from(reason: EndReason) -> Self {
        let EndReason { code, text, shortages } = reason;
        Self { code, text, shortages: shortages.into_iter().map(ShortageBody::from).collect() }
    }
}

impl From<Shortage> for ShortageBody {
    fn from(shortage: Shortage) -> Self {
        let Shortage { sku, requested, available } = shortage;
        Self { sku, requested, available }
    }
}

impl From<PaymentMethod> for MethodBody {
    fn from(method: PaymentMethod) -> Self {
        match method {
            PaymentMethod::Test => Self::Test,
            PaymentMethod::TestDecline => Self::TestDecline,
            PaymentMethod::Manual => Self::Manual,
        }
    }
}

impl From<Address> for AddressBody {
    fn from(address: Address) -> Self {
        let Address { name, line1, line2, city, region, postal_code, country, phone } = address;
        Self { name, line1, line2, city, region, postal_code, country, phone }
    }
}

impl From<ShipmentView> for ShipmentBody {
    fn from(shipment: ShipmentView) -> Self {
        let ShipmentView { carrier, tracking_number, shipped_at, delivered_at, .. } = shipment;
        Self { carrier, tracking_number, shipped_at, delivered_at }
    }
}
