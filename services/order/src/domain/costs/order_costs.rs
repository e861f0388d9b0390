//! The costs of an order. They add up by construction.

use std::collections::BTreeMap;

use vocabulary::{Currency, InvalidMoney, Money, PromotionId, Sku};

use super::{basis_points::BasisPoints, coupon::CouponCode};

/// What an order costs: `goods - discounts + shipping + added tax = total`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Costs {
    goods: Money,
    discounts: Vec<Discount>,
    shipping: Money,
    tax: Option<Tax>,
    /// Only lines with a discount or tax.
    shares: BTreeMap<Sku, LineShare>,
    total: Money,
}

/// What a promotion takes off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discount {
    pub(crate) promotion: PromotionId,
    /// The name of the promotion when the order was placed.
    pub(crate) name: String,
    pub(crate) coupon: Option<CouponCode>,
    pub(crate) part: DiscountedPart,
    pub(crate) amount: Money,
    /// Whether the order counts as a use of the promotion, because its uses are bounded.
    pub(crate) is_counted: bool,
}

/// The part of the costs that a discount reduces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiscountedPart {
    Goods,
    Shipping,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tax {
    /// The name of the rate when the order was placed.
    pub(crate) name: String,
    pub(crate) rate: BasisPoints,
    pub(crate) mode: TaxMode,
    pub(crate) amount: Money,
}

/// Whether prices contain the tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaxMode {
    Included,
    Added,
}

/// The share of a line in the discounts on goods and in the tax, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LineShare {
    pub(crate) discount: i64,
    pub(crate) tax: i64,
}

/// Costs that do not add up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidCosts {
    #[error(transparent)]
    Money(#[from] InvalidMoney),
    #[error("the discounts on {0} are larger than what they reduce")]
    DiscountTooLarge(&'static str),
    #[error("the shares of the lines do not add up")]
    Shares,
}

impl Costs {
    /// The costs of an order to which no rule applies.
    pub(crate) const fn of_goods(goods: Money) -> Self {
        Self {
            goods,
            discounts: Vec::new(),
            shipping: Money::zero(goods.currency()),
            tax: None,
            shares: BTreeMap::new(),
            total: goods,
        }
    }

    pub(crate) fn new(
        goods: Money,
        discounts: Vec<Discount>,
        shipping: Money,
        tax: Option<Tax>,
        shares: BTreeMap<Sku, LineShare>,
    ) -> Result<Self, InvalidCosts> {
        let mut off_goods = Money::zero(goods.currency());
        let mut off_shipping = off_goods;
        for discount in &discounts {
            let sum = match discount.part {
                DiscountedPart::Goods => &mut off_goods,
                DiscountedPart::Shipping => &mut off_shipping,
            };
            *sum = sum.plus(discount.amount)?;
        }
        let charged = goods.amount() - off_goods.amount();
        if charged < 0 {
            return Err(InvalidCosts::DiscountTooLarge("goods"));
        }
        let carriage = shipping.amount() - off_shipping.amount();
        if carriage < 0 {
            return Err(InvalidCosts::DiscountTooLarge("shipping"));
        }
        let shared: i64 = shares.values().map(|share| share.discount).sum();
        let taxed: i64 = shares.values().map(|share| share.tax).sum();
        if shared != off_goods.amount() || taxed > tax.as_ref().map_or(0, |tax| tax.amount.amount())
        {
            return Err(InvalidCosts::Shares);
        }
        let mut total = Money::new(charged, goods.currency())?
            .plus(Money::new(carriage, shipping.currency())?)?;
        if let Some(Tax { amount, mode: TaxMode::Added, .. }) = &tax {
            total = total.plus(*amount)?;
        }
        Ok(Self { goods, discounts, shipping, tax, shares, total })
    }

    /// The sum of the lines, before discounts.
    pub(crate) const fn goods(&self) -> Money {
        self.goods
    }

    pub(crate) fn discounts(&self) -> &[Discount] {
        &self.discounts
    }

    /// Before discounts.
    pub(crate) const fn shipping(&self) -> Money {
        self.shipping
    }

    pub(crate) const fn tax(&self) -> Option<&Tax> {
        self.tax.as_ref()
    }

    pub(crate) const fn shares(&self) -> &BTreeMap<Sku, LineShare> {
        &self.shares
    }

    /// What the customer pays.
    pub(crate) const fn total(&self) -> Money {
        self.total
    }

    pub(crate) const fn currency(&self) -> Currency {
        self.total.currency()
    }

    /// Whether the order costs what its lines cost, and no rule applied.
    pub(crate) fn are_goods_only(&self) -> bool {
        self.discounts.is_empty() && self.shipping.amount() == 0 && self.tax.is_none()
    }

    /// The promotions of which the order counts as a use.
    pub(crate) fn counted_promotions(&self) -> impl Iterator<Item = &Discount> {
        self.discounts.iter().filter(|discount| discount.is_counted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vocabulary::{Currency, InvalidMoney, Money, PromotionId};

    use super::{Costs, Discount, DiscountedPart, InvalidCosts, LineShare};

    fn cny(amount: i64) -> Money {
        Money::new(amount, Currency::CNY).unwrap()
    }

    fn discount(part: DiscountedPart, amount: i64) -> Discount {
        let (promotion, name) = (PromotionId::new(), "Sale".to_owned());
        Discount { promotion, name, coupon: None, part, amount: cny(amount), is_counted: false }
    }

    #[test]
    fn costs_that_do_not_add_up_cannot_exist() {
        let costs = |goods, off_goods, share, shipping, off_shipping| {
            let discounts = vec![
                discount(DiscountedPart::Goods, off_goods),
                discount(DiscountedPart::Shipping, off_shipping),
            ];
            let shares =
                BTreeMap::from([("A".parse().unwrap(), LineShare { discount: share, tax: 0 })]);
            Costs::new(cny(goods), discounts, cny(shipping), None, shares)
                .map(|costs| costs.total().amount())
        };
        assert_eq!(costs(1_000, 250, 250, 90, 90), Ok(750));
        assert_eq!(costs(1_000, 1_000, 1_000, 0, 0), Ok(0));
        assert_eq!(costs(1_000, 1_001, 1_001, 0, 0), Err(InvalidCosts::DiscountTooLarge("goods")));
        assert_eq!(costs(1_000, 0, 0, 9, 10), Err(InvalidCosts::DiscountTooLarge("shipping")));
        assert_eq!(costs(1_000, 250, 249, 0, 0), Err(InvalidCosts::Shares));
        let large = costs(1_000_000_000_000, 0, 0, 1, 0);
        assert_eq!(large, Err(InvalidCosts::Money(InvalidMoney::TooLarge)));
    }
}
