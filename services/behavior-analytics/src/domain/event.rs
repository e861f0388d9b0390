//! A user event: what a visitor did, when, and with which product.
//!
//! [`Event::parse`] is the one door: it takes the JSON that a client sent and gives back an event or the
//! [`Rejection`] that the client is told. Behind the door everything has a type and a bound.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

/// An event that happened longer ago than this is refused.
pub const OLDEST: TimeDelta = TimeDelta::days(30);

/// An event that claims to happen further in the future than this is refused; less is a clock that runs fast.
pub const FURTHEST_AHEAD: TimeDelta = TimeDelta::minutes(10);

/// The most bytes that the properties of one event may take as compact JSON.
pub const MAX_PROPERTIES_BYTES: usize = 8 * 1024;

/// The most products that one order may name.
pub const MAX_ORDER_PRODUCTS: usize = 200;

/// The most characters of a visitor's or a session's id.
pub const MAX_ID_CHARS: usize = 64;

/// The longest piece of a client's own text that a reason quotes, in characters.
const MAX_QUOTED_CHARS: usize = 40;

/// What a visitor did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// The page of one product was shown.
    ProductViewed,
    /// A list of products was shown: a category, a search result, a recommendation.
    ListViewed,
    /// A product in a list was clicked.
    ProductClicked,
    /// A query was sent.
    Searched,
    /// A product was put into the cart.
    CartAdded,
    /// A product was taken out of the cart.
    CartRemoved,
    /// The checkout was opened.
    CheckoutStarted,
    /// An order was placed.
    OrderCompleted,
}

impl EventKind {
    /// Every kind, in the order of a purchase.
    pub const ALL: [Self; 8] = [
        Self::ProductViewed,
        Self::ListViewed,
        Self::ProductClicked,
        Self::Searched,
        Self::CartAdded,
        Self::CartRemoved,
        Self::CheckoutStarted,
        Self::OrderCompleted,
    ];

    /// The name on the wire and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProductViewed => "product_viewed",
            Self::ListViewed => "list_viewed",
            Self::ProductClicked => "product_clicked",
            Self::Searched => "searched",
            Self::CartAdded => "cart_added",
            Self::CartRemoved => "cart_removed",
            Self::CheckoutStarted => "checkout_started",
            Self::OrderCompleted => "order_completed",
        }
    }

    /// Whether the event says nothing without a product.
    const fn needs_product(self) -> bool {
        match self {
            Self::ProductViewed
            | Self::ProductClicked
            | Self::CartAdded
            | Self::CartRemoved
            | Self::OrderCompleted => true,
            Self::ListViewed | Self::Searched | Self::CheckoutStarted => false,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is none of the event kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an event kind")]
pub struct UnknownKind;

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownKind)
    }
}

/// A text that is no id of a visitor or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {MAX_ID_CHARS} visible characters, without blanks")]
pub struct InvalidId;

/// Whether a text may name a visitor or a session. Beyond ASCII only letters and digits count as visible: the
/// other blocks hold characters without a shape, with which two ids could look the same.
fn is_visible_id(text: &str) -> bool {
    let visible = |c: char| c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
    !text.is_empty() && text.chars().all(visible) && text.chars().count() <= MAX_ID_CHARS
}

/// A visitor as the client names it. Cloning shares the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisitorId(Arc<str>);

impl VisitorId {
    /// Takes 1 to [`MAX_ID_CHARS`] visible characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_visible_id(text) { Ok(Self(text.into())) } else { Err(InvalidId) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A visit as the client names it; unique only together with its visitor. Cloning shares the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Takes 1 to [`MAX_ID_CHARS`] visible characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_visible_id(text) { Ok(Self(text.into())) } else { Err(InvalidId) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What names a session everywhere in this service: clients choose session ids, so two visitors may choose the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// Who.
    pub visitor: VisitorId,
    /// In which of the visits.
    pub session: SessionId,
}

/// One thing that a visitor did.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Chosen by the client; a second event with the same id is a duplicate.
    pub event_id: Uuid,
    /// What was done.
    pub kind: EventKind,
    /// By whom.
    pub visitor_id: VisitorId,
    /// In which visit.
    pub session_id: SessionId,
    /// With which product, where it is about one.
    pub product_id: Option<Uuid>,
    /// When, by the client's clock.
    pub occurred_at: DateTime<Utc>,
    /// Whatever else the client knows. An order lists its products in `product_ids` and may name itself in `order_id`.
    pub properties: Map<String, Value>,
}

