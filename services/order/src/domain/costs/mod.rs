//! What an order costs: goods, discounts, shipping and tax, which add up to the total.

mod allocation;
mod basis_points;
mod calculation;
mod coupon;
mod order_costs;
mod promotion;
mod promotion_uses;
mod refund;
mod rules;
mod zone;

pub(crate) use self::{
    basis_points::BasisPoints,
    calculation::{CostsError, CouponRefusal, Purchase, calculate, candidates},
    coupon::{CouponCode, MAX_COUPONS},
    order_costs::{Costs, Discount, DiscountedPart, LineShare, Tax, TaxMode},
    promotion::{Benefit, Promotion},
    promotion_uses::PromotionUses,
    refund::worth_of_refunded,
    rules::{CostRule, CostRules, ShippingRate, TaxRate},
    zone::{Destination, Zone},
};
