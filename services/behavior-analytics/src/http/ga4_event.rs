//! Events as the Measurement Protocol of Google Analytics 4 describes them, with the e-commerce parameters.
//!
//! | GA4 | here |
//! |---|---|
//! | `view_item`, `select_item`, `add_to_cart`, `remove_from_cart` | `product_viewed`, `product_clicked`, `cart_added`, `cart_removed`, one for each of `items` |
//! | `view_item_list`, `page_view` | `list_viewed` |
//! | `search`, `view_search_results` | `searched` |
//! | `begin_checkout`, `purchase` | `checkout_started`, `order_completed` |
//! | `client_id` | the visitor |
//! | `params.session_id` | the session |
//! | `timestamp_micros` of the event, else of the body | the time; without it the time of arrival |
//! | `item_id` | the product, by its id or a SKU |
//! | `user_agent` | the user agent |
//! | `consent.ad_user_data`, `consent.ad_personalization` | no consent if one is `DENIED` |
//!
//! GA4 has no ids of events, so they are derived: of a purchase from `transaction_id`, of others from the whole event with
//! its time. An event without a time that is sent again on the same day counts once.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    event_batch::UnreadableBatch,
    foreign_event::{
        ForeignBatch, ForeignEvent, ProductNames, derived_id, kept_properties, text, unmapped,
    },
};
use crate::domain::{event::EventKind, rejection::Rejection};

/// The session of visitors whose events name none. Pauses divide it.
const SESSION: &str = "ga4";

