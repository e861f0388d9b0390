//! A user event as clients send it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};
use uuid::Uuid;

use super::event_sender::Reception;
use crate::{
    app::ingest_events::AcceptedEvent,
    domain::{
        event::{Event, EventKind, OrderDetails, check_occurred_at, corrected},
        identity::{SessionId, VisitorId},
        rejection::{Rejection, RejectionCode},
    },
};

/// The most bytes that the properties of one event may take as compact JSON.
const MAX_PROPERTIES_BYTES: usize = 8 * 1024;

/// An action of a visitor. Unknown fields are ignored.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub(super) struct UserEvent {
    /// Chosen by the client. An event that is sent again with the same id counts once.
    pub(super) event_id: Uuid,
    /// `product_viewed`, `list_viewed`, `product_clicked`, `searched`, `cart_added`, `cart_removed`,
    /// `checkout_started` or `order_completed`.
    #[serde(rename = "type")]
    #[schema(example = "product_viewed")]
    pub(super) kind: String,
    /// 1 to 64 visible characters.
    pub(super) visitor_id: String,
    /// 1 to 64 visible characters.
    pub(super) session_id: String,
    /// Required by `product_viewed`, `product_clicked`, `cart_added` and `cart_removed`.
    pub(super) product_id: Option<Uuid>,
    /// By the client's clock, corrected with `sent_at`: within the last 7 days, and at most 10 minutes in the
    /// future.
    #[serde(deserialize_with = "rfc3339")]
    pub(super) occurred_at: DateTime<Utc>,
    /// When the client sends the event, by the same clock. The difference to the time of arrival corrects
    /// `occurred_at`.
    #[serde(default, deserialize_with = "optional_rfc3339")]
    pub(super) sent_at: Option<DateTime<Utc>>,
    /// `false` if the visitor has not agreed to be measured. Then ids and properties are not stored, and the event
    /// counts nowhere.
    pub(super) consent: Option<bool>,
    /// The signature of `visitor_id` from `POST /v1/visitors`. Visitors without one count less.
    pub(super) visitor_signature: Option<String>,
    /// Any other data: an object of up to 8 KiB. An order lists its products in `product_ids`.
    pub(super) properties: Option<Map<String, Value>>,
}

fn rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    parse_rfc3339(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn optional_rfc3339<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_rfc3339(&text)).transpose().map_err(D::Error::custom)
}

pub(super) fn parse_rfc3339(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.with_timezone(&Utc)).map_err(|_| "not an RFC 3339 time")
}

impl UserEvent {
    /// Checks that all fields are present and have the right types.
    pub(super) fn parse(raw: Value) -> Result<Self, Rejection> {
        if !raw.is_object() {
            return Err(Rejection::malformed("an event is a JSON object"));
        }
        if let Some(path) = foreign_path(&raw) {
            return Err(Rejection::malformed(format!("send events of this form to {path}")));
        }
        serde_path_to_error::deserialize(raw).map_err(|error| {
            let (path, message) = (error.path().to_string(), error.inner().to_string());
            let missing =
                message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            Rejection::malformed(match missing {
                Some(field) => format!("{field} is missing"),
                None => format!("{path}: {message}"),
            })
        })
    }

