#![doc = include_str!("../README.md")]

pub mod domain;

pub mod consumes;
pub mod http;
pub mod publishes;
pub mod storage;

pub mod app;
pub mod config;

use contracts::{
    catalog::PRODUCT,
    inventory::{
        StockChangedV1, StockDeductedV1, StockRejectedV1, StockReleasedV1, StockReservedV1,
    },
    order::ORDER,
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{OnReject, Subscription, Topology};
use runtime::{Service, clock};
use sqlx::migrate::Migrator;

use crate::consumes::{order, product_catalog};
use crate::publishes::product_failed::product_failed;

/// The service's name: of its directory, its exchange and its receipts.
const NAME: &str = "inventory";

/// The service whose orders are served.
const NAME_OF_ORDER: &str = "order";

/// What this program is.
pub const SERVICE: Service = Service {
    name: NAME,
    about: "Stock per SKU and warehouse, reservations and the ledger.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8083",
};

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Everything that stands in the service's database, in the order in which it is made.
pub fn migrators() -> [&'static Migrator; 3] {
    [&messaging::MIGRATOR, &idempotency::MIGRATOR, &MIGRATOR]
}

/// What the service says and hears.
pub fn topology() -> Topology {
    Topology::of(NAME)
        .says::<StockReservedV1>()
        .says::<StockRejectedV1>()
        .says::<StockReleasedV1>()
        .says::<StockDeductedV1>()
        .says::<StockChangedV1>()
        .says::<ProductAppliedV1>()
        .says::<ProductFailedV1>()
        .hears(
            Subscription::to(ORDER, [NAME_OF_ORDER], OnReject::BlockKey)
                .on(order::placed::ReserveStock)
                .on(order::shipped::DeductStock)
                .on(order::cancelled::ReleaseCancelled)
                .on(order::expired::ReleaseExpired)
                .on(order::payment_failed::ReleaseUnpaid)
                .on(order::rejected::ReleaseRejected),
        )
        .hears(
            Subscription::to(PRODUCT, ["product-catalog"], OnReject::GoOn)
                .on(product_catalog::changed::ListSkus)
                .on(product_catalog::deleted::WithdrawSkus)
                .on_dead_letter(|tx, envelope, reason| {
                    if let Some(receipt) = product_failed(envelope, reason, clock::now()) {
                        tx.emit(&receipt)?;
                    }
                    Ok(())
                }),
        )
}
