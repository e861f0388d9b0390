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

use std::path::Path;

use contracts::{
    behavior::ERASURE,
    catalog::PRODUCT,
    inventory::{AVAILABILITY, RESERVATION},
    order::{
        CustomerErasedV1, OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1,
        OrderLineCancelledV1, OrderParcelShippedV1, OrderPaymentFailedV1, OrderPlacedV1,
        OrderRejectedV1, OrderReturnReceivedV1, OrderShippedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1},
};
use messaging::{OnReject, Subscription, Topology, Transaction, reconcile::LostCommits};
use runtime::{
    Service,
    host::{Host, ServiceDefinition, StartError},
    product_receipts::{emit_product_failed, receipt_key},
};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    app::{
        order_ids::OrderIds, order_process::OrderProcess, payment_provider::PaymentProvider,
        repair_lost_erasures::repair_lost_erasures, repair_lost_orders::repair_lost_orders,
        replay_offers::OfferReplayer, webhook_client::WebhookClient, worker_waker::WorkerWaker,
    },
    consumes::{
        behavior_analytics::erasure_completed::RecordErasure,
        inventory::{
            stock_availability_changed::ReportAvailability, stock_deducted::RecordStockDeducted,
            stock_low::ReportLowStock, stock_rejected::RejectOrder,
            stock_released::RecordStockReleased, stock_reserved::ConfirmReservation,
        },
        product_catalog::{product_changed::UpdateOffers, product_deleted::WithdrawOffers},
    },
    domain::{OrderLimits, ProcessDeadlines},
    names::{BEHAVIOR_ANALYTICS, INVENTORY, PRODUCT_CATALOG},
    state::{ShopTimeZone, TestPayments, WebhookSecret},
    workers::{
        deadlines::DeadlineWorker, erasures, order_batcher::OrderBatcher,
        provider_requests::ProviderWorker, retention, webhooks::WebhookWorker,
    },
};

pub use crate::{
    config::Config,
    domain::{InvalidPriorityQueues, PriorityQueues},
    names::SERVICE,
    state::AppState,
};

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All migrations of the service's database, in the order in which they run.
pub fn migrators() -> [&'static Migrator; 3] {
    [&messaging::MIGRATOR, &idempotency::MIGRATOR, &MIGRATOR]
}

/// Everything that the service publishes and subscribes to.
pub fn topology() -> Topology {
    topology_for(&OrderProcess::new(ProcessDeadlines::default(), OrderLimits::DEFAULT))
}

fn topology_for(process: &OrderProcess) -> Topology {
    let reservations = Subscription::to(RESERVATION, [INVENTORY], OnReject::BlockKey)
        .on(ConfirmReservation(process.clone()))
        .on(RejectOrder(process.clone()))
        .on(RecordStockReleased(process.clone()))
        .on(RecordStockDeducted(process.clone()));
    let products = Subscription::to(PRODUCT, [PRODUCT_CATALOG], OnReject::Continue)
        .on(UpdateOffers(process.webhook_waker().clone()))
        .on(WithdrawOffers(process.webhook_waker().clone()))
        .on_dead_letter(emit_product_failed(SERVICE, receipt_key));
    let availability = Subscription::to(AVAILABILITY, [INVENTORY], OnReject::Continue)
        .on(ReportAvailability(process.webhook_waker().clone()))
        .on(ReportLowStock(process.webhook_waker().clone()));
    let erasures =
        Subscription::to(ERASURE, [BEHAVIOR_ANALYTICS], OnReject::Continue).on(RecordErasure);
    Topology::new(SERVICE.name)
        .publishes::<OrderPlacedV1>()
        .publishes::<OrderConfirmedV1>()
        .publishes::<OrderParcelShippedV1>()
        .publishes::<OrderShippedV1>()
        .publishes::<OrderDeliveredV1>()
        .publishes::<OrderReturnReceivedV1>()
        .publishes::<OrderRejectedV1>()
        .publishes::<OrderPaymentFailedV1>()
        .publishes::<OrderExpiredV1>()
        .publishes::<OrderCancelledV1>()
        .publishes::<OrderLineCancelledV1>()
        .publishes::<CustomerErasedV1>()
        .publishes::<ProductAppliedV1>()
        .publishes::<ProductFailedV1>()
        .subscribes(reservations)
        .subscribes(products)
        .subscribes(availability)
        .subscribes(erasures)
}

/// The definition of the service for [`runtime::host`].
#[derive(Debug)]
pub struct OrderService;

