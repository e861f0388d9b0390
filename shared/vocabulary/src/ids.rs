//! Ids of the things that services talk about. They are UUIDv7, so that they sort by the time they were made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Defines a newtype over [`Uuid`], so that an order's id is never taken for a product's.
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
            /// A new id, later in order than those made before.
            #[expect(clippy::new_without_default, reason = "each call gives another id, which a default should not")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as the plain UUID that databases store.
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
    /// A product of the catalogue.
    ProductId
);
id!(
    /// An order.
    OrderId
);
id!(
    /// Whoever orders; the subject of their token.
    CustomerId
);
id!(
    /// A place that holds stock.
    WarehouseId
);
id!(
    /// One write to the catalogue, followed until every service has applied it.
    ChangeId
);
id!(
    /// One bulk import.
    ImportId
);
id!(
    /// One attempt to pay for an order.
    PaymentId
);
id!(
    /// One parcel of an order.
    ShipmentId
);
