//! The JSON of `orders.costs` and of `cost_rule.rule`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use vocabulary::{Currency, Money, ProductId, PromotionId, Sku};

use super::undecodable;
use crate::domain::costs::{
    BasisPoints, Benefit, CostRule, Costs, Discount, DiscountedPart, LineShare, Promotion,
    ShippingRate, Tax, TaxMode, TaxRate, Zone,
};

/// `orders.costs`. Amounts are minor units of the currency of the order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CostsJson {
    goods: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    discounts: Vec<DiscountJson>,
    #[serde(default)]
    shipping: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tax: Option<TaxJson>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lines: BTreeMap<Sku, ShareJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct DiscountJson {
    promotion_id: PromotionId,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coupon: Option<String>,
    on: PartJson,
    amount: i64,
    #[serde(default)]
    counted: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartJson {
    Goods,
    Shipping,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TaxJson {
    name: String,
    basis_points: i64,
    mode: ModeJson,
    amount: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeJson {
    Included,
    Added,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct ShareJson {
    #[serde(default)]
    discount: i64,
    #[serde(default)]
    tax: i64,
}

/// The column; `None` for an order that costs its goods.
pub(super) fn costs_value(costs: Option<&Costs>) -> Result<Option<Value>, sqlx::Error> {
    let costs = costs.filter(|costs| !costs.are_goods_only()).map(CostsJson::from);
    costs.map(|costs| serde_json::to_value(costs).map_err(undecodable)).transpose()
}

/// The costs of a row; `None` while its total is unknown.
pub(super) fn costs(
    total: Option<Money>,
    column: Option<CostsJson>,
) -> Result<Option<Costs>, sqlx::Error> {
    let Some(total) = total else { return Ok(None) };
    let Some(json) = column else { return Ok(Some(Costs::of_goods(total))) };
    json.costs(total.currency()).map(Some)
}

impl From<&Costs> for CostsJson {
    fn from(costs: &Costs) -> Self {
        let discount = |discount: &Discount| DiscountJson {
            promotion_id: discount.promotion,
            name: discount.name.clone(),
            coupon: discount.coupon.as_ref().map(ToString::to_string),
            on: match discount.part {
                DiscountedPart::Goods => PartJson::Goods,
                DiscountedPart::Shipping => PartJson::Shipping,
            },
            amount: discount.amount.amount(),
            counted: discount.is_counted,
        };
        let tax = |tax: &Tax| TaxJson {
            name: tax.name.clone(),
            basis_points: tax.rate.get().into(),
            mode: tax.mode.into(),
            amount: tax.amount.amount(),
        };
        let share = |(sku, share): (&Sku, &LineShare)| {
            (sku.clone(), ShareJson { discount: share.discount, tax: share.tax })
        };
        Self {
            goods: costs.goods().amount(),
            discounts: costs.discounts().iter().map(discount).collect(),
            shipping: costs.shipping().amount(),
            tax: costs.tax().map(tax),
            lines: costs.shares().iter().map(share).collect(),
        }
    }
}

impl CostsJson {
    fn costs(self, currency: Currency) -> Result<Costs, sqlx::Error> {
        let money = |amount| Money::new(amount, currency).map_err(undecodable);
        let discount = |json: DiscountJson| -> Result<Discount, sqlx::Error> {
            Ok(Discount {
                promotion: json.promotion_id,
                name: json.name,
                coupon: json.coupon.map(|code| code.parse()).transpose().map_err(undecodable)?,
                part: match json.on {
                    PartJson::Goods => DiscountedPart::Goods,
                    PartJson::Shipping => DiscountedPart::Shipping,
                },
                amount: money(json.amount)?,
                is_counted: json.counted,
            })
        };
        let tax = |json: TaxJson| -> Result<Tax, sqlx::Error> {
            Ok(Tax {
                name: json.name,
                rate: BasisPoints::try_from(json.basis_points).map_err(undecodable)?,
                mode: json.mode.into(),
                amount: money(json.amount)?,
            })
        };
        let share = |(sku, json): (Sku, ShareJson)| {
            (sku, LineShare { discount: json.discount, tax: json.tax })
        };
        Costs::new(
            money(self.goods)?,
            self.discounts.into_iter().map(discount).collect::<Result<_, _>>()?,
            money(self.shipping)?,
            self.tax.map(tax).transpose()?,
            self.lines.into_iter().map(share).collect(),
        )
        .map_err(undecodable)
    }
}

impl From<TaxMode> for ModeJson {
    fn from(mode: TaxMode) -> Self {
        match mode {
            TaxMode::Included => Self::Included,
            TaxMode::Added => Self::Added,
        }
    }
}

impl From<ModeJson> for TaxMode {
    fn from(json: ModeJson) -> Self {
        match json {
            ModeJson::Included => Self::Included,
            ModeJson::Added => Self::Added,
        }
    }
}

/// `cost_rule.rule`, without its id and its kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PromotionJson {
    name: String,
    benefit: BenefitJson,
    #[serde(default)]
    products: BTreeSet<ProductId>,
    #[serde(default)]
    skus: BTreeSet<Sku>,
    min_goods: Option<Money>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    priority: u16,
    stackable: bool,
    needs_coupon: bool,
    max_uses: Option<u32>,
    max_uses_per_customer: Option<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BenefitJson {
    BasisPointsOff(i64),
    AmountOff(Money),
    FreeShipping,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ShippingRateJson {
    name: String,
    country: Option<String>,
    region: Option<String>,
    from_goods: Money,
    price: Money,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TaxRateJson {
    name: String,
    country: Option<String>,
    region: Option<String>,
    basis_points: i64,
    mode: ModeJson,
    taxes_shipping: bool,
}

/// The columns `id`, `kind` and `rule`.
pub(super) fn rule_columns(rule: &CostRule) -> Result<(Uuid, &'static str, Value), sqlx::Error> {
    let (id, kind, json) = match rule {
        CostRule::Promotion(promotion) => {
            let json = serde_json::to_value(PromotionJson::from(promotion));
            (promotion.id.as_uuid(), "promotion", json)
        }
        CostRule::ShippingRate(rate) => {
            let json = serde_json::to_value(ShippingRateJson::from(rate));
            (rate.id.as_uuid(), "shipping_rate", json)
        }
        CostRule::TaxRate(rate) => {
            let json = serde_json::to_value(TaxRateJson::from(rate));
            (rate.id.as_uuid(), "tax_rate", json)
        }
    };
    Ok((id, kind, json.map_err(undecodable)?))
}

#[derive(Debug, thiserror::Error)]
#[error("not a kind of rule: {0}")]
struct UnknownKind(String);

/// The rule of a row.
pub(super) fn rule(id: Uuid, kind: &str, json: Value) -> Result<CostRule, sqlx::Error> {
    match kind {
        "promotion" => {
            let json: PromotionJson = serde_json::from_value(json).map_err(undecodable)?;
            json.promotion(id.into()).map(CostRule::Promotion)
        }
        "shipping_rate" => {
            let json: ShippingRateJson = serde_json::from_value(json).map_err(undecodable)?;
            let ShippingRateJson { name, country, region, from_goods, price } = json;
            let zone = Zone::new(country, region).map_err(undecodable)?;
            let id = id.into();
            Ok(CostRule::ShippingRate(ShippingRate { id, name, zone, from_goods, price }))
        }
        "tax_rate" => {
            let json: TaxRateJson = serde_json::from_value(json).map_err(undecodable)?;
            Ok(CostRule::TaxRate(TaxRate {
                id: id.into(),
                name: json.name,
                zone: Zone::new(json.country, json.region).map_err(undecodable)?,
                rate: BasisPoints::try_from(json.basis_points).map_err(undecodable)?,
                mode: json.mode.into(),
                taxes_shipping: json.taxes_shipping,
            }))
        }
        other => Err(undecodable(UnknownKind(other.to_owned()))),
    }
}

impl From<&Promotion> for PromotionJson {
    fn from(promotion: &Promotion) -> Self {
        Self {
            name: promotion.name.clone(),
            benefit: match promotion.benefit {
                Benefit::PercentOff(percent) => BenefitJson::BasisPointsOff(percent.get().into()),
                Benefit::AmountOff(amount) => BenefitJson::AmountOff(amount),
                Benefit::FreeShipping => BenefitJson::FreeShipping,
            },
            products: promotion.products.clone(),
            skus: promotion.skus.clone(),
            min_goods: promotion.min_goods,
            starts_at: promotion.starts_at,
            ends_at: promotion.ends_at,
            priority: promotion.priority,
            stackable: promotion.is_stackable,
            needs_coupon: promotion.needs_coupon,
            max_uses: promotion.max_uses,
            max_uses_per_customer: promotion.max_uses_per_customer,
        }
    }
}

impl PromotionJson {
    fn promotion(self, id: PromotionId) -> Result<Promotion, sqlx::Error> {
        Ok(Promotion {
            id,
            name: self.name,
            benefit: match self.benefit {
                BenefitJson::BasisPointsOff(points) => {
                    Benefit::PercentOff(BasisPoints::try_from(points).map_err(undecodable)?)
                }
                BenefitJson::AmountOff(amount) => Benefit::AmountOff(amount),
                BenefitJson::FreeShipping => Benefit::FreeShipping,
            },
            products: self.products,
            skus: self.skus,
            min_goods: self.min_goods,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            priority: self.priority,
            is_stackable: self.stackable,
            needs_coupon: self.needs_coupon,
            max_uses: self.max_uses,
            max_uses_per_customer: self.max_uses_per_customer,
        })
    }
}

impl From<&ShippingRate> for ShippingRateJson {
    fn from(rate: &ShippingRate) -> Self {
        Self {
            name: rate.name.clone(),
            country: rate.zone.country().map(str::to_owned),
            region: rate.zone.region().map(str::to_owned),
            from_goods: rate.from_goods,
            price: rate.price,
        }
    }
}

impl From<&TaxRate> for TaxRateJson {
    fn from(rate: &TaxRate) -> Self {
        Self {
            name: rate.name.clone(),
            country: rate.zone.country().map(str::to_owned),
            region: rate.zone.region().map(str::to_owned),
            basis_points: rate.rate.get().into(),
            mode: rate.mode.into(),
            taxes_shipping: rate.taxes_shipping,
        }
    }
}
