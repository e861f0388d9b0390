#![doc = include_str!("../README.md")]

pub mod domain;

mod app;
mod workers;

mod http;
mod publishes;

mod consumes;
mod storage;

mod state;

mod config;
mod names;

use std::{convert::Infallible, fs, sync::Arc, time::Duration};

use contracts::{
    behavior::{ErasureCompletedV1, PopularityChangedV1, USER_EVENTS_STREAM},
    catalog::PRODUCT,
    inventory::STOCK,
    order::{
        CUSTOMER, ORDER, OrderCancelledV1, OrderDeliveredV1, OrderExpiredV1, OrderLineCancelledV1,
        OrderParcelShippedV1, OrderPaymentFailedV1, OrderPlacedV1, OrderRejectedV1,
        OrderReturnReceivedV1, OrderShippedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{
    OnReject, Subscription, Topology, Transaction,
    reconcile::LostCommits,
    streams::{self, StreamWriter},
};
use runtime::{
    Service,
    host::{Host, ServiceDefinition, StartError},
    product_receipts::{emit_product_failed, receipt_key},
};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    app::{
        classify_events::Histories, model_waker::ModelWaker, recommender::Recommender,
        repair_popularity::repair_popularity, replay_user_events::UserEventReplayer,
        rules_waker::RulesWaker, sender::Senders, store_user_events::CONSUMER,
        visitor_limiter::VisitorLimiter,
    },
    consumes::{
        behavior_analytics::user_events::StoreUserEvents,
        inventory::stock_changed::UpdateStock,
        order::{customer_erased::EraseCustomers, order_confirmed::StoreBasket},
        product_catalog::{product_changed::UpdateProduct, product_deleted::DeleteProduct},
    },
    domain::visitor_keys::VisitorKeys,
    workers::{model_updater::ModelUpdater, popularity_publisher, recounter, retention},
};

pub use crate::{config::Config, names::SERVICE, state::AppState};

/// The time between two batches of orders or of stock levels: recommendations learn within a second, and larger batches cost less.
const ANALYSIS_INTERVAL: Duration = Duration::from_millis(100);

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All migrations of the service's database, in the order in which they run.
pub fn migrators() -> [&'static Migrator; 2] {
    [&messaging::MIGRATOR, &MIGRATOR]
}

/// Everything that the service publishes and subscribes to.
pub fn topology() -> Topology {
    topology_for(&ModelWaker::default())
}

fn topology_for(waker: &ModelWaker) -> Topology {
    let orders = Subscription::to(ORDER, [names::ORDER], OnReject::Continue)
        .min_interval(ANALYSIS_INTERVAL)
        .on(StoreBasket(waker.clone()))
        .ignores::<OrderPlacedV1>()
        .ignores::<OrderParcelShippedV1>()
        .ignores::<OrderShippedV1>()
        .ignores::<OrderDeliveredV1>()
        .ignores::<OrderReturnReceivedV1>()
        .ignores::<OrderRejectedV1>()
        .ignores::<OrderPaymentFailedV1>()
        .ignores::<OrderExpiredV1>()
        .ignores::<OrderCancelledV1>()
        .ignores::<OrderLineCancelledV1>();
    let customers = Subscription::to(CUSTOMER, [names::ORDER], OnReject::Continue)
        .on(EraseCustomers(waker.clone()));
    let products = Subscription::to(PRODUCT, [names::PRODUCT_CATALOG], OnReject::Continue)
        .on(UpdateProduct(waker.clone()))
        .on(DeleteProduct(waker.clone()))
        .on_dead_letter(emit_product_failed(SERVICE, receipt_key));
    let stock = Subscription::to(STOCK, [names::INVENTORY], OnReject::Continue)
        .min_interval(ANALYSIS_INTERVAL)
        .on(UpdateStock(waker.clone()));
    Topology::new(SERVICE.name)
        .publishes::<PopularityChangedV1>()
        .publishes::<ErasureCompletedV1>()
        .publishes::<ProductAppliedV1>()
        .publishes::<ProductFailedV1>()
        .subscribes(orders)
        .subscribes(customers)
        .subscribes(products)
        .subscribes(stock)
        .stream(USER_EVENTS_STREAM)
}

/// The definition of the service for [`runtime::host`].
#[derive(Debug)]
pub struct BehaviorAnalytics;

impl ServiceDefinition for BehaviorAnalytics {
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
        repair_popularity(tx, lost).await
    }

    async fn start(host: &Host, config: &Config) -> Result<AppState, StartError> {
        let (lifecycle, outbox) = (&host.lifecycle, host.outbox.clone());
        let pool = outbox.pool().clone();
        let waker = ModelWaker::default();
        let topology = topology_for(&waker);
        let (topology, republisher) = host.start_messaging(topology);

        let (recommender, model) = Recommender::new(waker.clone());
        let component = host.health.component("model");
        let updater =
            ModelUpdater::new(outbox.clone(), model, component, waker.clone(), config.model_days);
        lifecycle.spawn("model updater", updater.run(lifecycle.soft()));
        let publisher =
            popularity_publisher::run(outbox.clone(), recommender.clone(), lifecycle.soft());
        lifecycle.spawn("popularity publisher", publisher);
        let rules = RulesWaker::default();
        let recounter =
            recounter::run(outbox.clone(), rules.clone(), waker.clone(), lifecycle.soft());
        lifecycle.spawn("recounter", recounter);
        let retention = retention::run(pool, config.retention_days, lifecycle.soft());
        lifecycle.spawn("retention", retention);

        let stream = start_stream(host, &waker);
        let replayer =
            UserEventReplayer::new(outbox.clone(), host.amqp_url(), config.retention_days, waker);
        let verifier = host.verifier.clone();
        let senders = Senders::new(visitor_keys(config)?, config.event_senders.clone());
        let visitors = VisitorLimiter::new(&config.common.http.client_limits);
        Ok(AppState {
            outbox,
            topology,
            republisher,
            verifier,
            stream,
            recommender,
            replayer,
            senders,
            visitors,
            rules,
        })
    }
}

/// The keys that sign visitor ids; none without a file.
fn visitor_keys(config: &Config) -> Result<VisitorKeys, StartError> {
    let Some(file) = &config.visitor_key_file else {
        tracing::warn!("VISITOR_KEY_FILE is not set: no visitor gets a signature");
        return Ok(VisitorKeys::none());
    };
    let failed = || format!("the keys of visitors in {}", file.display());
    let text = fs::read_to_string(file).map_err(StartError::part(failed()))?;
    VisitorKeys::parse(&text).map_err(StartError::part(failed()))
}

/// Starts the writer and the reader of the stream of user events.
fn start_stream(host: &Host, waker: &ModelWaker) -> StreamWriter {
    let (writer, task) = StreamWriter::new(host.amqp_url(), USER_EVENTS_STREAM);
    let task = task.signed(host.outbox.signatures().clone());
    let stop = host.lifecycle.soft();
    host.lifecycle.spawn("stream writer", async move {
        task.run(stop).await;
        Ok::<_, Infallible>(())
    });
    let reader = streams::read(
        host.outbox.clone(),
        host.amqp_url().to_owned(),
        USER_EVENTS_STREAM,
        CONSUMER,
        Arc::new(StoreUserEvents { waker: waker.clone(), histories: Histories::default() }),
        host.lifecycle.soft(),
    );
    host.lifecycle.spawn("stream reader", async move {
        reader.await;
        Ok::<_, Infallible>(())
    });
    writer
}
