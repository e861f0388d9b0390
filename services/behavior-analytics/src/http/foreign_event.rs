//! Events of other systems, mapped to those of this service.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    event_batch::{MAX_EVENTS, ParsedBatch, UnreadableBatch},
    event_sender::Reception,
    user_event::UserEvent,
};
use crate::{
    app::{ingest_events::AcceptedEvent, sender::stored_agent},
    domain::{
        event::{EventKind, MAX_ORDER_PRODUCTS},
        rejection::{Rejection, RejectionCode},
    },
};

/// The properties that are kept. Others may be about a person.
const KEPT_PROPERTIES: [&str; 7] =
    ["query", "search_term", "list_id", "category", "quantity", "currency", "value"];

/// The longest property that is kept, in bytes.
const MAX_PROPERTY_BYTES: usize = 200;

/// A product by the names that another system gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ProductNames {
    pub(super) product_id: Option<Uuid>,
    pub(super) skus: Vec<String>,
}

impl ProductNames {
    /// The names in these fields of an object. A UUID is a product's id, all else a SKU. `None` without any.
    pub(super) fn in_fields(object: &Value, fields: &[&str]) -> Option<Self> {
        let mut names = Self::default();
        for text in fields.iter().filter_map(|field| text(&object[*field])) {
            match Uuid::parse_str(&text) {
                Ok(id) => names.product_id = names.product_id.or(Some(id)),
                Err(_) => names.skus.push(text),
            }
        }
        (names != Self::default()).then_some(names)
    }

    fn resolve(&self, by_sku: &HashMap<String, Uuid>) -> Result<Uuid, Rejection> {
        let by_sku = || self.skus.iter().find_map(|sku| by_sku.get(sku)).copied();
        self.product_id.or_else(by_sku).ok_or_else(|| {
            let reason = "the product is not in the catalogue: send its id, or one of its SKUs";
            Rejection::new(RejectionCode::UnknownProduct, reason)
        })
    }
}

/// A mapped event, whose products are not resolved yet.
#[derive(Debug, Clone)]
pub(super) struct ForeignEvent {
    pub(super) event_id: Uuid,
    pub(super) kind: EventKind,
    pub(super) visitor_id: String,
    pub(super) session_id: String,
    pub(super) products: Vec<ProductNames>,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) sent_at: Option<DateTime<Utc>>,
    pub(super) consent: bool,
    pub(super) visitor_signature: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) properties: Map<String, Value>,
}

/// The events of a request, in its order.
#[derive(Debug, Default)]
pub(super) struct ForeignBatch(Vec<Result<ForeignEvent, Rejection>>);

impl ForeignBatch {
    /// Maps each event of a request.
    pub(super) fn map(
        events: &[Value],
        map: impl Fn(&Value) -> Result<ForeignEvent, Rejection>,
    ) -> Result<Self, UnreadableBatch> {
        if !(1..=MAX_EVENTS).contains(&events.len()) {
            return Err(UnreadableBatch::EventCount);
        }
        Ok(Self(events.iter().map(map).collect()))
    }

    /// All SKUs that the events name.
    pub(super) fn skus(&self) -> Vec<String> {
        let events = self.0.iter().flatten();
        events.flat_map(|event| &event.products).flat_map(|names| names.skus.clone()).collect()
    }

    /// Checks each event like one of this service. An event of several products becomes one for each.
    pub(super) fn accept(
        self,
        by_sku: &HashMap<String, Uuid>,
        reception: &Reception<'_>,
    ) -> Result<ParsedBatch, UnreadableBatch> {
        let mut batch = ParsedBatch::default();
        for (index, event) in self.0.into_iter().enumerate() {
            let events = match event.and_then(|event| event.user_events(by_sku)) {
                Ok(events) => events,
                Err(rejection) => {
                    batch.rejected.push((index, rejection));
                    continue;
                }
            };
            for (event, user_agent) in events {
                match event.and_then(|event| event.accept(reception)) {
                    Ok(accepted) => batch.accepted.push(with_agent(accepted, user_agent)),
                    Err(rejection) => batch.rejected.push((index, rejection)),
                }
            }
            if batch.accepted.len() + batch.rejected.len() > MAX_EVENTS {
                return Err(UnreadableBatch::EventCount);
            }
        }
        Ok(batch)
    }
}

