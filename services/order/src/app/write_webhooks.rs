//! Writes messages to webhook endpoints, in the transaction of the fact that they report.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use messaging::Transaction;
use runtime::clock;
use vocabulary::OrderId;

use super::worker_waker::WorkerWaker;
use crate::{
    domain::{
        Address, Order, OrderEvent, OrderEventKind,
        webhooks::{SubscribedTypes, WebhookEventType, WebhookMessage},
    },
    publishes::webhook_message::{order_event_type, order_message, shipment_requests},
    storage::{orders, webhook_deliveries, webhook_endpoints},
};

/// Without an endpoint that subscribes to the events it does nothing.
pub(super) async fn write_order_webhooks(
    tx: &mut Transaction,
    waker: &WorkerWaker,
    subscribed: &SubscribedTypes,
    events: &[(&Order, &OrderEvent)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if subscribed.is_empty() {
        return Ok(());
    }
    let addresses = addresses_for_carriers(tx, subscribed, events).await?;
    let mut messages = Vec::new();
    for (order, event) in events {
        let event_type = order_event_type(&event.kind).filter(|kind| subscribed.contains(*kind));
        messages.extend(event_type.map(|event_type| order_message(event_type, order, event)));
        if let (OrderEventKind::Confirmed(_), Some(address)) =
            (&event.kind, addresses.get(&order.id))
        {
            messages.extend(shipment_requests(order, address, event.at));
        }
    }
    write_webhooks(tx, waker, &messages, now).await
}

/// The addresses of the orders that were paid, if an endpoint of a carrier wants them.
async fn addresses_for_carriers(
    tx: &mut Transaction,
    subscribed: &SubscribedTypes,
    events: &[(&Order, &OrderEvent)],
) -> Result<HashMap<OrderId, Address>, sqlx::Error> {
    if !subscribed.contains(WebhookEventType::ShipmentRequested) {
        return Ok(HashMap::new());
    }
    let is_paid = |event: &OrderEvent| matches!(event.kind, OrderEventKind::Confirmed(_));
    let paid = events.iter().filter(|(_, event)| is_paid(event));
    let paid: Vec<OrderId> = paid.map(|(order, _)| order.id).collect();
    if paid.is_empty() { Ok(HashMap::new()) } else { orders::addresses(tx, &paid).await }
}

/// Writes the messages of `events` whose types an endpoint subscribes to. It makes a message only of those.
pub(crate) async fn write_event_webhooks<E>(
    tx: &mut Transaction,
    waker: &WorkerWaker,
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
    waker: &WorkerWaker,
    messages: &[WebhookMessage],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if messages.is_empty() {
        return Ok(());
    }
    webhook_deliveries::insert(tx, messages, now).await?;
    waker.wake_after_commit(tx);
    Ok(())
}
