//! What the HTTP handlers share.

use std::{io, path::Path, sync::Arc};

use axum::extract::FromRef;
use chrono_tz::Tz;
use messaging::{Outbox, Topology, republish::Republisher};
use runtime::{auth::Verifier, config::Secret};

use crate::{
    app::{
        order_process::OrderProcess, payment_provider::PaymentProvider,
        replay_offers::OfferReplayer, webhook_client::WebhookClient, worker_waker::WorkerWaker,
    },
    workers::order_batcher::OrderBatcher,
};

#[derive(Clone, FromRef)]
pub struct AppState {
    pub(crate) outbox: Outbox,
    pub(crate) topology: Topology,
    pub(crate) republisher: Republisher,
    pub(crate) verifier: Verifier,
    pub(crate) process: OrderProcess,
    pub(crate) order_batcher: OrderBatcher,
    pub(crate) webhook_secret: WebhookSecret,
    pub(crate) test_payments: TestPayments,
    pub(crate) payment_provider: Option<PaymentProvider>,
    pub(crate) time_zone: ShopTimeZone,
    pub(crate) offer_replayer: OfferReplayer,
    pub(crate) webhook_client: WebhookClient,
    /// Of the erasure worker. Those of other workers belong to the process.
    pub(crate) erasure_waker: WorkerWaker,
}

/// The time zone of days.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShopTimeZone(pub(crate) Tz);

/// Whether customers may pay with play money.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestPayments(pub(crate) bool);

/// The secret that signs webhooks; without it all webhooks are refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct WebhookSecret(Option<Arc<Secret>>);

impl WebhookSecret {
    /// Reads the secret from `file`, without the white space around it.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, io::Error> {
        let Some(file) = file else { return Ok(Self(None)) };
        let text = std::fs::read_to_string(file)?;
        let secret = text.trim();
        if secret.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
        }
        Ok(Self(Some(Arc::new(secret.into()))))
    }

    pub(crate) fn get(&self) -> Option<&Secret> {
        self.0.as_deref()
    }
}