/// Why an event was refused, as a program reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionCode {
    /// Not the shape of an event: a field is missing or has the wrong type.
    Malformed,
    /// The type is none that this service knows.
    UnknownType,
    /// The visitor's or the session's id is no id.
    InvalidId,
    /// The type needs a product and none is named.
    MissingProduct,
    /// An order names more products than an order may have.
    TooManyProducts,
    /// It happened more than 30 days ago.
    TooOld,
    /// It claims to happen more than 10 minutes from now.
    InFuture,
    /// The properties take too many bytes.
    PropertiesTooLarge,
}

impl RejectionCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::InvalidId => "invalid_id",
            Self::MissingProduct => "missing_product",
            Self::TooManyProducts => "too_many_products",
            Self::TooOld => "too_old",
            Self::InFuture => "in_future",
            Self::PropertiesTooLarge => "properties_too_large",
        }
    }
}

/// The verdict on an event that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// For programs.
    pub code: RejectionCode,
    /// For people; names the field.
    pub reason: String,
}

impl Rejection {
    fn new(code: RejectionCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    fn malformed(reason: impl Into<String>) -> Self {
        Self::new(RejectionCode::Malformed, reason)
    }
}

impl Event {
    /// Takes one event as a client sent it, `now` being when it arrived. Fields that are not known are ignored.
    pub fn parse(raw: Value, now: DateTime<Utc>) -> Result<Self, Rejection> {
        let Value::Object(mut fields) = raw else {
            return Err(Rejection::malformed("an event is a JSON object"));
        };
        let event_id = uuid_field(&fields, "event_id")?.ok_or_else(|| missing("event_id"))?;
        let kind = kind_field(&fields)?;
        let visitor_id = VisitorId::parse(text_field(&fields, "visitor_id")?)
            .map_err(|error| invalid_id("visitor_id", error))?;
        let session_id = SessionId::parse(text_field(&fields, "session_id")?)
            .map_err(|error| invalid_id("session_id", error))?;
        let product_id = uuid_field(&fields, "product_id")?;
        let occurred_at = time_field(&fields, now)?;
        let properties = take_properties(&mut fields)?;
        let event =
            Self { event_id, kind, visitor_id, session_id, product_id, occurred_at, properties };
        event.check_products()?;
        Ok(event)
    }

    /// Everything that names the session of this event.
    pub fn session_key(&self) -> SessionKey {
        SessionKey { visitor: self.visitor_id.clone(), session: self.session_id.clone() }
    }

    /// The products that an order is made of, each once, in the order of the list; for any other event its product.
    pub fn products(&self) -> Vec<Uuid> {
        let mut products: Vec<Uuid> = Vec::new();
        let listed = self.listed_products().iter().filter_map(value_as_uuid);
        for product in listed.chain(self.product_id) {
            if !products.contains(&product) {
                products.push(product);
            }
        }
        products
    }

    /// The id under which an order's products are one basket: the order's own where the client knows it, so that an
    /// order heard of twice, from the client and from the order service, is one basket.
    pub fn basket_id(&self) -> Uuid {
        self.properties.get("order_id").and_then(value_as_uuid).unwrap_or(self.event_id)
    }

    fn listed_products(&self) -> &[Value] {
        match (self.kind, self.properties.get("product_ids")) {
            (EventKind::OrderCompleted, Some(Value::Array(ids))) => ids,
            _ => &[],
        }
    }

    fn check_products(&self) -> Result<(), Rejection> {
        if self.kind == EventKind::OrderCompleted {
            self.check_order()?;
        }
        if self.kind.needs_product() && self.products().is_empty() {
            let wanted = if self.kind == EventKind::OrderCompleted {
                "properties.product_ids or product_id"
            } else {
                "product_id"
            };
            let reason = format!("{} needs {wanted}", self.kind);
            return Err(Rejection::new(RejectionCode::MissingProduct, reason));
        }
        Ok(())
    }

    fn check_order(&self) -> Result<(), Rejection> {
        let is_list = self.properties.get("product_ids").is_none_or(Value::is_array);
        let listed = self.listed_products();
        if listed.len() > MAX_ORDER_PRODUCTS {
            let reason =
                format!("properties.product_ids names more than {MAX_ORDER_PRODUCTS} products");
            return Err(Rejection::new(RejectionCode::TooManyProducts, reason));
        }
        if !is_list || listed.iter().any(|id| value_as_uuid(id).is_none()) {
            return Err(Rejection::malformed("properties.product_ids is a list of UUIDs"));
        }
        if self.properties.get("order_id").is_some_and(|id| value_as_uuid(id).is_none()) {
            return Err(Rejection::malformed("properties.order_id is a UUID"));
        }
        Ok(())
    }
}

fn value_as_uuid(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| Uuid::parse_str(text).ok())
}

