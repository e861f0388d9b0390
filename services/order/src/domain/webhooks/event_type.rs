//! The types of events that endpoints subscribe to.

use std::{fmt, str::FromStr};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WebhookEventType {
    OrderPaid,
    /// A carrier is asked to ship a parcel: the only message with an address.
    ShipmentRequested,
    /// One of several parcels of an order.
    OrderParcelShipped,
    OrderShipped,
    OrderParcelDelivered,
    OrderDelivered,
    OrderCancelled,
    /// Pieces of a line were taken out of an order that is not shipped yet.
    OrderLineCancelled,
    OrderRefunded,
    /// A customer sends pieces back.
    ReturnAnnounced,
    /// A warehouse has pieces that were sent back.
    ReturnReceived,
    /// The last available piece of a SKU was reserved.
    StockOut,
    /// A SKU has available pieces again.
    StockBack,
    /// Few pieces of a SKU are available.
    StockLow,
    ProductChanged,
    ProductDeleted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {all}", all = WebhookEventType::ALL.map(WebhookEventType::as_str).join(", "))]
pub(crate) struct UnknownEventType;

impl WebhookEventType {
    pub(crate) const ALL: [Self; 16] = [
        Self::OrderPaid,
        Self::ShipmentRequested,
        Self::OrderParcelShipped,
        Self::OrderShipped,
        Self::OrderParcelDelivered,
        Self::OrderDelivered,
        Self::OrderCancelled,
        Self::OrderLineCancelled,
        Self::OrderRefunded,
        Self::ReturnAnnounced,
        Self::ReturnReceived,
        Self::StockOut,
        Self::StockBack,
        Self::StockLow,
        Self::ProductChanged,
        Self::ProductDeleted,
    ];

    /// The name in messages, in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OrderPaid => "order.paid",
            Self::ShipmentRequested => "shipment.requested",
            Self::OrderParcelShipped => "order.parcel_shipped",
            Self::OrderShipped => "order.shipped",
            Self::OrderParcelDelivered => "order.parcel_delivered",
            Self::OrderDelivered => "order.delivered",
            Self::OrderCancelled => "order.cancelled",
            Self::OrderLineCancelled => "order.line_cancelled",
            Self::OrderRefunded => "order.refunded",
            Self::ReturnAnnounced => "return.announced",
            Self::ReturnReceived => "return.received",
            Self::StockOut => "stock.out",
            Self::StockBack => "stock.back",
            Self::StockLow => "stock.low",
            Self::ProductChanged => "product.changed",
            Self::ProductDeleted => "product.deleted",
        }
    }
}

impl fmt::Display for WebhookEventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WebhookEventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownEventType)
    }
}

/// The types that at least one endpoint subscribes to, as of a statement of the running transaction.
#[derive(Debug, Clone, Default)]
pub(crate) struct SubscribedTypes(Vec<WebhookEventType>);

impl SubscribedTypes {
    /// Types that only a newer version knows are left out: this one has no messages of them.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(|name| name.parse().ok()).collect())
    }

    pub(crate) fn contains(&self, kind: WebhookEventType) -> bool {
        self.0.contains(&kind)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{SubscribedTypes, WebhookEventType};

    #[test]
    fn every_type_survives_a_round_trip_through_its_name() {
        for kind in WebhookEventType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }

    #[test]
    fn types_of_a_newer_version_are_left_out() {
        let subscribed = SubscribedTypes::of(["order.paid", "order.teleported"]);
        assert!(subscribed.contains(WebhookEventType::OrderPaid));
        assert!(!subscribed.contains(WebhookEventType::OrderShipped));
        assert!(SubscribedTypes::of(["order.teleported"]).is_empty());
    }
}
