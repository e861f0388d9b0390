//! What a client sends to place an order, and what is checked of it: all fields, so that all that is wrong is told at once.

use problem::{Fields, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{CustomerId, OrderId, Quantity, Sku};

use crate::domain::{Address, Draft, MAX_LINES, Method, country, merge, one_line};

/// An order to be placed.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// Whose order it is: the subject of the token, unless that has the scope `orders:admin`.
    #[schema(value_type = CustomerId, required, nullable = false)]
    customer_id: Option<String>,
    /// What is ordered: 1 to 100 lines. Lines of the same SKU become one.
    #[schema(required, nullable = false, min_items = 1, max_items = 100)]
    lines: Option<Vec<WantedLine>>,
    /// Where it goes.
    #[schema(required, nullable = false)]
    shipping_address: Option<WantedAddress>,
    /// How it is to be paid for.
    #[schema(required, nullable = false)]
    payment: Option<WantedPayment>,
}

/// A line of an order to be placed.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedLine {
    /// What.
    #[schema(value_type = Sku, required, nullable = false)]
    sku: Option<String>,
    /// How many.
    #[schema(value_type = Quantity, required, nullable = false)]
    quantity: Option<i64>,
}

/// An address, as clients write it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedAddress {
    /// Who takes the parcel; up to 100 characters. May be called `recipient`.
    #[serde(alias = "recipient")]
    #[schema(required, nullable = false, max_length = 100)]
    name: Option<String>,
    /// Street and number; up to 200 characters.
    #[schema(required, nullable = false, max_length = 200)]
    line1: Option<String>,
    /// What else is needed to find the door; up to 200 characters.
    #[schema(max_length = 200)]
    line2: Option<String>,
    /// The city; up to 100 characters.
    #[schema(required, nullable = false, max_length = 100)]
    city: Option<String>,
    /// The province or state; up to 100 characters. May be called `province`.
    #[serde(alias = "province")]
    #[schema(max_length = 100)]
    region: Option<String>,
    /// The postal code; up to 20 characters.
    #[schema(max_length = 20)]
    postal_code: Option<String>,
    /// ISO 3166-1, two letters.
    #[schema(required, nullable = false, example = "CN", min_length = 2, max_length = 2)]
    country: Option<String>,
    /// For the carrier; up to 40 characters.
    #[schema(max_length = 40)]
    phone: Option<String>,
}

/// How an order is to be paid for, as clients write it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedPayment {
    /// `test` is approved at once, `test_decline` is declined at once, `manual` waits for a payment.
    #[schema(value_type = Method, required, nullable = false)]
    method: Option<String>,
}

impl PlaceOrder {
    /// The order `id` that is asked for, and where it goes; or 422 with every field that is wrong.
    pub(super) fn check(self, id: OrderId) -> Result<(Draft, Address), Problem> {
        let mut fields = Fields::new();
        let customer = fields.require("customer_id", self.customer_id);
        let customer =
            customer.and_then(|text| fields.check("customer_id", text.parse::<CustomerId>()));
        let wanted = check_lines(&mut fields, self.lines);
        let address = fields.require("shipping_address", self.shipping_address);
        let address = address.and_then(|address| address.check(&mut fields));
        let payment = fields.require("payment", self.payment);
        let method = payment.and_then(|payment| fields.require("payment.method", payment.method));
        let method = method.and_then(|text| fields.check("payment.method", text.parse::<Method>()));
        fields.finish_with(|| {
            Some((Draft { id, customer: customer?, wanted: wanted?, method: method? }, address?))
        })
    }
}

fn check_lines(
    fields: &mut Fields,
    lines: Option<Vec<WantedLine>>,
) -> Option<Vec<(Sku, Quantity)>> {
    let lines = fields.require("lines", lines)?;
    if !(1..=MAX_LINES).contains(&lines.len()) {
        fields.refuse("lines", "invalid", format!("an order has 1 to {MAX_LINES} lines"));
        return None;
    }
    let mut wanted = Vec::with_capacity(lines.len());
    for (index, line) in lines.into_iter().enumerate() {
        let name = |field: &str| format!("lines[{index}].{field}");
        let sku = fields.require(name("sku"), line.sku);
        let sku = sku.and_then(|sku| fields.check(name("sku"), Sku::try_from(sku)));
        let quantity = fields.require(name("quantity"), line.quantity);
        let quantity =
            quantity.and_then(|pieces| fields.check(name("quantity"), Quantity::try_from(pieces)));
        wanted.extend(sku.zip(quantity));
    }
    fields.check("lines", merge(wanted))
}

impl WantedAddress {
    fn check(self, fields: &mut Fields) -> Option<Address> {
        let mut required = |name: &str, text: Option<String>, longest| {
            let name = format!("shipping_address.{name}");
            let text = fields.require(&*name, text)?;
            fields.check(name, one_line(&text, longest))
        };
        let name = required("name", self.name, 100);
        let line1 = required("line1", self.line1, 200);
        let city = required("city", self.city, 100);
        let mut optional = |name: &str, text: Option<String>, longest| {
            let text = text.filter(|text| !text.trim().is_empty())?;
            fields.check(format!("shipping_address.{name}"), one_line(&text, longest))
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