    /// Checks the values of an event, and corrects its time.
    pub(super) fn accept(self, reception: &Reception<'_>) -> Result<AcceptedEvent, Rejection> {
        let kind: EventKind = self.kind.parse()?;
        let visitor_id = VisitorId::parse(&self.visitor_id)
            .map_err(|error| Rejection::invalid_id("visitor_id", error))?;
        let session_id = SessionId::parse(&self.session_id)
            .map_err(|error| Rejection::invalid_id("session_id", error))?;
        let (occurred_at, clock_offset) = match self.sent_at {
            None => (self.occurred_at, None),
            Some(sent_at) => {
                let (at, offset) = corrected(self.occurred_at, sent_at, reception.received_at)?;
                (at, Some(offset))
            }
        };
        check_occurred_at(occurred_at, reception.received_at)?;
        let properties = self.properties.unwrap_or_default();
        let encoded = encode_properties(&properties)?;
        let order = if kind == EventKind::OrderCompleted {
            order_details(&properties)?
        } else {
            OrderDetails::default()
        };
        let event = Event {
            id: self.event_id,
            kind,
            visitor_id,
            session_id,
            product_id: self.product_id,
            occurred_at,
            order,
        };
        event.check_products()?;
        let consent = self.consent.unwrap_or(true);
        let signature = self.visitor_signature.as_deref();
        let circumstances =
            reception.circumstances(&event.visitor_id, signature, consent, clock_offset);
        let accepted = AcceptedEvent { event, properties: encoded, circumstances };
        Ok(if consent { accepted } else { accepted.without_identity() })
    }
}

/// Where events of another system belong; `None` if these are not such.
fn foreign_path(raw: &Value) -> Option<&'static str> {
    let has = |field: &str| !raw[field].is_null();
    if has("event_id") {
        None
    } else if has("messageId") || has("batch") {
        Some("/v1/events/segment")
    } else if has("client_id") && has("events") {
        Some("/v1/events/ga4")
    } else {
        None
    }
}

/// The properties as compact JSON; `None` if there are none.
fn encode_properties(properties: &Map<String, Value>) -> Result<Option<Box<RawValue>>, Rejection> {
    if properties.is_empty() {
        return Ok(None);
    }
    let encoded = to_raw_value(properties)
        .map_err(|error| Rejection::malformed(format!("properties: {error}")))?;
    if encoded.get().len() > MAX_PROPERTIES_BYTES {
        let reason = format!("properties take more than {MAX_PROPERTIES_BYTES} bytes");
        return Err(Rejection::new(RejectionCode::PropertiesTooLarge, reason));
    }
    if properties.iter().any(|(name, value)| name.contains('\0') || contains_nul(value)) {
        // PostgreSQL's jsonb cannot store this character.
        return Err(Rejection::malformed("properties contain the character U+0000"));
    }
    Ok(Some(encoded))
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(contains_nul),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || contains_nul(value))
        }
    }
}