/// Maps the events of a body.
pub(super) fn map_body(body: &Value, now: DateTime<Utc>) -> Result<ForeignBatch, UnreadableBatch> {
    let events = body["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    ForeignBatch::map(events, |event| map_event(event, body, now))
}

fn map_event(event: &Value, body: &Value, now: DateTime<Utc>) -> Result<ForeignEvent, Rejection> {
    let params = &event["params"];
    let name = event["name"].as_str().ok_or_else(|| Rejection::malformed("name is missing"))?;
    let kind = kind_of(name)?;
    let client =
        text(&body["client_id"]).ok_or_else(|| Rejection::malformed("client_id is missing"))?;
    let items = params["items"].as_array().into_iter().flatten();
    let occurred_at = time(event, body)?;
    let sent = occurred_at.map_or_else(|| now.date_naive().to_string(), |at| at.to_rfc3339());
    let transaction = text(&params["transaction_id"]);
    let event_id = match (kind, transaction) {
        (EventKind::OrderCompleted, Some(order)) => {
            derived_id(&["ga4", "purchase", &client, &order])
        }
        _ => derived_id(&["ga4", name, &client, &sent, &params.to_string()]),
    };
    Ok(ForeignEvent {
        event_id,
        kind,
        visitor_id: client,
        session_id: text(&params["session_id"]).unwrap_or_else(|| SESSION.to_owned()),
        products: items.filter_map(|item| ProductNames::in_fields(item, &["item_id"])).collect(),
        occurred_at: occurred_at.unwrap_or(now),
        sent_at: None,
        consent: consents(&body["consent"]),
        visitor_signature: text(&body["visitor_signature"]),
        user_agent: text(&body["user_agent"]),
        properties: kept_properties(params),
    })
}

fn kind_of(name: &str) -> Result<EventKind, Rejection> {
    match name {
        "view_item" => Ok(EventKind::ProductViewed),
        "select_item" => Ok(EventKind::ProductClicked),
        "add_to_cart" => Ok(EventKind::CartAdded),
        "remove_from_cart" => Ok(EventKind::CartRemoved),
        "view_item_list" | "page_view" => Ok(EventKind::ListViewed),
        "search" | "view_search_results" => Ok(EventKind::Searched),
        "begin_checkout" => Ok(EventKind::CheckoutStarted),
        "purchase" => Ok(EventKind::OrderCompleted),
        _ => Err(unmapped("event", name)),
    }
}

fn time(event: &Value, body: &Value) -> Result<Option<DateTime<Utc>>, Rejection> {
    let micros = text(&event["timestamp_micros"]).or_else(|| text(&body["timestamp_micros"]));
    let Some(micros) = micros else { return Ok(None) };
    let micros = micros.parse().ok().and_then(DateTime::from_timestamp_micros);
    micros.map(Some).ok_or_else(|| Rejection::malformed("timestamp_micros: not a time"))
}

fn consents(consent: &Value) -> bool {
    !["ad_user_data", "ad_personalization"].iter().any(|field| consent[*field] == "DENIED")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;
    use uuid::Uuid;

    use super::{
        super::{
            event_batch::ParsedBatch,
            event_sender::{Reception, tests::browser},
        },
        *,
    };

    const PRODUCT: &str = "0197a1b2-0000-7000-8000-000000000001";

    fn mapped_at(now: &str, body: &Value) -> ParsedBatch {
        let (senders, sender) = browser();
        let now = now.parse().unwrap();
        let by_sku = HashMap::from([("55".to_owned(), PRODUCT.parse().unwrap())]);
        let batch = map_body(body, now).unwrap();
        batch.accept(&by_sku, &Reception::new(&senders, &sender, now)).unwrap()
    }

    fn mapped(body: &Value) -> ParsedBatch {
        mapped_at("2026-11-28T10:00:00Z", body)
    }

    fn body(name: &str, params: &Value) -> Value {
        json!({"client_id": "123.456", "events": [{"name": name, "params": params}]})
    }

    fn rejected(body: &Value) -> Vec<&'static str> {
        mapped(body).rejected.iter().map(|(_, one)| one.code.as_str()).collect()
    }

    #[test]
    fn every_mapped_name_gives_its_event() {
        let items = json!({"items": [{"item_id": "55"}, {"item_id": PRODUCT}]});
        for (name, kind, count) in [
            ("view_item", EventKind::ProductViewed, 2),
            ("select_item", EventKind::ProductClicked, 2),
            ("add_to_cart", EventKind::CartAdded, 2),
            ("remove_from_cart", EventKind::CartRemoved, 2),
            ("view_item_list", EventKind::ListViewed, 1),
            ("page_view", EventKind::ListViewed, 1),
            ("search", EventKind::Searched, 1),
            ("begin_checkout", EventKind::CheckoutStarted, 1),
            ("purchase", EventKind::OrderCompleted, 1),
        ] {
            let accepted = mapped(&body(name, &items)).accepted;
            assert_eq!((accepted[0].event.kind, accepted.len()), (kind, count), "{name}");
        }
        assert_eq!(rejected(&body("earn_virtual_currency", &items)), ["unmapped"]);
    }

    #[test]
    fn an_event_that_does_not_fit_is_named() {
        assert_eq!(rejected(&body("view_item", &json!({}))), ["missing_product"]);
        let unknown = json!({"items": [{"item_id": "NONE"}, {"item_id": "55"}]});
        assert_eq!(rejected(&body("view_item", &unknown)), ["unknown_product"]);
        assert_eq!(mapped(&body("purchase", &unknown)).accepted[0].event.products().len(), 1);
        assert_eq!(rejected(&json!({"events": [{"name": "view_item"}]})), ["malformed"]);
        let many = json!({"items": vec![json!({"item_id": "55"}); 201]});
        assert_eq!(rejected(&body("add_to_cart", &many)), ["too_many_products"]);
        let mut wrong = body("search", &json!({}));
        wrong["timestamp_micros"] = json!("soon");
        assert_eq!(rejected(&wrong), ["malformed"]);
        let empty = map_body(&json!({"client_id": "1"}), DateTime::UNIX_EPOCH);
        assert!(matches!(empty, Err(UnreadableBatch::EventCount)));
    }

    #[test]
    fn ids_are_the_same_when_an_event_is_sent_again() {
        let id = |now: &str, body: &Value| -> Uuid { mapped_at(now, body).accepted[0].event.id };
        let view = body("view_item", &json!({"items": [{"item_id": "55"}]}));
        let first = id("2026-11-28T10:00:00Z", &view);
        assert_eq!(id("2026-11-28T10:00:01Z", &view), first);
        assert_ne!(id("2026-11-29T10:00:00Z", &view), first);
        let order = |value: i32| {
            let params =
                json!({"transaction_id": "1333", "value": value, "items": [{"item_id": "55"}]});
            body("purchase", &params)
        };
        let ordered = id("2026-11-28T10:00:00Z", &order(85));
        assert_eq!(id("2026-11-30T10:00:00Z", &order(86)), ordered);
    }

    #[test]
    fn denied_consent_leaves_no_identity() {
        let mut body = body("search", &json!({"search_term": "dress"}));
        body["consent"] = json!({"ad_user_data": "DENIED", "ad_personalization": "GRANTED"});
        let accepted = &mapped(&body).accepted[0];
        assert!(!accepted.circumstances.consent && accepted.properties.is_none());
    }
}