fn missing(field: &str) -> Rejection {
    Rejection::malformed(format!("{field} is missing"))
}

fn invalid_id(field: &str, error: InvalidId) -> Rejection {
    Rejection::new(RejectionCode::InvalidId, format!("{field}: {error}"))
}

/// A field's value; JSON's null counts as absent.
fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn text_field<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, Rejection> {
    let value = present(fields, name).ok_or_else(|| missing(name))?;
    value.as_str().ok_or_else(|| Rejection::malformed(format!("{name} is a string")))
}

fn uuid_field(fields: &Map<String, Value>, name: &str) -> Result<Option<Uuid>, Rejection> {
    let Some(value) = present(fields, name) else {
        return Ok(None);
    };
    value_as_uuid(value).map(Some).ok_or_else(|| Rejection::malformed(format!("{name} is a UUID")))
}

fn kind_field(fields: &Map<String, Value>) -> Result<EventKind, Rejection> {
    let name = text_field(fields, "type")?;
    name.parse().map_err(|UnknownKind| {
        let quoted: String = name.chars().take(MAX_QUOTED_CHARS).collect();
        let known = EventKind::ALL.map(EventKind::as_str).join(", ");
        let reason = format!("type {quoted:?} is none of {known}");
        Rejection::new(RejectionCode::UnknownType, reason)
    })
}

