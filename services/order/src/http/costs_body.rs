//! What an order costs, in JSON.

use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{Money, PromotionId};

use crate::domain::costs::{Costs, Discount, DiscountedPart, Tax, TaxMode};

/// What an order costs. `goods`, less the `discounts`, plus `shipping`, plus `tax` that is not included, is `total`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderCosts)]
pub(crate) struct CostsBody {
    /// The sum of the lines, before discounts.
    goods: Money,
    /// In the order in which they apply.
    discounts: Vec<DiscountBody>,
    /// Before discounts.
    shipping: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<TaxBody>,
    /// What the customer pays.
    total: Money,
}

/// What a promotion takes off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderDiscount)]
struct DiscountBody {
    promotion_id: PromotionId,
    /// The name of the promotion when the order was placed.
    name: String,
    /// The code that the customer entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<String>,
    /// What it reduces: `goods` or `shipping`.
    #[schema(example = "goods")]
    on: &'static str,
    amount: Money,
}

/// The tax on an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderTax)]
struct TaxBody {
    /// The name of the rate when the order was placed.
    name: String,
    /// In hundredths of a percent: 1300 is 13 %.
    #[schema(example = 1300)]
    basis_points: u32,
    /// Whether the prices contain it; otherwise it is added to them.
    included: bool,
    amount: Money,
}

impl From<&Costs> for CostsBody {
    fn from(costs: &Costs) -> Self {
        Self {
            goods: costs.goods(),
            discounts: costs.discounts().iter().map(DiscountBody::from).collect(),
            shipping: costs.shipping(),
            tax: costs.tax().map(TaxBody::from),
            total: costs.total(),
        }
    }
}

impl From<&Discount> for DiscountBody {
    fn from(discount: &Discount) -> Self {
        Self {
            promotion_id: discount.promotion,
            name: discount.name.clone(),
            coupon: discount.coupon.as_ref().map(ToString::to_string),
            on: match discount.part {
                DiscountedPart::Goods => "goods",
                DiscountedPart::Shipping => "shipping",
            },
            amount: discount.amount,
        }
    }
}

impl From<&Tax> for TaxBody {
    fn from(tax: &Tax) -> Self {
        Self {
            name: tax.name.clone(),
            basis_points: tax.rate.get(),
            included: tax.mode == TaxMode::Included,
            amount: tax.amount,
        }
    }
}
