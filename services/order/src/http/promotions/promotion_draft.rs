//! What a client may say about a promotion.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use problem::{Fields, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{Money, ProductId, PromotionId, Sku};

use crate::{
    domain::costs::{BasisPoints, Benefit, CouponCode, MAX_COUPONS, Promotion},
    http::cost_rules::parse_name,
};

/// The maximum number of products, and of SKUs, of a promotion.
const MAX_TARGETS: usize = 1_000;

/// The maximum of `priority`.
const MAX_PRIORITY: i64 = 1_000;

/// The maximum of `max_uses`.
const MAX_USES: i64 = 1_000_000_000;

// All fields are optional texts or numbers: then one response lists all invalid fields.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromotionDraft {
    /// What customers see; up to 100 characters.
    #[schema(required, nullable = false, max_length = 100, example = "Summer sale")]
    name: Option<String>,
    /// Takes off this share of the lines, in hundredths of a percent: 1000 is 10 %.
    #[schema(minimum = 1, maximum = 10_000, example = 1000)]
    basis_points_off: Option<i64>,
    /// Takes off this amount, and at most what the lines cost.
    amount_off: Option<Money>,
    /// Takes off what shipping costs.
    #[serde(default)]
    free_shipping: bool,
    /// Products that it discounts. Without products and SKUs it discounts all lines.
    #[serde(default)]
    #[schema(value_type = Vec<ProductId>, max_items = 1000)]
    products: Vec<String>,
    /// SKUs that it discounts.
    #[serde(default)]
    #[schema(value_type = Vec<Sku>, max_items = 1000)]
    skus: Vec<String>,
    /// The least goods of an order, before discounts.
    min_goods: Option<Money>,
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    starts_at: Option<DateTime<Utc>>,
    /// The first moment at which it no longer holds.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    ends_at: Option<DateTime<Utc>>,
    /// Higher ones apply first.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1000)]
    priority: i64,
    /// Whether it applies together with other promotions.
    #[serde(default)]
    stackable: bool,
    /// Codes, of which a customer must enter one. If absent, it applies without a code.
    #[schema(max_items = 1000, example = json!(["SUMMER-25"]))]
    coupons: Option<Vec<String>>,
    /// The most orders that may use it.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    max_uses: Option<i64>,
    /// The most orders of one customer that may use it.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    max_uses_per_customer: Option<i64>,
}

impl PromotionDraft {
    /// The promotion and its codes; 422 with every invalid field.
    pub(super) fn parse(self, id: PromotionId) -> Result<(Promotion, Vec<CouponCode>), Problem> {
        let mut fields = Fields::new();
        let name = parse_name(&mut fields, self.name);
        let benefit =
            parse_benefit(&mut fields, self.basis_points_off, self.amount_off, self.free_shipping);
        let products = parse_set(&mut fields, "products", &self.products);
        let skus = parse_set(&mut fields, "skus", &self.skus);
        if let (Some(start), Some(end)) = (self.starts_at, self.ends_at)
            && end <= start
        {
            fields.refuse("ends_at", "invalid", "must be later than starts_at");
        }
        let priority = self.priority;
        let in_range = u16::try_from(priority).ok().filter(|_| priority <= MAX_PRIORITY);
        if in_range.is_none() {
            let message = format!("must be from 0 to {MAX_PRIORITY}");
            fields.refuse("priority", "out_of_range", message);
        }
        let needs_coupon = self.coupons.is_some();
        let coupons = parse_coupons(&mut fields, &self.coupons.unwrap_or_default());
        let max_uses = parse_bound(&mut fields, "max_uses", self.max_uses);
        let max_uses_per_customer =
            parse_bound(&mut fields, "max_uses_per_customer", self.max_uses_per_customer);
        fields.finish_with(|| {
            let promotion = Promotion {
                id,
                name: name?,
                benefit: benefit?,
                products: products?,
                skus: skus?,
                min_goods: self.min_goods,
                starts_at: self.starts_at,
                ends_at: self.ends_at,
                priority: in_range?,
                is_stackable: self.stackable,
                needs_coupon,
                max_uses,
                max_uses_per_customer,
            };
            Some((promotion, coupons?))
        })
    }
}

fn parse_benefit(
    fields: &mut Fields,
    basis_points: Option<i64>,
    amount: Option<Money>,
    is_shipping_free: bool,
) -> Option<Benefit> {
    match (basis_points, amount, is_shipping_free) {
        (Some(points), None, false) => {
            let points = fields.check("basis_points_off", BasisPoints::try_from(points))?;
            if points.get() == 0 {
                fields.refuse("basis_points_off", "out_of_range", "must be 1 or more");
                return None;
            }
            Some(Benefit::PercentOff(points))
        }
        (None, Some(amount), false) => {
            if amount.amount() == 0 {
                fields.refuse("amount_off", "out_of_range", "must be more than nothing");
                return None;
            }
            Some(Benefit::AmountOff(amount))
        }
        (None, None, true) => Some(Benefit::FreeShipping),
        _ => {
            let message = "give one of basis_points_off, amount_off and free_shipping";
            fields.refuse("basis_points_off", "invalid", message);
            None
        }
    }
}

fn parse_set<T>(fields: &mut Fields, name: &str, texts: &[String]) -> Option<BTreeSet<T>>
where
    T: std::str::FromStr + Ord,
    T::Err: std::fmt::Display,
{
    if texts.len() > MAX_TARGETS {
        fields.refuse(name, "too_many", format!("must have at most {MAX_TARGETS} entries"));
        return None;
    }
    let parsed: Vec<Option<T>> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| fields.check(format!("{name}[{index}]"), text.parse()))
        .collect();
    parsed.into_iter().collect()
}

/// Each code once.
fn parse_coupons(fields: &mut Fields, texts: &[String]) -> Option<Vec<CouponCode>> {
    if texts.len() > MAX_COUPONS {
        fields.refuse("coupons", "too_many", format!("must have at most {MAX_COUPONS} entries"));
        return None;
    }
    let codes: Option<BTreeSet<CouponCode>> = parse_set(fields, "coupons", texts);
    codes.map(|codes| codes.into_iter().collect())
}

fn parse_bound(fields: &mut Fields, name: &str, bound: Option<i64>) -> Option<u32> {
    let bound = bound?;
    let parsed = u32::try_from(bound).ok().filter(|_| (1..=MAX_USES).contains(&bound));
    if parsed.is_none() {
        fields.refuse(name, "out_of_range", format!("must be from 1 to {MAX_USES}"));
    }
    parsed
}
