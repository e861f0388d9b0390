//! Events as the Segment specification describes them: `track` and `page` calls, alone or in a `batch`.
//!
//! | Segment | here |
//! |---|---|
//! | `track` Product Viewed, Product Clicked, Product Added, Product Removed | `product_viewed`, `product_clicked`, `cart_added`, `cart_removed` |
//! | `track` Product List Viewed, Product List Filtered | `list_viewed` |
//! | `track` Products Searched | `searched` |
//! | `track` Checkout Started, Order Completed | `checkout_started`, `order_completed` |
//! | `page`, `screen` | `product_viewed` with `properties.product_id` or `properties.sku`, else `list_viewed` |
//! | `messageId` | the event's id; a derived one if it is no UUID |
//! | `anonymousId`, else `userId` | the visitor |
//! | `timestamp`, `originalTimestamp`, `sentAt` | the time, corrected by `sentAt` unless Segment has done it |
//! | `product_id`, `sku` | the product, by its id or a SKU |
//! | `context.userAgent` | the user agent |
//! | `context.consent.categoryPreferences` | no consent if `analytics` is `false` |

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    event_batch::UnreadableBatch,
    foreign_event::{
        ForeignBatch, ForeignEvent, ProductNames, derived_id, kept_properties, text, unmapped,
    },
    user_event::parse_rfc3339,
};
use crate::domain::{
    event::EventKind,
    rejection::{Rejection, RejectionCode},
};

/// The session of visitors whose events name none. Pauses divide it.
const SESSION: &str = "segment";

/// The fields that name a product.
const PRODUCT_FIELDS: [&str; 2] = ["product_id", "sku"];

/// Maps the calls of a body: one, an array, or a batch.
pub(super) fn map_body(body: &Value, now: DateTime<Utc>) -> Result<ForeignBatch, UnreadableBatch> {
    let map = |call: &Value| map_call(call, &body["sentAt"], now);
    let calls = body.as_array().or_else(|| body["batch"].as_array());
    ForeignBatch::map(calls.map_or(std::slice::from_ref(body), Vec::as_slice), map)
}

fn map_call(call: &Value, sent_at: &Value, now: DateTime<Utc>) -> Result<ForeignEvent, Rejection> {
    if !call.is_object() {
        return Err(Rejection::malformed("an event is a JSON object"));
    }
    let (properties, context) = (&call["properties"], &call["context"]);
    let product = ProductNames::in_fields(properties, &PRODUCT_FIELDS);
    let kind = kind_of(call, product.is_some())?;
    let listed = properties["products"].as_array().into_iter().flatten();
    let listed = listed.filter_map(|one| ProductNames::in_fields(one, &PRODUCT_FIELDS));
    let is_order = kind == EventKind::OrderCompleted;
    let products = listed.filter(|_| is_order).chain(product).collect();
    let message_id =
        text(&call["messageId"]).ok_or_else(|| Rejection::malformed("messageId is missing"))?;
    let (occurred_at, sent_at) = times(call, sent_at, now)?;
    Ok(ForeignEvent {
        event_id: Uuid::parse_str(&message_id)
            .unwrap_or_else(|_| derived_id(&["segment", &message_id])),
        kind,
        visitor_id: visitor(call)?,
        session_id: text(&context["sessionId"]).unwrap_or_else(|| SESSION.to_owned()),
        products,
        occurred_at,
        sent_at,
        consent: consents(&context["consent"]["categoryPreferences"]),
        visitor_signature: text(&context["visitor_signature"]),
        user_agent: text(&context["userAgent"]),
        properties: kept_properties(properties),
    })
}

fn kind_of(call: &Value, has_product: bool) -> Result<EventKind, Rejection> {
    match call["type"].as_str() {
        Some("page" | "screen") if has_product => Ok(EventKind::ProductViewed),
        Some("page" | "screen") => Ok(EventKind::ListViewed),
        Some("track") => {
            let name = call["event"].as_str();
            let name = name.ok_or_else(|| Rejection::malformed("event is missing"))?;
            match name.trim().to_lowercase().as_str() {
                "product viewed" => Ok(EventKind::ProductViewed),
                "product clicked" => Ok(EventKind::ProductClicked),
                "product added" => Ok(EventKind::CartAdded),
                "product removed" => Ok(EventKind::CartRemoved),
                "product list viewed" | "product list filtered" => Ok(EventKind::ListViewed),
                "products searched" => Ok(EventKind::Searched),
                "checkout started" => Ok(EventKind::CheckoutStarted),
                "order completed" => Ok(EventKind::OrderCompleted),
                _ => Err(unmapped("event", name)),
            }
        }
        Some(other) => Err(unmapped("type", other)),
        None => Err(Rejection::malformed("type is missing")),
    }
}

/// The browser's id, which is no person's name or address.
fn visitor(call: &Value) -> Result<String, Rejection> {
    if let Some(id) = text(&call["anonymousId"]) {
        return Ok(id);
    }
    let id = text(&call["userId"])
        .ok_or_else(|| Rejection::malformed("anonymousId and userId are missing"))?;
    if id.contains('@') {
        let reason = "userId: an e-mail address is no id; send anonymousId";
        return Err(Rejection::new(RejectionCode::InvalidId, reason));
    }
    Ok(id)
}

