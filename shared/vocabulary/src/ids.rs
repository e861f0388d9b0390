//! Typed ids. All are UUIDv7, so they sort by creation time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Defines a newtype over [`Uuid`], so that an order id cannot be passed as a product id.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; it sorts after earlier ones.
            #[expect(clippy::new_without_default, reason = "each call returns another id, which a default should not")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The plain UUID, as databases store it.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// Id of a product.
    ProductId
);
id!(
    /// Id of an order.
    OrderId
);
id!(
    /// Id of a customer; the subject of the customer's token.
    CustomerId
);
id!(
    /// Id of a warehouse.
    WarehouseId
);
id!(
    /// Id of a write to the catalogue, which is tracked until every service has applied it.
    ChangeId
);
id!(
    /// Id of a bulk import.
    ImportId
);
id!(
    /// Id of an attempt to pay for an order.
    PaymentId
);
id!(
    /// Id of a shipment of an order.
    ShipmentId
);
id!(
    /// Id of a parcel of an order.
    ParcelId
);
id!(
    /// Id of a return of pieces of an order.
    ReturnId
);
id!(
    /// Id of a refund of a part of a payment: that of the return that it pays back.
    RefundId
);
id!(
    /// Id of a merchandising rule.
    RuleId
);
id!(
    /// Id of an endpoint that receives webhooks.
    WebhookEndpointId
);
id!(
    /// Id of a message to webhook endpoints: the `webhook-id` of every attempt.
    WebhookMessageId
);
id!(
    /// Id of a promotion, which discounts orders.
    PromotionId
);
id!(
    /// Id of a shipping rate.
    ShippingRateId
);
id!(
    /// Id of a tax rate.
    TaxRateId
);