fn time_field(fields: &Map<String, Value>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Rejection> {
    let occurred_at = DateTime::parse_from_rfc3339(text_field(fields, "occurred_at")?)
        .map_err(|_| Rejection::malformed("occurred_at is a time as RFC 3339 writes it"))?
        .with_timezone(&Utc);
    let age = now.signed_duration_since(occurred_at);
    if age > OLDEST {
        let reason = format!("occurred_at is more than {} days ago", OLDEST.num_days());
        return Err(Rejection::new(RejectionCode::TooOld, reason));
    }
    if -age > FURTHEST_AHEAD {
        let minutes = FURTHEST_AHEAD.num_minutes();
        let reason = format!("occurred_at is more than {minutes} minutes in the future");
        return Err(Rejection::new(RejectionCode::InFuture, reason));
    }
    Ok(occurred_at)
}

fn take_properties(fields: &mut Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
    let properties = match fields.remove("properties") {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::Object(properties)) => properties,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Rejection::malformed("properties is a JSON object"));
        }
    };
    let bytes = serde_json::to_string(&properties).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_PROPERTIES_BYTES {
        let reason = format!("properties take more than {MAX_PROPERTIES_BYTES} bytes");
        return Err(Rejection::new(RejectionCode::PropertiesTooLarge, reason));
    }
    if properties.iter().any(|(name, value)| name.contains('\0') || contains_nul(value)) {
        // PostgreSQL's jsonb cannot hold it, so it would be accepted and then be impossible to keep.
        return Err(Rejection::malformed("properties contain the character U+0000"));
    }
    Ok(properties)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";
    const PRODUCT: &str = "0197a1b2-0000-7000-8000-000000000001";
    const OTHER: &str = "0197a1b2-0000-7000-8000-000000000002";

    fn now() -> DateTime<Utc> {
        NOW.parse().unwrap()
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
        Event::parse(raw, now()).unwrap_err().code
    }

    #[test]
    fn a_good_event_is_taken_whole() {
        let event = Event::parse(view(), now()).unwrap();
        assert_eq!(event.kind, EventKind::ProductViewed);
        assert_eq!(event.visitor_id.as_str(), "visitor-1");
        assert_eq!(event.session_id.as_str(), "访问1");
        assert_eq!(event.product_id, Some(PRODUCT.parse().unwrap()));
        assert_eq!(event.occurred_at.to_rfc3339(), "2026-11-22T11:59:59.500+00:00");
        assert_eq!(event.properties["referrer"], "search");
        assert_eq!(event.products(), vec![event.product_id.unwrap()]);
    }

    #[test]
    fn every_kind_has_a_name_that_reads_back() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("product_seen".parse::<EventKind>(), Err(UnknownKind));
    }

    #[test]
    fn a_wrong_shape_is_malformed_and_the_reason_names_the_field() {
        assert_eq!(code(json!([])), RejectionCode::Malformed);
        for field in ["event_id", "type", "visitor_id", "session_id", "occurred_at"] {
            for value in [Value::Null, json!(7), json!({})] {
                let rejection = Event::parse(with(field, value), now()).unwrap_err();
                assert_eq!(rejection.code, RejectionCode::Malformed, "{field}");
                assert!(rejection.reason.starts_with(field), "{}", rejection.reason);
            }
        }
        assert_eq!(code(with("product_id", json!("sku-1"))), RejectionCode::Malformed);
        assert_eq!(code(with("occurred_at", json!("yesterday"))), RejectionCode::Malformed);
        assert_eq!(code(with("properties", json!([1]))), RejectionCode::Malformed);
        assert_eq!(code(with("properties", json!({"a": ["\0"]}))), RejectionCode::Malformed);
    }

    #[test]
    fn an_unknown_type_is_quoted_but_not_at_any_length() {
        let rejection = Event::parse(with("type", json!("x".repeat(5_000))), now()).unwrap_err();
        assert_eq!(rejection.code, RejectionCode::UnknownType);
        assert!(rejection.reason.len() < 300);
    }

    #[test]
    fn ids_are_short_and_visible() {
        let longest = "客".repeat(MAX_ID_CHARS);
        assert!(Event::parse(with("visitor_id", json!(longest)), now()).is_ok());
        let too_long = "a".repeat(MAX_ID_CHARS + 1);
        for id in ["", "a b", "a\u{200b}", "a\n", "a\0", too_long.as_str()] {
            assert_eq!(code(with("visitor_id", json!(id))), RejectionCode::InvalidId);
            assert_eq!(code(with("session_id", json!(id))), RejectionCode::InvalidId);
        }
    }

    #[test]
    fn time_is_bounded_on_both_sides_and_the_bounds_belong_to_it() {
        let at = |time: DateTime<Utc>| with("occurred_at", json!(time.to_rfc3339()));
        let second = TimeDelta::seconds(1);
        assert!(Event::parse(at(now() - OLDEST), now()).is_ok());
        assert_eq!(code(at(now() - OLDEST - second)), RejectionCode::TooOld);
        assert!(Event::parse(at(now() + FURTHEST_AHEAD), now()).is_ok());
        assert_eq!(code(at(now() + FURTHEST_AHEAD + second)), RejectionCode::InFuture);
    }

    #[test]
    fn properties_are_bounded() {
        let fill = |bytes: usize| with("properties", json!({"a": "x".repeat(bytes)}));
        let frame = r#"{"a":""}"#.len();
        assert!(Event::parse(fill(MAX_PROPERTIES_BYTES - frame), now()).is_ok());
        assert_eq!(code(fill(MAX_PROPERTIES_BYTES - frame + 1)), RejectionCode::PropertiesTooLarge);
    }

    #[test]
    fn a_product_is_needed_where_the_type_is_about_one() {
        for kind in EventKind::ALL {
            let mut event = view();
            event["type"] = json!(kind.as_str());
            event["product_id"] = Value::Null;
            let verdict = Event::parse(event, now());
            match kind {
                EventKind::ListViewed | EventKind::Searched | EventKind::CheckoutStarted => {
                    assert!(verdict.is_ok(), "{kind}");
                }
                EventKind::ProductViewed
                | EventKind::ProductClicked
                | EventKind::CartAdded
                | EventKind::CartRemoved
                | EventKind::OrderCompleted => {
                    assert_eq!(verdict.unwrap_err().code, RejectionCode::MissingProduct, "{kind}");
                }
            }
        }
    }

    #[test]
    fn an_order_lists_its_products_once_each() {
        let order = |properties: Value| {
            let mut event = with("type", json!("order_completed"));
            event["properties"] = properties;
            Event::parse(event, now())
        };
        let taken =
            order(json!({"product_ids": [OTHER, PRODUCT, OTHER], "order_id": OTHER})).unwrap();
        let expected: [Uuid; 2] = [OTHER.parse().unwrap(), PRODUCT.parse().unwrap()];
        assert_eq!(taken.products(), expected);
        assert_eq!(taken.basket_id(), expected[0]);
        let single = order(json!({})).unwrap();
        assert_eq!(single.products(), [expected[1]]);
        assert_eq!(single.basket_id(), single.event_id);

        let code = |properties: Value| order(properties).unwrap_err().code;
        assert_eq!(code(json!({"product_ids": "all"})), RejectionCode::Malformed);
        assert_eq!(code(json!({"product_ids": [1]})), RejectionCode::Malformed);
        assert_eq!(code(json!({"order_id": "A-1"})), RejectionCode::Malformed);
        let many = vec![PRODUCT; MAX_ORDER_PRODUCTS + 1];
        assert_eq!(code(json!({"product_ids": many})), RejectionCode::TooManyProducts);
    }
}