/// When the event occurred, and when it was sent if the former must be corrected. A call with `receivedAt` comes from
/// Segment's servers, which have corrected `timestamp`.
fn times(
    call: &Value,
    sent_at: &Value,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>), Rejection> {
    let time = |name: &str, value: &Value| {
        if value.is_null() {
            return Ok(None);
        }
        let time = parse_rfc3339(value.as_str().unwrap_or_default());
        time.map(Some).map_err(|error| Rejection::malformed(format!("{name}: {error}")))
    };
    let timestamp = time("timestamp", &call["timestamp"])?;
    let is_corrected = !call["receivedAt"].is_null() && timestamp.is_some();
    if is_corrected {
        return Ok((timestamp.unwrap_or(now), None));
    }
    let original = time("originalTimestamp", &call["originalTimestamp"])?;
    let own = time("sentAt", &call["sentAt"])?;
    let sent_at = own.map_or_else(|| time("sentAt", sent_at), |own| Ok(Some(own)))?;
    match original.or(timestamp) {
        Some(occurred_at) => Ok((occurred_at, sent_at)),
        None => Ok((now, None)),
    }
}

/// Whether the visitor has not refused to be measured.
fn consents(preferences: &Value) -> bool {
    let preferences = preferences.as_object().into_iter().flatten();
    !preferences.into_iter().any(|(category, agreed)| {
        category.eq_ignore_ascii_case("analytics") && *agreed == Value::Bool(false)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::{
        super::{
            event_batch::ParsedBatch,
            event_sender::{Reception, tests::browser},
        },
        *,
    };

    const NOW: &str = "2026-11-28T10:00:05Z";
    const PRODUCT: &str = "0197a1b2-0000-7000-8000-000000000001";

    fn mapped(body: &Value) -> ParsedBatch {
        let (senders, sender) = browser();
        let now = NOW.parse().unwrap();
        let by_sku = HashMap::from([("G-32".to_owned(), PRODUCT.parse().unwrap())]);
        let batch = map_body(body, now).unwrap();
        batch.accept(&by_sku, &Reception::new(&senders, &sender, now)).unwrap()
    }

    /// The codes of the rejections.
    fn rejected(body: &Value) -> Vec<(usize, &'static str)> {
        mapped(body).rejected.iter().map(|(index, one)| (*index, one.code.as_str())).collect()
    }

    fn call(event: &str) -> Value {
        json!({
            "type": "track", "event": event, "messageId": "ajs-next-1", "anonymousId": "anon-1",
            "timestamp": "2026-11-28T10:00:00Z", "properties": {"sku": "G-32"},
        })
    }

    #[test]
    fn every_mapped_name_gives_its_event() {
        for (name, kind) in [
            ("Product Viewed", EventKind::ProductViewed),
            ("Product Clicked", EventKind::ProductClicked),
            ("Product Added", EventKind::CartAdded),
            ("product removed", EventKind::CartRemoved),
            ("Product List Viewed", EventKind::ListViewed),
            ("Products Searched", EventKind::Searched),
            ("Checkout Started", EventKind::CheckoutStarted),
            ("Order Completed", EventKind::OrderCompleted),
        ] {
            assert_eq!(mapped(&call(name)).accepted[0].event.kind, kind, "{name}");
        }
        assert_eq!(rejected(&call("Coupon Entered")), [(0, "unmapped")]);
        assert_eq!(rejected(&json!({"type": "identify"})), [(0, "unmapped")]);
    }

    #[test]
    fn a_call_that_does_not_fit_is_named() {
        let without = |field: &str| {
            let mut call = call("Product Viewed");
            call.as_object_mut().unwrap().remove(field);
            rejected(&call)
        };
        for field in ["type", "event", "messageId", "anonymousId"] {
            assert_eq!(without(field), [(0, "malformed")], "{field}");
        }
        assert_eq!(without("properties"), [(0, "missing_product")]);
        assert_eq!(without("timestamp"), []);
        let mut unknown = call("Product Viewed");
        unknown["properties"] = json!({"sku": "NONE", "product_id": "507f1f77"});
        assert_eq!(rejected(&unknown), [(0, "unknown_product")]);
        let mut named = call("Product Viewed");
        named["anonymousId"] = Value::Null;
        named["userId"] = json!("buyer@example.com");
        assert_eq!(rejected(&named), [(0, "invalid_id")]);
        assert_eq!(rejected(&json!([7, call("Product Viewed")])), [(0, "malformed")]);
    }

    #[test]
    fn times_are_corrected_once() {
        let at = |change: &dyn Fn(&mut Value)| {
            let mut call = call("Product Viewed");
            change(&mut call);
            mapped(&call).accepted[0].event.occurred_at.to_rfc3339()
        };
        assert_eq!(at(&|_| {}), "2026-11-28T10:00:00+00:00");
        let fast = |call: &mut Value| {
            call["originalTimestamp"] = json!("2027-11-28T10:00:00Z");
            call["sentAt"] = json!("2027-11-28T10:00:05Z");
        };
        assert_eq!(at(&fast), "2026-11-28T10:00:00+00:00");
        let relayed = |call: &mut Value| {
            fast(call);
            call["receivedAt"] = json!("2026-11-28T10:00:05Z");
        };
        assert_eq!(at(&relayed), "2026-11-28T10:00:00+00:00");
    }
}