impl ServiceDefinition for OrderService {
    type Config = Config;
    type State = AppState;

    const SERVICE: Service = SERVICE;

    fn migrators() -> Vec<&'static Migrator> {
        migrators().to_vec()
    }

    fn topology() -> Topology {
        topology()
    }

    fn routes() -> OpenApiRouter<AppState> {
        http::routes()
    }

    async fn repair(tx: &mut Transaction, lost: &[LostCommits]) -> Result<(), messaging::Error> {
        repair_lost_orders(tx, lost).await?;
        repair_lost_erasures(tx, lost).await
    }

    async fn start(host: &Host, config: &Config) -> Result<AppState, StartError> {
        let secret_file = config.webhook_secret_file.as_deref();
        let webhook_secret =
            WebhookSecret::read(secret_file).map_err(StartError::part(format!(
                "the verification of webhooks with the secret in {}",
                secret_file.unwrap_or(Path::new("")).display()
            )))?;
        if config.test_payments {
            tracing::warn!("test payments are on: customers can pay with play money");
        }
        let (outbox, lifecycle) = (host.outbox.clone(), &host.lifecycle);
        let provider = payment_provider(config)?;
        let process = OrderProcess::new(config.deadlines(), config.limits())
            .with_return_window(config.return_window())
            .with_order_ids(order_ids(config)?);
        let process = if provider.is_some() { process.with_provider() } else { process };
        let topology = topology_for(&process);
        let (topology, republisher) = host.start_messaging(topology);
        let deadlines = DeadlineWorker::new(outbox.clone(), process.clone());
        lifecycle.spawn("deadlines", deadlines.run(lifecycle.soft()));
        if config.webhook_allow_private_addresses {
            tracing::warn!("webhooks may be sent to private addresses and without TLS");
        }
        let webhook_client = WebhookClient::new(config.webhook_addresses(), config.webhook_timeout);
        let webhooks = WebhookWorker::new(
            outbox.clone(),
            webhook_client.clone(),
            process.webhook_waker().clone(),
        );
        lifecycle.spawn("webhooks", webhooks.run(lifecycle.soft()));
        if let Some(provider) = provider.clone() {
            let requests = ProviderWorker::new(outbox.clone(), process.clone(), provider);
            lifecycle.spawn("payment provider", requests.run(lifecycle.soft()));
        }
        lifecycle.spawn("retention", retention::run(outbox.pool().clone(), lifecycle.soft()));

        let erasure_waker = WorkerWaker::default();
        let erasures = erasures::run(outbox.clone(), erasure_waker.clone(), lifecycle.soft());
        lifecycle.spawn("erasures", erasures);

        // The worker ends after the last request: the router holds the only batcher.
        let (order_batcher, worker) = OrderBatcher::new();
        let run = worker.run(outbox.clone(), process.clone(), http::place_order::render);
        lifecycle.spawn("order batcher", run);

        let offer_replayer = OfferReplayer::new(
            outbox.clone(),
            host.amqp_url(),
            topology.clone(),
            config.product_catalog_url.clone(),
            host.client_tls()?,
        );
        let verifier = host.verifier.clone();
        Ok(AppState {
            outbox,
            topology,
            republisher,
            verifier,
            process,
            order_batcher,
            webhook_secret,
            test_payments: TestPayments(config.test_payments),
            payment_provider: provider,
            time_zone: ShopTimeZone(config.time_zone),
            offer_replayer,
            webhook_client,
            erasure_waker,
        })
    }
}

/// How ids of orders are drawn.
fn order_ids(config: &Config) -> Result<OrderIds, StartError> {
    let slot_groups = &config.common.broker.queues.slot_groups;
    OrderIds::new(config.priority_queues, slot_groups)
        .map_err(StartError::part("the queues of urgent orders"))
}

/// The payment provider of the configuration, if there is one.
fn payment_provider(config: &Config) -> Result<Option<PaymentProvider>, StartError> {
    let Some(url) = &config.payment_provider_url else { return Ok(None) };
    let file = config.payment_provider_secret_file.as_deref().unwrap_or(Path::new(""));
    let part = || format!("the payment provider with the secret in {}", file.display());
    let secret = std::fs::read_to_string(file).map_err(StartError::part(part()))?;
    let key = secret.parse().map_err(StartError::part(part()))?;
    Ok(Some(PaymentProvider::new(url, key, config.payment_provider_timeout)))
}
