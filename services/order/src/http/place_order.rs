//! `POST /v1/orders`

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use envelope::trace;
use idempotency::StoredResponse;
use messaging::{Criticality, Outbox};
use problem::{Fields, IdempotencyKey, Json, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use vocabulary::{CustomerId, InvalidMoney, Money, OrderId, Quantity, Sku};

use super::{
    access::{order_not_found, require_customer, require_scope, watch},
    await_status::{Awaited, status_of},
    order_body::{MethodBody, OrderBody},
    status_body::StatusBody,
};
use crate::{
    app::{
        order_process::OrderProcess,
        place_order::{IdempotencyContext, PlaceOrderCommand},
    },
    domain::{
        Address, ComparedPrice, LimitExceeded, LinePrices, MAX_LINES, NotForSale, Order,
        OrderStatus, PaymentMethod, PlaceOrderError, PriceChange, PriorityClass, ShownPrices,
        costs::{CouponCode, CouponRefusal},
        country, merge_lines, one_line,
    },
    state::{AppState, TestPayments},
    storage::order_views::{self, OrderView},
    workers::order_batcher::OrderBatcher,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrderQuery {
    /// Respond when the order reaches this status or cannot reach it any more.
    wait_for: Option<StatusBody>,
    /// The longest wait in milliseconds: up to 30000, default 10000.
    wait_ms: Option<u64>,
}

// All fields are optional texts or numbers: then one response lists all invalid fields.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrderRequest {
    /// The subject of the token; any customer with the scope `orders:admin`.
    #[schema(value_type = CustomerId, required, nullable = false)]
    customer_id: Option<String>,
    /// 1 to 100 lines. Lines of the same SKU are merged.
    #[schema(required, nullable = false, min_items = 1, max_items = 100)]
    lines: Option<Vec<OrderLineRequest>>,
    #[schema(required, nullable = false)]
    shipping_address: Option<ShippingAddressRequest>,
    #[schema(required, nullable = false)]
    payment: Option<PaymentMethodRequest>,
    /// The total that the customer was shown, with discounts, shipping and tax. If it differs from the present one, nothing
    /// is ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_total: Option<Money>,
    /// A code that the customer has entered, in any case. If it cannot be used, nothing is ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 3, max_length = 40, example = "SUMMER-25")]
    coupon: Option<String>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderLineRequest {
    #[schema(value_type = Sku, required, nullable = false)]
    sku: Option<String>,
    #[schema(value_type = Quantity, required, nullable = false)]
    quantity: Option<i64>,
    /// The price of one piece that the customer was shown. If it differs from the present one, nothing is ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_unit_price: Option<Money>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShippingAddressRequest {
    /// Up to 100 characters. `recipient` is an alias.
    #[serde(alias = "recipient")]
    #[schema(required, nullable = false, max_length = 100)]
    name: Option<String>,
    /// Street and number; up to 200 characters.
    #[schema(required, nullable = false, max_length = 200)]
    line1: Option<String>,
    /// Building, floor or room; up to 200 characters.
    #[schema(max_length = 200)]
    line2: Option<String>,
    /// Up to 100 characters.
    #[schema(required, nullable = false, max_length = 100)]
    city: Option<String>,
    /// Province or state; up to 100 characters. `province` is an alias.
    #[serde(alias = "province")]
    #[schema(max_length = 100)]
    region: Option<String>,
    /// Up to 20 characters.
    #[schema(max_length = 20)]
    postal_code: Option<String>,
    /// ISO 3166-1: two letters.
    #[schema(required, nullable = false, example = "CN", min_length = 2, max_length = 2)]
    country: Option<String>,
    /// For the carrier; up to 40 characters.
    #[schema(max_length = 40)]
    phone: Option<String>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PaymentMethodRequest {
    #[schema(value_type = MethodBody, required, nullable = false)]
    method: Option<String>,
}

/// What the token and the settings of the shop allow.
#[derive(Debug, Clone, Copy)]
struct Rights {
    is_by_shop: bool,
    has_priority: bool,
    test_payments: TestPayments,
}

/// The address of an order, without its id.
const LOCATION: &str = "/v1/orders/";

/// Place an order
///
/// The response comes once the order is durable. With `wait_for=confirmed` it also waits for the reservation of the stock
/// and the payment, as `GET /v1/orders/{id}` does; the response is the order as it is then. The shop sets the prices;
/// `expected_total` or `expected_unit_price` make sure that they are those which the customer was shown. With the scope
/// `orders:priority` the order overtakes others under a backlog.
#[utoipa::path(
    post, path = "/v1/orders", tag = "orders", request_body = PlaceOrderRequest,
    params(
        PlaceOrderQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Repeated requests with the same key place one order."),
    ),
    responses(
        (status = 202, description = "The order is placed; `Location` is its address.", body = OrderBody),
        (status = 409, description = "`price_changed`: a price is not the one that was shown; `lines` and `total` have both. `too_many_unpaid_orders`: pay or cancel one first. `coupon_not_in_force`, `coupon_used_up`: the coupon cannot be used."),
        (status = 422, description = "A field is invalid, a SKU is not for sale, there are too many pieces, or the prices have different currencies. `unknown_coupon`, `coupon_not_applicable`: the coupon cannot be used. `no_shipping_rate`: the shop does not ship there."),
        (status = 503, description = "`busy` or `outbox_full`: too many orders are waiting; try again after `Retry-After`."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn place_order(
    caller: Caller,
    State(state): State<AppState>,
    Query(query): Query<PlaceOrderQuery>,
    key: Option<IdempotencyKey>,
    Json(request): Json<PlaceOrderRequest>,
) -> Result<Response, Problem> {
    let AppState { outbox, process, order_batcher: batcher, test_payments, .. } = state;
    require_scope(&caller, Scope::OrdersWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let idempotency = key.map(|key| request.idempotency(&caller, key)).transpose()?;
    let rights = Rights {
        is_by_shop: caller.has(Scope::OrdersAdmin),
        has_priority: caller.has(Scope::OrdersPriority),
        test_payments,
    };
    let command = request.into_command(idempotency, &process, rights)?;
    require_customer(&caller, Scope::OrdersWrite, command.customer)?;
    let Some(status) = query.wait_for else {
        return Ok(batcher.place(command).await?.into_response());
    };
    let waiting = PlaceAndWait { outbox, process, batcher };
    waiting.place(command, Awaited::new(status, query.wait_ms)).await
}

/// Places an order and waits for its status.
struct PlaceAndWait {
    outbox: Outbox,
    process: OrderProcess,
    batcher: OrderBatcher,
}

impl PlaceAndWait {
    async fn place(
        self,
        command: PlaceOrderCommand,
        awaited: Awaited,
    ) -> Result<Response, Problem> {
        let Self { outbox, process, batcher } = self;
        let id = command.order_id;
        let mut watcher = watch(&process, id)?;
        let placed = batcher.place(command).await?;
        let Some(stored) = placed_id(&placed) else { return Ok(placed.into_response()) };
        let change = if stored == id {
            awaited.wait(&outbox, id, &mut watcher, OrderStatus::Placed).await?
        } else {
            // An earlier request with the same key placed the order.
            let mut watcher = watch(&process, stored)?;
            let status = status_of(&outbox, stored).await?;
            awaited.wait(&outbox, stored, &mut watcher, status).await?;
            None
        };
        let changed = change.and_then(|change| OrderView::of(change.order.as_deref()?, change.at));
        let view = if let Some(view) = changed {
            view
        } else {
            let mut connection = outbox.pool().acquire().await?;
            let view = order_views::get(&mut connection, stored).await?;
            view.ok_or_else(|| order_not_found(stored))?.without_address()
        };
        Ok(accepted(&OrderBody::from(view))?.into_response())
    }
}

/// The order of a stored response; `None` if the order was refused.
fn placed_id(response: &StoredResponse) -> Option<OrderId> {
    let location = response.header_value("location")?;
    location.strip_prefix(LOCATION)?.parse().ok()
}

/// 202 with the order and its address.
fn accepted(order: &OrderBody) -> Result<StoredResponse, Problem> {
    let location = format!("{LOCATION}{}", order.id());
    Ok(StoredResponse::json(StatusCode::ACCEPTED, order)?.header("location", location))
}

/// 202 with the order, or 422 with the reason for the refusal.
pub(crate) fn render(result: Result<&Order, &PlaceOrderError>) -> Result<StoredResponse, Problem> {
    match result {
        Ok(order) => {
            let view = OrderView::just_placed(order);
            accepted(&OrderBody::from(view))
        }
        Err(error) => {
            let problem = refusal(error);
            Ok(StoredResponse::json(problem.status(), &problem.to_json())?
                .header(CONTENT_TYPE.as_str(), "application/problem+json"))
        }
    }
}

/// The problem of an order that cannot be placed, or of a quote.
pub(super) fn refusal(error: &PlaceOrderError) -> Problem {
    let unprocessable = |code, title| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title);
    match error {
        PlaceOrderError::NotForSale(NotForSale(skus)) => {
            let skus: Vec<&str> = skus.iter().map(Sku::as_str).collect();
            unprocessable("sku_not_for_sale", "A SKU is not for sale")
                .detail(format!("Not for sale: {}.", skus.join(", ")))
                .member("skus", skus)
        }
        PlaceOrderError::Coupon(refusal) => coupon_refused(refusal),
        PlaceOrderError::NoShippingRate => {
            unprocessable("no_shipping_rate", "The shop does not ship this order")
                .detail("No shipping rate covers its destination, its currency and its goods.")
        }
        PlaceOrderError::PriceChanged(change) => price_changed(change),
        PlaceOrderError::Limit(LimitExceeded::Pieces { skus, limit }) => {
            let skus: Vec<&str> = skus.iter().map(Sku::as_str).collect();
            unprocessable("order_limit_exceeded", "Too many pieces of one SKU")
                .detail(format!(
                    "A customer may order {limit} pieces of a SKU at most; too many: {}.",
                    skus.join(", ")
                ))
                .member("skus", skus)
                .member("limit", *limit)
        }
        PlaceOrderError::Limit(LimitExceeded::UnpaidOrders { limit }) => {
            Problem::conflict("too_many_unpaid_orders", "The customer has too many unpaid orders")
                .detail(format!("Pay or cancel one first; {limit} are allowed."))
                .member("limit", *limit)
        }
        PlaceOrderError::Total(InvalidMoney::MixedCurrencies) => {
            unprocessable("mixed_currencies", "The prices of an order must be in one currency")
        }
        PlaceOrderError::Total(error) => {
            unprocessable("total_too_large", "The total of the order is too large")
                .detail(format!("Its total: {error}."))
        }
    }
}

fn coupon_refused(refusal: &CouponRefusal) -> Problem {
    let title = "The coupon cannot be used";
    let not_applicable =
        || Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "coupon_not_applicable", title);
    let problem = match refusal {
        CouponRefusal::Unknown => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_coupon", title)
        }
        CouponRefusal::NotInForce { starts_at, ends_at } => {
            Problem::conflict("coupon_not_in_force", title)
                .member("starts_at", json!(starts_at))
                .member("ends_at", json!(ends_at))
        }
        CouponRefusal::UsedUp => Problem::conflict("coupon_used_up", title),
        CouponRefusal::MinGoods(least) => not_applicable().member("min_goods", json!(least)),
        CouponRefusal::NoLine | CouponRefusal::Currency | CouponRefusal::PriceUnknown => {
            not_applicable()
        }
    };
    problem.detail(format!("Nothing was ordered: {refusal}."))
}

/// A price as it was shown, and as it is. Null if it was not shown, or is not known yet.
#[derive(Debug, Serialize)]
struct ComparedPriceBody {
    shown: Option<Money>,
    current: Option<Money>,
}

#[derive(Debug, Serialize)]
struct ChangedLineBody<'a> {
    sku: &'a Sku,
    #[serde(flatten)]
    price: ComparedPriceBody,
}

impl From<ComparedPrice> for ComparedPriceBody {
    fn from(ComparedPrice { shown, current }: ComparedPrice) -> Self {
        Self { shown, current }
    }
}

/// 409 with the shown and the present prices.
fn price_changed(PriceChange { lines, total }: &PriceChange) -> Problem {
    let line = |LinePrices { sku, price }: &LinePrices| {
        serde_json::to_value(ChangedLineBody { sku, price: (*price).into() }).unwrap_or_default()
    };
    let total = serde_json::to_value(ComparedPriceBody::from(*total)).unwrap_or_default();
    Problem::conflict("price_changed", "The prices have changed")
        .detail("The order was not placed. Show the present prices and ask again.")
        .member("lines", lines.iter().map(line).collect::<Vec<_>>())
        .member("total", total)
}

impl PlaceOrderRequest {
    fn idempotency(
        &self,
        caller: &Caller,
        key: IdempotencyKey,
    ) -> Result<IdempotencyContext, Problem> {
        let body = serde_json::to_vec(self).map_err(|error| Problem::internal_from(&error))?;
        Ok(IdempotencyContext { caller: caller.subject().to_owned(), key, body })
    }

    /// 422 with every invalid field.
    fn into_command(
        self,
        idempotency: Option<IdempotencyContext>,
        process: &OrderProcess,
        Rights { is_by_shop, has_priority, test_payments: TestPayments(test_payments) }: Rights,
    ) -> Result<PlaceOrderCommand, Problem> {
        let mut fields = Fields::new();
        let customer = fields.require("customer_id", self.customer_id);
        let customer =
            customer.and_then(|text| fields.check("customer_id", text.parse::<CustomerId>()));
        let lines = parse_lines(&mut fields, self.lines);
        let address = fields.require("shipping_address", self.shipping_address);
        let address = address.and_then(|address| address.parse(&mut fields));
        let payment = fields.require("payment", self.payment);
        let method = payment.and_then(|payment| fields.require("payment.method", payment.method));
        let method =
            method.and_then(|text| fields.check("payment.method", text.parse::<PaymentMethod>()));
        if !test_payments && method.is_some_and(|method| method != PaymentMethod::Manual) {
            fields.refuse("payment.method", "invalid", "test payments are off");
        }
        let total = self.expected_total;
        let coupon = parse_coupon(&mut fields, self.coupon);
        fields.finish_with(|| {
            let ((quantities, unit_prices), customer, method) = (lines?, customer?, method?);
            // A request cannot ask for priority.
            let is_vip = has_priority || process.priority_customers().contains(customer);
            let class = PriorityClass::of(is_vip, is_by_shop, method);
            Some(PlaceOrderCommand {
                order_id: process.order_ids().draw(class),
                class,
                customer,
                quantities,
                shown: ShownPrices { total, unit_prices },
                coupon,
                is_limited: !is_by_shop,
                method,
                shipping_address: address?,
                idempotency,
                trace: trace::current(),
            })
        })
    }
}

/// An empty code is none.
pub(super) fn parse_coupon(fields: &mut Fields, coupon: Option<String>) -> Option<CouponCode> {
    let code = coupon.filter(|code| !code.trim().is_empty())?;
    fields.check("coupon", code.parse())
}

/// The lines, each SKU once, and the unit prices that were shown.
type ParsedLines = (Vec<(Sku, Quantity)>, BTreeMap<Sku, Money>);

pub(super) fn parse_lines(
    fields: &mut Fields,
    lines: Option<Vec<OrderLineRequest>>,
) -> Option<ParsedLines> {
    let lines = fields.require("lines", lines)?;
    if !(1..=MAX_LINES).contains(&lines.len()) {
        fields.refuse("lines", "invalid", format!("must have 1 to {MAX_LINES} items"));
        return None;
    }
    let mut quantities = Vec::with_capacity(lines.len());
    let mut unit_prices = BTreeMap::new();
    for (index, line) in lines.into_iter().enumerate() {
        let name = |field: &str| format!("lines[{index}].{field}");
        let sku = fields.require(name("sku"), line.sku);
        let sku = sku.and_then(|sku| fields.check(name("sku"), Sku::try_from(sku)));
        let quantity = fields.require(name("quantity"), line.quantity);
        let quantity =
            quantity.and_then(|pieces| fields.check(name("quantity"), Quantity::try_from(pieces)));
        if let Some((sku, price)) = sku.clone().zip(line.expected_unit_price)
            && unit_prices.insert(sku, price).is_some_and(|other| other != price)
        {
            fields.refuse(
                name("expected_unit_price"),
                "invalid",
                "differs from another line of the SKU",
            );
        }
        quantities.extend(sku.zip(quantity));
    }
    let quantities = fields.check("lines", merge_lines(quantities))?;
    Some((quantities, unit_prices))
}

impl ShippingAddressRequest {
    fn parse(self, fields: &mut Fields) -> Option<Address> {
        let mut required = |name: &str, text: Option<String>, max_length| {
            let name = format!("shipping_address.{name}");
            let text = fields.require(&*name, text)?;
            fields.check(name, one_line(&text, max_length))
        };
        let name = required("name", self.name, 100);
        let line1 = required("line1", self.line1, 200);
        let city = required("city", self.city, 100);
        let mut optional = |name: &str, text: Option<String>, max_length| {
            let text = text.filter(|text| !text.trim().is_empty())?;
            fields.check(format!("shipping_address.{name}"), one_line(&text, max_length))
        };
        let line2 = optional("line2", self.line2, 200);
        let region = optional("region", self.region, 100);
        let postal_code = optional("postal_code", self.postal_code, 20);
        let phone = optional("phone", self.phone, 40);
        let country_name = "shipping_address.country";
        let letters = fields.require(country_name, self.country);
        let country = letters.and_then(|letters| fields.check(country_name, country(&letters)));
        Some(Address {
            name: name?,
            line1: line1?,
            line2,
            city: city?,
            region,
            postal_code,
            country: country?,
            phone,
        })
    }
}