fn with_agent(mut accepted: AcceptedEvent, user_agent: Option<String>) -> AcceptedEvent {
    if accepted.circumstances.consent
        && let Some(agent) = user_agent
    {
        accepted.circumstances.user_agent = stored_agent(&agent);
    }
    accepted
}

/// An event of this service, or why there is none, and the user agent that was sent with it.
type Mapped = (Result<UserEvent, Rejection>, Option<String>);

impl ForeignEvent {
    fn user_events(self, by_sku: &HashMap<String, Uuid>) -> Result<Vec<Mapped>, Rejection> {
        if self.products.len() > MAX_ORDER_PRODUCTS {
            let reason = format!("the event names more than {MAX_ORDER_PRODUCTS} products");
            return Err(Rejection::new(RejectionCode::TooManyProducts, reason));
        }
        let resolved: Vec<Result<Uuid, Rejection>> =
            self.products.iter().map(|names| names.resolve(by_sku)).collect();
        if self.kind == EventKind::OrderCompleted {
            return Ok(vec![self.order(resolved)?]);
        }
        if resolved.is_empty() || !self.kind.requires_product() {
            return Ok(vec![(Ok(self.user_event(self.event_id, None)), self.user_agent)]);
        }
        let events = (0_u32..).zip(resolved).map(|(place, product)| {
            let event_id = match place {
                0 => self.event_id,
                _ => derived_id(&[&self.event_id.to_string(), &place.to_string()]),
            };
            let event = product.map(|product| self.user_event(event_id, Some(product)));
            (event, self.user_agent.clone())
        });
        Ok(events.collect())
    }

    /// An order keeps the products that are known.
    fn order(mut self, resolved: Vec<Result<Uuid, Rejection>>) -> Result<Mapped, Rejection> {
        let (known, unknown): (Vec<_>, Vec<_>) = resolved.into_iter().partition(Result::is_ok);
        let known: Vec<Uuid> = known.into_iter().flatten().collect();
        if known.is_empty()
            && let Some(Err(rejection)) = unknown.into_iter().next()
        {
            return Err(rejection);
        }
        self.properties.insert("product_ids".to_owned(), json!(known));
        Ok((Ok(self.user_event(self.event_id, None)), self.user_agent))
    }

    fn user_event(&self, event_id: Uuid, product_id: Option<Uuid>) -> UserEvent {
        UserEvent {
            event_id,
            kind: self.kind.as_str().to_owned(),
            visitor_id: self.visitor_id.clone(),
            session_id: self.session_id.clone(),
            product_id,
            occurred_at: self.occurred_at,
            sent_at: self.sent_at,
            consent: Some(self.consent),
            visitor_signature: self.visitor_signature.clone(),
            properties: Some(self.properties.clone()),
        }
    }
}

/// An id that is always the same for these parts: an event that is sent again has it again.
pub(super) fn derived_id(parts: &[&str]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Uuid::new_v8(bytes)
}

/// A text or a number as text. Others are `None`, and so is an empty text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// The properties that may be kept.
pub(super) fn kept_properties(properties: &Value) -> Map<String, Value> {
    let short = |value: &Value| text(value).is_some_and(|text| text.len() <= MAX_PROPERTY_BYTES);
    let kept = KEPT_PROPERTIES.into_iter().map(|name| (name, &properties[name]));
    kept.filter(|(_, value)| short(value))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

pub(super) fn unmapped(what: &str, name: &str) -> Rejection {
    let name: String = name.chars().take(40).collect();
    let reason = format!("{what} {name:?} has no counterpart here");
    Rejection::new(RejectionCode::Unmapped, reason)
}
