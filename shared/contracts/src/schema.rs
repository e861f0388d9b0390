//! The JSON Schemas of all events of the shop: the source of `docs/contracts`.

use envelope::schema::schema_of;
pub use envelope::schema::{AGGREGATE, Contract, ENVELOPE, envelope};
use serde_json::Value;

use crate::{
    behavior::{ErasureCompletedV1, PopularityChangedV1, USER_EVENT, UserEventV1},
    catalog::{
        ProductChangedV1, ProductDeletedV1, RuleChangedV1, RuleRemovedV1, StockCountedV1,
        SynonymsChangedV1,
    },
    inventory::{
        StockAvailabilityChangedV1, StockChangedV1, StockDeductedV1, StockLowV1, StockRejectedV1,
        StockReleasedV1, StockReservedV1,
    },
    order::{
        CustomerErasedV1, OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1,
        OrderLineCancelledV1, OrderParcelShippedV1, OrderPaymentFailedV1, OrderPlacedV1,
        OrderRejectedV1, OrderReturnReceivedV1, OrderShippedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1},
};

/// Every version of every event ever released, published or not: queues, dead letters and backups may still hold old versions.
pub fn events() -> Vec<Contract> {
    vec![
        Contract::of::<ProductChangedV1>(),
        Contract::of::<ProductDeletedV1>(),
        Contract::of::<StockCountedV1>(),
        Contract::of::<SynonymsChangedV1>(),
        Contract::of::<RuleChangedV1>(),
        Contract::of::<RuleRemovedV1>(),
        Contract::of::<OrderPlacedV1>(),
        Contract::of::<OrderConfirmedV1>(),
        Contract::of::<OrderParcelShippedV1>(),
        Contract::of::<OrderShippedV1>(),
        Contract::of::<OrderDeliveredV1>(),
        Contract::of::<OrderReturnReceivedV1>(),
        Contract::of::<OrderRejectedV1>(),
        Contract::of::<OrderPaymentFailedV1>(),
        Contract::of::<OrderExpiredV1>(),
        Contract::of::<OrderCancelledV1>(),
        Contract::of::<OrderLineCancelledV1>(),
        Contract::of::<CustomerErasedV1>(),
        Contract::of::<StockReservedV1>(),
        Contract::of::<StockRejectedV1>(),
        Contract::of::<StockReleasedV1>(),
        Contract::of::<StockDeductedV1>(),
        Contract::of::<StockChangedV1>(),
        Contract::of::<StockAvailabilityChangedV1>(),
        Contract::of::<StockLowV1>(),
        Contract::of::<ProductAppliedV1>(),
        Contract::of::<ProductFailedV1>(),
        Contract::of::<PopularityChangedV1>(),
        Contract::of::<ErasureCompletedV1>(),
    ]
}

/// The schema of one [`UserEventV1`].
pub fn user_event() -> Value {
    schema_of::<UserEventV1>(USER_EVENT)
}
