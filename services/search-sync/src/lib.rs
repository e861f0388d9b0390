#![doc = include_str!("../README.md")]

pub mod domain;

pub mod index;
pub mod text;

mod app;
mod workers;

mod http;
mod publishes;

mod clients;
mod consumes;
pub mod json;
pub mod storage;

mod state;

mod config;
mod names;

use std::{num::NonZeroU32, time::Duration};

use contracts::{
    behavior::POPULARITY,
    catalog::{PRODUCT, SEARCH},
    inventory::STOCK,
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{Dispatch, OnReject, Subscription, Topology};
use runtime::{
    Service,
    host::{Host, ServiceDefinition, StartError},
};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    app::{IndexerWaker, SettingsWaker},
    consumes::{
        behavior_analytics::popularity_changed::UpdatePopularity,
        inventory::stock_changed::UpdateAvailability,
        product_catalog::{
            product_changed::UpdateProduct, product_deleted::DeleteProduct,
            search_rule_changed::UpdateRule, search_rule_removed::RemoveRule,
            search_synonyms_changed::UpdateSynonyms,
        },
    },
    names::{BEHAVIOR_ANALYTICS, INVENTORY, PRODUCT_CATALOG},
    publishes::product_failed,
};

pub use crate::{config::Config, names::SERVICE, state::AppState};

/// How many edits are handled for each imported product while both wait: an import hardly delays edits, and
/// still finishes under constant edits.
const EDITS_PER_IMPORTED: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);

/// The time between two batches of stock levels. Under load larger batches cost less.
const STOCK_INTERVAL: Duration = Duration::from_millis(100);

/// The age of a stock level that means overload. Shoppers see newer levels first then, and older ones are skipped or late.
const STOCK_DEADLINE: Duration = Duration::from_secs(2);

/// The migrations of the service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The migrations of the service's database, in order.
pub fn migrators() -> [&'static Migrator; 2] {
    [&messaging::MIGRATOR, &MIGRATOR]
}

/// Everything that the service publishes and subscribes to.
pub fn topology() -> Topology {
    subscriptions(&IndexerWaker::default(), &SettingsWaker::default())
}

/// The topology whose handlers wake an indexer and a settings loader.
fn subscriptions(indexer: &IndexerWaker, settings: &SettingsWaker) -> Topology {
    // Each event is the full state, and the receipt of a newer version settles the older ones.
    let products = Subscription::to_state(PRODUCT, [PRODUCT_CATALOG])
        .dispatch(Dispatch::PriorityClasses { normal_per_bulk: EDITS_PER_IMPORTED })
        .on(UpdateProduct(indexer.clone()))
        .on(DeleteProduct(indexer.clone()))
        .on_dead_letter(product_failed());
    let stock = Subscription::to_state(STOCK, [INVENTORY])
        .dispatch(Dispatch::FreshestFirst { deadline: STOCK_DEADLINE })
        .min_interval(STOCK_INTERVAL)
        .on(UpdateAvailability(indexer.clone()));
    let popularity = Subscription::to(POPULARITY, [BEHAVIOR_ANALYTICS], OnReject::Continue)
        .on(UpdatePopularity(indexer.clone()));
    let search = Subscription::to_state(SEARCH, [PRODUCT_CATALOG])
        .on(UpdateSynonyms(settings.clone()))
        .on(UpdateRule(settings.clone()))
        .on(RemoveRule(settings.clone()));
    Topology::new(SERVICE.name)
        .publishes::<ProductAppliedV1>()
        .publishes::<ProductFailedV1>()
        .subscribes(products)
        .subscribes(stock)
        .subscribes(popularity)
        .subscribes(search)
}

/// The definition of the service for [`runtime::host`].
#[derive(Debug)]
pub struct SearchSync;

impl ServiceDefinition for SearchSync {
    type Config = Config;
    type State = AppState;

    const SERVICE: Service = SERVICE;

    fn migrators() -> Vec<&'static Migrator> {
        migrators().into()
    }

    fn topology() -> Topology {
        topology()
    }

    fn routes() -> OpenApiRouter<AppState> {
        http::routes()
    }

    async fn start(host: &Host, config: &Config) -> Result<AppState, StartError> {
        let (indexer, settings) = (IndexerWaker::default(), SettingsWaker::default());
        let topology = subscriptions(&indexer, &settings);
        AppState::start(host, config, topology, indexer, settings).await
    }
}
