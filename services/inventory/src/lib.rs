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
    catalog::{PRODUCT, STOCK_COUNT},
    inventory::{
        StockAvailabilityChangedV1, StockChangedV1, StockDeductedV1, StockLowV1, StockRejectedV1,
        StockReleasedV1, StockReservedV1,
    },
    order::{ORDER, OrderConfirmedV1, OrderDeliveredV1},
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{OnReject, Subscription, Topology, Transaction, reconcile::LostCommits};
use runtime::{
    Service,
    host::{Host, ServiceDefinition, StartError},
    product_receipts,
};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    app::repair_lost_levels,
    consumes::{
        order::{
            DeductParcel, DeductStock, ReceiveReturn, ReleaseCancelledOrder, ReleaseExpiredOrder,
            ReleaseLine, ReleaseRejectedOrder, ReleaseUnpaidOrder, ReserveStock,
        },
        product_catalog::{CountStock, RegisterSkus, WithdrawSkus},
    },
    domain::LowStock,
    workers::{pending_counts, retention},
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
    topology_for(LowStock::default())
}

fn topology_for(low: LowStock) -> Topology {
    Topology::new(SERVICE.name)
        .publishes::<StockReservedV1>()
        .publishes::<StockRejectedV1>()
        .publishes::<StockReleasedV1>()
        .publishes::<StockDeductedV1>()
        .publishes::<StockChangedV1>()
        .publishes::<StockAvailabilityChangedV1>()
        .publishes::<StockLowV1>()
        .publishes::<ProductAppliedV1>()
        .publishes::<ProductFailedV1>()
        .subscribes(
            Subscription::to(ORDER, [names::ORDER], OnReject::BlockKey)
                .on(ReserveStock(low))
                .on(DeductParcel(low))
                .on(DeductStock(low))
                .on(ReceiveReturn(low))
                .on(ReleaseLine(low))
                .on(ReleaseCancelledOrder(low))
                .on(ReleaseExpiredOrder(low))
                .on(ReleaseUnpaidOrder(low))
                .on(ReleaseRejectedOrder(low))
                .ignores::<OrderConfirmedV1>()
                .ignores::<OrderDeliveredV1>(),
        )
        .subscribes(
            Subscription::to(PRODUCT, [names::PRODUCT_CATALOG], OnReject::Continue)
                .on(RegisterSkus)
                .on(WithdrawSkus)
                .on_dead_letter(product_receipts::emit_product_failed(
                    SERVICE,
                    product_receipts::receipt_key,
                )),
        )
        .subscribes(
            Subscription::to(STOCK_COUNT, [names::PRODUCT_CATALOG], OnReject::Continue)
                .on(CountStock(low)),
        )
}

/// The service as the host runs it.
#[derive(Debug)]
pub struct InventoryService;

impl ServiceDefinition for InventoryService {
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

    async fn repair(tx: &mut Transaction, lost: &[LostCommits]) -> Result<(), messaging::Error> {
        repair_lost_levels(tx, lost).await
    }

    async fn start(host: &Host, config: &Config) -> Result<AppState, StartError> {
        let (outbox, lifecycle) = (host.outbox.clone(), &host.lifecycle);
        let low = config.low_stock();
        let (topology, republisher) = host.start_messaging(topology_for(low));
        lifecycle
            .spawn("pending-counts", pending_counts::run(outbox.clone(), low, lifecycle.soft()));
        lifecycle.spawn("retention", retention::run(outbox.pool().clone(), lifecycle.soft()));
        Ok(AppState { outbox, topology, republisher, verifier: host.verifier.clone(), low })
    }
}
