#![doc = include_str!("../README.md")]

pub mod domain;

pub mod intake;
pub mod learning;
pub mod popularity;

pub mod consumes;
pub mod http;
pub mod publishes;
pub mod storage;

pub mod app;
pub mod config;
mod housekeeping;
mod replaying;

use contracts::{
    behavior::PopularityChangedV1,
    catalog::PRODUCT,
    inventory::STOCK,
    order::ORDER,
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{OnReject, Subscription, Topology};
use runtime::{Service, clock};
use sqlx::migrate::Migrator;

use crate::consumes::{inventory, order, product_catalog};
use crate::learning::Wake;
use crate::publishes::product_failed::product_failed;

/// The service's name: of its directory, its exchange and its receipts.
const NAME: &str = "behavior-analytics";

/// What this program is.
pub const SERVICE: Service = Service {
    name: NAME,
    about: "User events, trends and recommendations.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8085",
};

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Everything that stands in the service's database, in the order in which it is made.
pub fn migrators() -> [&'static Migrator; 2] {
    [&messaging::MIGRATOR, &MIGRATOR]
}

/// What the service says and hears.
pub fn topology() -> Topology {
    topology_for(&Wake::default())
}

/// The same, where `wake` wakes what learns from it.
fn topology_for(wake: &Wake) -> Topology {
    Topology::of(NAME)
        .says::<PopularityChangedV1>()
        .says::<ProductAppliedV1>()
        .says::<ProductFailedV1>()
        .hears(
            Subscription::to(ORDER, ["order"], OnReject::GoOn)
                .on(order::confirmed::KeepBasket(wake.clone())),
        )
        .hears(
            Subscription::to(PRODUCT, ["product-catalog"], OnReject::GoOn)
                .on(product_catalog::changed::TakeFacts(wake.clone()))
                .on(product_catalog::deleted::DropProduct(wake.clone()))
                .on_dead_letter(|tx, envelope, reason| {
                    if let Some(receipt) = product_failed(envelope, reason, clock::now()) {
                        tx.emit(&receipt)?;
                    }
                    Ok(())
                }),
        )
        .hears(
            Subscription::to(STOCK, ["inventory"], OnReject::GoOn)
                .on(inventory::stock_changed::FollowStock(wake.clone())),
        )
}
