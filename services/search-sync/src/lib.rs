#![doc = include_str!("../README.md")]

pub mod domain;

pub mod index;
pub mod text;

pub mod consumes;
pub mod http;
pub mod publishes;
pub mod storage;

pub mod catalogue;
pub mod tail;
pub mod upkeep;

pub mod app;
pub mod config;

use std::num::NonZeroU32;

use contracts::{
    behavior::POPULARITY,
    catalog::PRODUCT,
    inventory::STOCK,
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{Dispatch, OnReject, Subscription, Topology};
use runtime::{Service, clock};
use sqlx::migrate::Migrator;

use crate::{
    consumes::{behavior_analytics, inventory, product_catalog},
    publishes::product_failed::product_failed,
    tail::Wake,
};

/// The service's name: of its directory, its exchange and its receipts.
const NAME: &str = "search-sync";

/// What this program is.
pub const SERVICE: Service = Service {
    name: NAME,
    about: "The search index, kept equal to the catalogue.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8084",
};

/// How many edits by hand are taken for each imported product while both wait: an edit hardly notices an import, and an import
/// comes to an end whatever is edited.
const EDITS_PER_IMPORTED: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Everything that stands in the service's database, in the order in which it is made.
pub fn migrators() -> [&'static Migrator; 2] {
    [&messaging::MIGRATOR, &MIGRATOR]
}

/// What the service says and hears.
pub fn topology() -> Topology {
    topology_waking(&Wake::default())
}

/// The same, where what is heard wakes the tail of the index.
fn topology_waking(wake: &Wake) -> Topology {
    // Each event is the whole product, and the newer one's receipt settles those that it overtook.
    let products = Subscription::to_state(PRODUCT, ["product-catalog"])
        .dispatch(Dispatch::PriorityClasses { normal_per_bulk: EDITS_PER_IMPORTED })
        .on(product_catalog::changed::WriteDocuments(wake.clone()))
        .on(product_catalog::deleted::DeleteDocuments(wake.clone()))
        .on_dead_letter(|tx, envelope, reason| {
            if let Some(receipt) = product_failed(envelope, reason, clock::now()) {
                tx.emit(&receipt)?;
            }
            Ok(())
        });
    let stock = Subscription::to(STOCK, ["inventory"], OnReject::GoOn)
        .on(inventory::stock_changed::FlipInStock(wake.clone()));
    let popularity = Subscription::to(POPULARITY, ["behavior-analytics"], OnReject::GoOn)
        .on(behavior_analytics::popularity_changed::RankByPopularity(wake.clone()));
    Topology::of(NAME)
        .says::<ProductAppliedV1>()
        .says::<ProductFailedV1>()
        .hears(products)
        .hears(stock)
        .hears(popularity)
}
