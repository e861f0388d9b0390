//! Records attempts to deliver messages: what becomes of the deliveries, and of the health of their endpoints.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use vocabulary::WebhookEndpointId;

use crate::{
    domain::webhooks::{
        Attempt, AttemptResult, DeliveryStatus, EndpointHealth, EndpointStatus, next_attempt,
    },
    storage::{
        webhook_deliveries::{self, ClaimedDelivery, DeliveryUpdate},
        webhook_endpoints,
    },
};

/// A delivery after its attempt.
#[derive(Debug)]
pub(crate) struct SentDelivery {
    pub(crate) delivery: ClaimedDelivery,
    pub(crate) attempt: Attempt,
    /// Whether the endpoint had no failure when the delivery was claimed.
    pub(crate) was_perfect: bool,
}

/// Returns the endpoints that are disabled from now on; the caller discards what waits for them.
pub(crate) async fn record_webhook_attempts(
    connection: &mut PgConnection,
    sent: &[SentDelivery],
    now: DateTime<Utc>,
) -> Result<Vec<WebhookEndpointId>, sqlx::Error> {
    // Endpoints are locked before their deliveries, as everywhere.
    let disabled = record_health(connection, sent, now).await?;
    let updates: Vec<DeliveryUpdate<'_>> = sent.iter().map(|sent| update(sent, now)).collect();
    webhook_deliveries::record(connection, &updates, now).await?;
    Ok(disabled)
}

fn update(sent: &SentDelivery, now: DateTime<Utc>) -> DeliveryUpdate<'_> {
    let SentDelivery { delivery, attempt, .. } = sent;
    let attempts = u32::try_from(delivery.attempts).unwrap_or_default().saturating_add(1);
    let (status, next_attempt_at) = match &attempt.result {
        AttemptResult::Delivered { .. } => (DeliveryStatus::Delivered, now),
        AttemptResult::Gone => (DeliveryStatus::Failed, now),
        AttemptResult::Failed(_) => {
            match next_attempt(attempts, delivery.started_at, now, rand::random()) {
                Some(next) => (DeliveryStatus::Pending, next),
                None => (DeliveryStatus::Failed, now),
            }
        }
    };
    DeliveryUpdate { delivery, attempt, status, next_attempt_at }
}

async fn record_health(
    connection: &mut PgConnection,
    sent: &[SentDelivery],
    now: DateTime<Utc>,
) -> Result<Vec<WebhookEndpointId>, sqlx::Error> {
    // A success of an endpoint without failures changes nothing: the common path locks no endpoint.
    let matters = |sent: &&SentDelivery| {
        !sent.was_perfect || !matches!(sent.attempt.result, AttemptResult::Delivered { .. })
    };
    let touched: BTreeSet<WebhookEndpointId> =
        sent.iter().filter(matters).map(|sent| sent.delivery.endpoint).collect();
    if touched.is_empty() {
        return Ok(Vec::new());
    }
    let touched: Vec<WebhookEndpointId> = touched.into_iter().collect();
    let mut disabled = Vec::new();
    for (endpoint, before) in webhook_endpoints::lock_health(connection, &touched).await? {
        let attempts = sent.iter().filter(|sent| sent.delivery.endpoint == endpoint);
        let after = attempts
            .fold(before, |health: EndpointHealth, sent| health.after(&sent.attempt.result, now));
        if after == before {
            continue;
        }
        webhook_endpoints::set_health(connection, endpoint, after).await?;
        match (before.status, after.status) {
            (EndpointStatus::Paused { .. }, EndpointStatus::Active) => {
                tracing::info!(%endpoint, "a webhook endpoint is back");
                webhook_deliveries::make_due(connection, endpoint, now).await?;
            }
            (EndpointStatus::Active, EndpointStatus::Paused { .. }) => {
                tracing::warn!(%endpoint, "paused a webhook endpoint that fails");
                metrics::counter!("webhook_endpoints_paused_total").increment(1);
            }
            (_, EndpointStatus::Disabled(reason)) => {
                tracing::warn!(%endpoint, reason = reason.as_str(), "disabled a webhook endpoint");
                metrics::counter!("webhook_endpoints_disabled_total").increment(1);
                disabled.push(endpoint);
            }
            (EndpointStatus::Active | EndpointStatus::Disabled(_), EndpointStatus::Active)
            | (
                EndpointStatus::Paused { .. } | EndpointStatus::Disabled(_),
                EndpointStatus::Paused { .. },
            ) => {}
        }
    }
    Ok(disabled)
}