fn order_details(properties: &Map<String, Value>) -> Result<OrderDetails, Rejection> {
    let uuid = |value: &Value| value.as_str().and_then(|text| Uuid::parse_str(text).ok());
    let product_ids = match properties.get("product_ids") {
        None => Some(Vec::new()),
        Some(value) => value.as_array().and_then(|ids| ids.iter().map(uuid).collect()),
    };
    let product_ids = product_ids
        .ok_or_else(|| Rejection::malformed("properties.product_ids is a list of UUIDs"))?;
    Ok(OrderDetails { product_ids })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::event_sender::tests::browser, *};
    use crate::domain::{
        event::MAX_ORDER_PRODUCTS,
        identity::{MAX_ID_CHARS, NO_CONSENT},
    };

    const PRODUCT: &str = "0197a1b2-0000-7000-8000-000000000001";
    const OTHER: &str = "0197a1b2-0000-7000-8000-000000000002";

    fn parsed(raw: Value) -> Result<AcceptedEvent, Rejection> {
        let (senders, sender) = browser();
        let received_at = "2026-11-22T12:00:00Z".parse().unwrap();
        UserEvent::parse(raw)?.accept(&Reception::new(&senders, &sender, received_at))
    }

    fn view() -> Value {
        json!({
            "event_id": "0197a1b2-0000-7000-8000-0000000000ff",
            "type": "product_viewed",
            "visitor_id": "visitor-1",
            "session_id": "访问1",
            "product_id": PRODUCT,
            "occurred_at": "2026-11-22T19:59:59.5+08:00",
            "properties": {"referrer": "search"}
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut event = view();
        event[field] = value;
        event
    }

    fn code(raw: Value) -> RejectionCode {
        parsed(raw).unwrap_err().code
    }

    #[test]
    fn a_valid_event_is_accepted_with_all_fields() {
        let AcceptedEvent { event, properties, circumstances } = parsed(view()).unwrap();
        assert!(circumstances.consent && !circumstances.signed);
        assert_eq!(event.kind, EventKind::ProductViewed);
        assert_eq!(event.visitor_id.as_str(), "visitor-1");
        assert_eq!(event.session_id.as_str(), "访问1");
        assert_eq!(event.product_id, Some(PRODUCT.parse().unwrap()));
        assert_eq!(event.occurred_at.to_rfc3339(), "2026-11-22T11:59:59.500+00:00");
        assert_eq!(properties.unwrap().get(), r#"{"referrer":"search"}"#);
        assert_eq!(event.products(), vec![event.product_id.unwrap()]);
        assert!(parsed(with("properties", json!({}))).unwrap().properties.is_none());
    }

    #[test]
    fn a_malformed_field_is_named_in_the_reason() {
        assert_eq!(code(json!([])), RejectionCode::Malformed);
        for field in ["event_id", "type", "visitor_id", "session_id", "occurred_at"] {
            for value in [Value::Null, json!(7), json!({})] {
                let rejection = parsed(with(field, value)).unwrap_err();
                assert_eq!(rejection.code, RejectionCode::Malformed, "{field}");
                assert!(rejection.reason.starts_with(field), "{}", rejection.reason);
            }
            let mut incomplete = view();
            incomplete.as_object_mut().unwrap().remove(field);
            let rejection = parsed(incomplete).unwrap_err();
            assert_eq!(rejection, Rejection::malformed(format!("{field} is missing")));
        }
        assert_eq!(code(with("product_id", json!("sku-1"))), RejectionCode::Malformed);
        assert_eq!(code(with("occurred_at", json!("yesterday"))), RejectionCode::Malformed);
        assert_eq!(code(with("properties", json!([1]))), RejectionCode::Malformed);
        assert_eq!(code(with("properties", json!({"a": ["\0"]}))), RejectionCode::Malformed);
    }

    #[test]
    fn events_of_other_systems_are_shown_their_way() {
        for (raw, path) in [
            (json!({"type": "track", "messageId": "m"}), "/v1/events/segment"),
            (json!({"batch": []}), "/v1/events/segment"),
            (json!({"client_id": "1.2", "events": []}), "/v1/events/ga4"),
        ] {
            let rejection = parsed(raw).unwrap_err();
            assert_eq!(rejection.code, RejectionCode::Malformed);
            assert!(rejection.reason.ends_with(path), "{}", rejection.reason);
        }
    }

    #[test]
    fn a_long_unknown_type_is_quoted_in_part() {
        let rejection = parsed(with("type", json!("x".repeat(5_000)))).unwrap_err();
        assert_eq!(rejection.code, RejectionCode::UnknownType);
        assert!(rejection.reason.len() < 300);
    }

    #[test]
    fn invalid_ids_are_rejected() {
        let longest = "客".repeat(MAX_ID_CHARS);
        assert!(parsed(with("visitor_id", json!(longest))).is_ok());
        let too_long = "a".repeat(MAX_ID_CHARS + 1);
        for id in ["", "a b", "a\u{200b}", "a\n", "a\0", too_long.as_str()] {
            assert_eq!(code(with("visitor_id", json!(id))), RejectionCode::InvalidId);
            assert_eq!(code(with("session_id", json!(id))), RejectionCode::InvalidId);
        }
    }

    #[test]
    fn old_and_future_events_are_rejected() {
        assert_eq!(code(with("occurred_at", json!("2001-01-01T00:00:00Z"))), RejectionCode::TooOld);
        let future = json!("2026-11-22T12:10:01Z");
        assert_eq!(code(with("occurred_at", future)), RejectionCode::InFuture);
    }

    #[test]
    fn a_wrong_clock_is_corrected_by_the_time_of_sending() {
        for (occurred, sent) in [
            ("2026-11-22T14:00:00Z", "2026-11-22T14:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2099-01-01T08:00:00+08:00", "2099-01-01T00:00:00Z"),
        ] {
            let mut event = with("occurred_at", json!(occurred));
            event["sent_at"] = json!(sent);
            let accepted = parsed(event).unwrap();
            assert_eq!(accepted.event.occurred_at.to_rfc3339(), "2026-11-22T12:00:00+00:00");
            assert!(accepted.circumstances.clock_offset.is_some());
        }
        let sent = |occurred: &str| {
            let mut event = with("occurred_at", json!(occurred));
            event["sent_at"] = json!("1999-12-31T23:00:00Z");
            code(event)
        };
        assert_eq!(sent("1999-12-24T22:59:59Z"), RejectionCode::TooOld);
        assert_eq!(sent("1999-12-31T23:10:01Z"), RejectionCode::InFuture);
        assert_eq!(code(with("sent_at", json!("now"))), RejectionCode::Malformed);
    }

    #[test]
    fn without_consent_nothing_of_the_visitor_remains() {
        let accepted = parsed(with("consent", json!(false))).unwrap();
        assert_eq!(accepted.event.visitor_id.as_str(), NO_CONSENT);
        assert_eq!(accepted.event.session_id.as_str(), NO_CONSENT);
        assert!(accepted.properties.is_none());
        assert!(!accepted.circumstances.consent && !accepted.circumstances.signed);
        assert_eq!(accepted.circumstances.user_agent, None);
        assert_eq!(code(with("consent", json!("no"))), RejectionCode::Malformed);
    }

    #[test]
    fn a_signature_of_another_visitor_does_not_count() {
        let (senders, _) = browser();
        let signature = senders.keys.sign(&VisitorId::parse("visitor-1").unwrap()).unwrap();
        let mut event = with("visitor_signature", json!(signature));
        assert!(parsed(event.clone()).unwrap().circumstances.signed);
        event["visitor_id"] = json!("visitor-2");
        assert!(!parsed(event).unwrap().circumstances.signed);
    }

    #[test]
    fn properties_are_bounded() {
        let fill = |bytes: usize| with("properties", json!({"a": "x".repeat(bytes)}));
        let frame = r#"{"a":""}"#.len();
        assert!(parsed(fill(MAX_PROPERTIES_BYTES - frame)).is_ok());
        assert_eq!(code(fill(MAX_PROPERTIES_BYTES - frame + 1)), RejectionCode::PropertiesTooLarge);
    }

    #[test]
    fn order_details_are_read_from_the_properties() {
        let order = |properties: Value| {
            let mut event = with("type", json!("order_completed"));
            event["properties"] = properties;
            parsed(event).map(|accepted| accepted.event)
        };
        let listed =
            order(json!({"product_ids": [OTHER, PRODUCT, OTHER], "order_id": "A-1"})).unwrap();
        let expected: [Uuid; 2] = [OTHER.parse().unwrap(), PRODUCT.parse().unwrap()];
        assert_eq!(listed.products(), expected);
        let single = order(json!({})).unwrap();
        assert_eq!(single.products(), [expected[1]]);

        let code = |properties: Value| order(properties).unwrap_err().code;
        assert_eq!(code(json!({"product_ids": "all"})), RejectionCode::Malformed);
        assert_eq!(code(json!({"product_ids": [1]})), RejectionCode::Malformed);
        let many = vec![PRODUCT; MAX_ORDER_PRODUCTS + 1];
        assert_eq!(code(json!({"product_ids": many})), RejectionCode::TooManyProducts);
    }

    #[test]
    fn order_properties_of_other_kinds_are_not_checked() {
        let event = parsed(with("properties", json!({"product_ids": "all"}))).unwrap().event;
        assert_eq!(event.order, OrderDetails::default());
    }
}
