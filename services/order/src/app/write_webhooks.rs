//! Writes messages to webhook endpoints, in the transaction of the fact that they report.

use chrono::{DateTime, Utc};
use messaging::Transaction;
use runtime::clock;

use super::webhook_waker::WebhookWaker;
use crate::{
    domain::{
        Order, OrderEvent,
        webhooks::{SubscribedTypes, WebhookEventType, WebhookMessage},
    },
    publishes::webhook_message::{order_event_type, order_message},
    storage::{webhook_deliveries, webhook_endpoints},
};

/// Without an endpoint that subscribes to the events it does nothing.
pub(super) async fn write_order_webhooks(
    tx: &mut Transaction,
    waker: &WebhookWaker,
    subscribed: &SubscribedTypes,
    events: &[(&Order, &OrderEvent)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if subscribed.is_empty() {
        return Ok(());
    }
    let messages = events.iter().filter_map(|(order, event)| {
        let event_type = order_event_type(&event.kind)?;
        subscribed.contains(event_type).then(|| order_message(event_type, order, event))
    });
    let messages: Vec<WebhookMessage> = messages.collect();
    write_webhooks(tx, waker, &messages, now).await
}

/// Writes the messages of `events` whose types an endpoint subscribes to. It makes a message only of those.
pub(crate) async fn write_event_webhooks<E>(
    tx: &mut Transaction,
    waker: &WebhookWaker,
    events: &[&E],
    type_of: impl Fn(&E) -> WebhookEventType,
    message_of: impl Fn(&E) -> WebhookMessage,
) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let subscribed = webhook_endpoints::subscribed_types(tx).await?;
    let wanted = events.iter().filter(|event| subscribed.contains(type_of(event)));
    let messages: Vec<WebhookMessage> = wanted.map(|event| message_of(event)).collect();
    write_webhooks(tx, waker, &messages, clock::now()).await
}

async fn write_webhooks(
    tx: &mut Transaction,
    waker: &WebhookWaker,
    messages: &[WebhookMessage],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if messages.is_empty() {
        return Ok(());
    }
    webhook_deliveries::insert(tx, messages, now).await?;
    let waker = waker.clone();
    tx.after_commit(move || waker.wake());
    Ok(())
}
