#![doc = include_str!("../README.md")]

mod domain;

mod http;
mod process;

mod consumes;
mod publishes;

mod housekeeping;
mod replaying;
mod storage;

pub mod app;
pub mod config;

use contracts::{
    catalog::PRODUCT,
    inventory::RESERVATION,
    order::{
        OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1, OrderPaymentFailedV1,
        OrderPlacedV1, OrderRejectedV1, OrderShippedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{OnReject, Subscription, Topology};
use runtime::{Service, clock};
use sqlx::migrate::Migrator;

use crate::{
    consumes::{inventory, product_catalog},
    process::Process,
    publishes::product_failed,
};

pub use crate::{config::Config, domain::Terms};

/// What this service is.
pub const SERVICE: Service = Service {
    name: "order",
    about: "Orders, payments, shipments, and the process that leads an order from one to the other.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8082",
};

/// The service that sets stock aside.
const INVENTORY: &str = "inventory";

/// The service that owns prices and titles.
const PRODUCT_CATALOG: &str = "product-catalog";

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All tables in the service's database, in the order in which they are made.
pub fn migrators() -> [&'static Migrator; 3] {
    [&messaging::MIGRATOR, &idempotency::MIGRATOR, &MIGRATOR]
}

/// All that this service says and hears.
pub fn topology() -> Topology {
    topology_for(&Process::default())
}

/// The same, where what is heard moves orders by `process`.
fn topology_for(process: &Process) -> Topology {
    let reservations = Subscription::to(RESERVATION, [INVENTORY], OnReject::BlockKey)
        .on(inventory::reserved::GoOn(process.clone()))
        .on(inventory::rejected::Reject(process.clone()))
        .on(inventory::released::NoteReleased(process.clone()))
        .on(inventory::deducted::NoteDeducted(process.clone()));
    let products = Subscription::to(PRODUCT, [PRODUCT_CATALOG], OnReject::GoOn)
        .on(product_catalog::changed::CopyOffers)
        .on(product_catalog::deleted::Withdraw)
        .on_dead_letter(|tx, envelope, reason| {
            if let Some(receipt) = product_failed(envelope, reason, clock::now()) {
                tx.emit(&receipt)?;
            }
            Ok(())
        });
    Topology::of(SERVICE.name)
        .says::<OrderPlacedV1>()
        .says::<OrderConfirmedV1>()
        .says::<OrderShippedV1>()
        .says::<OrderDeliveredV1>()
        .says::<OrderRejectedV1>()
        .says::<OrderPaymentFailedV1>()
        .says::<OrderExpiredV1>()
        .says::<OrderCancelledV1>()
        .says::<ProductAppliedV1>()
        .says::<ProductFailedV1>()
        .hears(reservations)
        .hears(products)
}
