#![doc = include_str!("../README.md")]

mod domain;

mod app;
mod workers;

mod http;
mod publishes;

mod consumes;
mod storage;

mod state;

mod config;
mod names;

use contracts::{
    catalog::{
        ProductChangedV1, ProductDeletedV1, RuleChangedV1, RuleRemovedV1, StockCountedV1,
        SynonymsChangedV1,
    },
    receipts::RECEIPT,
};
use messaging::{OnReject, Subscription, Topology};
use runtime::{
    Service,
    host::{Host, ServiceDefinition, StartError},
};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    app::{ChangeWatchers, ImporterWaker, change_watchers},
    consumes::receipts::{RecordApplied, RecordFailed},
    domain::DOWNSTREAM_SERVICES,
    state::UploadSlots,
    workers::{importer::Importer, retention, sales, synonym_publisher},
};

pub use crate::{config::Config, names::SERVICE, state::AppState};

/// The migrations of the service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All migrations of the service's database, in the order in which they run.
pub fn migrators() -> [&'static Migrator; 3] {
    [&messaging::MIGRATOR, &idempotency::MIGRATOR, &MIGRATOR]
}

/// The events that the service publishes, and its subscriptions.
pub fn topology() -> Topology {
    topology_with(&change_watchers())
}

/// The same topology; received receipts wake `watchers`.
fn topology_with(watchers: &ChangeWatchers) -> Topology {
    Topology::new(SERVICE.name)
        .publishes::<ProductChangedV1>()
        .publishes::<ProductDeletedV1>()
        .publishes::<StockCountedV1>()
        .publishes::<SynonymsChangedV1>()
        .publishes::<RuleChangedV1>()
        .publishes::<RuleRemovedV1>()
        .subscribes(
            Subscription::to(RECEIPT, DOWNSTREAM_SERVICES, OnReject::Continue)
                .on(RecordApplied(watchers.clone()))
                .on(RecordFailed(watchers.clone())),
        )
}

/// The service as the host runs it.
#[derive(Debug)]
pub struct ProductCatalogService;

impl ServiceDefinition for ProductCatalogService {
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
        let (outbox, lifecycle) = (host.outbox.clone(), &host.lifecycle);
        let watchers = change_watchers();
        let topology = topology_with(&watchers);
        let (topology, republisher) = host.start_messaging(topology);

        let waker = ImporterWaker::default();
        let importer = Importer::new(outbox.clone(), waker.clone(), http::draft_of_json_line);
        lifecycle.spawn("importer", importer.run(lifecycle.soft()));
        lifecycle.spawn("sales", sales::run(outbox.clone(), lifecycle.soft()));
        let pool = outbox.pool().clone();
        let retention = retention::run(pool, config.retention_days, lifecycle.soft());
        lifecycle.spawn("retention", retention);
        let publisher = synonym_publisher::run(outbox.clone(), lifecycle.soft());
        lifecycle.spawn("synonym_publisher", publisher);
        Ok(AppState {
            outbox,
            topology,
            republisher,
            verifier: host.verifier.clone(),
            watchers,
            uploads: UploadSlots::new(),
            importer: waker,
        })
    }
}
