//! `POST /v1/quotes`

use axum::extract::State;
use messaging::Outbox;
use problem::{Fields, Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{CustomerId, Money};

use super::{
    access::{require_customer, require_scope},
    costs_body::CostsBody,
    order_body::LineBody,
    place_order::{OrderLineRequest, parse_coupon, parse_lines, refusal},
};
use crate::{
    app::{
        order_process::OrderProcess,
        quote_order::{self as quote, QuoteOrderCommand, QuoteOrderError},
    },
    domain::{
        ShownPrices,
        costs::{Costs, Destination},
        country, one_line,
    },
};

// All fields are optional texts or numbers: then one response lists all invalid fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuoteRequest {
    /// The subject of the token; any customer with the scope `orders:admin`.
    #[schema(value_type = CustomerId, required, nullable = false)]
    customer_id: Option<String>,
    /// 1 to 100 lines. Lines of the same SKU are merged.
    #[schema(required, nullable = false, min_items = 1, max_items = 100)]
    lines: Option<Vec<OrderLineRequest>>,
    #[schema(required, nullable = false)]
    shipping_address: Option<QuoteAddress>,
    /// A code that the customer has entered, in any case.
    #[schema(min_length = 3, max_length = 40, example = "SUMMER-25")]
    coupon: Option<String>,
}

/// Where an order would go. The other fields of a shipping address are accepted, and not read.
#[derive(Debug, Deserialize, ToSchema)]
struct QuoteAddress {
    /// ISO 3166-1: two letters.
    #[schema(required, nullable = false, example = "CN", min_length = 2, max_length = 2)]
    country: Option<String>,
    /// Province or state; up to 100 characters. `province` is an alias.
    #[serde(alias = "province")]
    #[schema(max_length = 100)]
    region: Option<String>,
}

/// What an order would cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quote)]
pub(crate) struct QuoteBody {
    /// Sorted by SKU.
    lines: Vec<LineBody>,
    /// Null while the price of a line is unknown.
    total: Option<Money>,
    /// How the total comes about; absent while the price of a line is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    costs: Option<CostsBody>,
}

/// Get what an order would cost
///
/// The body is that of an order without its payment. Nothing is ordered or reserved. `total` is what `expected_total` of the
/// order should be: if a price, a rate or a promotion changes meanwhile, the order is refused.
#[utoipa::path(
    post, path = "/v1/quotes", tag = "orders", request_body = QuoteRequest,
    responses(
        (status = 200, body = QuoteBody),
        (status = 409, body = Problem, description = "`coupon_not_in_force`, `coupon_used_up`: the coupon cannot be used. `price_changed`: an `expected_unit_price` is not the present one."),
        (status = 422, body = Problem, description = "A field is invalid, a SKU is not for sale, or the prices have different currencies. `unknown_coupon`, `coupon_not_applicable`: the coupon cannot be used. `no_shipping_rate`: the shop does not ship there."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn create_quote(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Json(request): Json<QuoteRequest>,
) -> Result<Json<QuoteBody>, Problem> {
    require_scope(&caller, Scope::OrdersWrite)?;
    let mut fields = Fields::new();
    let customer = fields.require("customer_id", request.customer_id);
    let customer =
        customer.and_then(|text| fields.check("customer_id", text.parse::<CustomerId>()));
    let lines = parse_lines(&mut fields, request.lines);
    let address = fields.require("shipping_address", request.shipping_address);
    let address = address.and_then(|address| address.parse(&mut fields));
    let coupon = parse_coupon(&mut fields, request.coupon);
    let (customer, (quantities, unit_prices), (country, region)) =
        fields.finish_with(|| Some((customer?, lines?, address?)))?;
    require_customer(&caller, Scope::OrdersWrite, customer)?;

    let mut connection = outbox.pool().acquire().await?;
    let command = QuoteOrderCommand {
        customer,
        quantities: &quantities,
        destination: Destination { country: &country, region: region.as_deref() },
        coupon: coupon.as_ref(),
        shown: &ShownPrices { total: None, unit_prices },
    };
    let quote = quote::quote_order(&mut connection, &process, command).await?;
    let costs = quote.costs.as_ref();
    Ok(Json(QuoteBody {
        lines: LineBody::list(quote.lines, costs),
        total: costs.map(Costs::total),
        costs: costs.map(CostsBody::from),
    }))
}

impl QuoteAddress {
    /// The country and the region.
    fn parse(self, fields: &mut Fields) -> Option<(String, Option<String>)> {
        let name = "shipping_address.country";
        let letters = fields.require(name, self.country)?;
        let country = fields.check(name, country(&letters))?;
        let region = self.region.filter(|text| !text.trim().is_empty());
        let region = match region {
            Some(text) => Some(fields.check("shipping_address.region", one_line(&text, 100))?),
            None => None,
        };
        Some((country, region))
    }
}

impl From<QuoteOrderError> for Problem {
    fn from(error: QuoteOrderError) -> Self {
        match error {
            QuoteOrderError::Refused(error) => refusal(&error),
            QuoteOrderError::Database(error) => error.into(),
        }
    }
}
