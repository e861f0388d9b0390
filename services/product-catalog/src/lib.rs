#![doc = include_str!("../README.md")]

pub mod app;
mod config;

mod domain;
mod http;
mod importing;
mod writing;

mod consumes;
mod following;
mod publishes;

mod housekeeping;
mod storage;

use contracts::catalog::{ProductChangedV1, ProductDeletedV1};
use contracts::receipts::RECEIPT;
use messaging::{OnReject, Subscription, Topology};
use runtime::Service;
use sqlx::migrate::Migrator;

pub use crate::config::Config;
use crate::consumes::receipts::{NoteApplied, NoteFailed};
use crate::following::Followers;

/// What this service is.
pub const SERVICE: Service = Service {
    name: "product-catalog",
    about: "Products, variants, prices, categories and imports, and how far each change has come.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8081",
};

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All tables in the service's database, in the order in which they are made.
pub fn migrators() -> [&'static Migrator; 3] {
    [&messaging::MIGRATOR, &idempotency::MIGRATOR, &MIGRATOR]
}

/// All that this service says and hears.
pub fn topology() -> Topology {
    topology_for(&Followers::default())
}

/// The same, where `followers` are woken by what is heard.
fn topology_for(followers: &Followers) -> Topology {
    let receipts = Subscription::to(RECEIPT, domain::DOWNSTREAM, OnReject::GoOn)
        .on(NoteApplied(followers.clone()))
        .on(NoteFailed(followers.clone()));
    Topology::of(SERVICE.name).says::<ProductChangedV1>().says::<ProductDeletedV1>().hears(receipts)
}
