//! Merchandising rules: what the shop changes in the results of a search.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, RuleId};

/// The bounds of a rule: product-catalog has narrower ones.
const PRODUCTS_MAX: usize = 1_000;
const POSITION_MAX: u32 = 10_000;
const FACTOR_MAX: f64 = 1_000.0;
/// In characters.
const NAME_MAX: usize = 1_000;
/// How many pins one search has.
const PINS_MAX: usize = 200;

/// A merchandising rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: RuleId,
    pub effect: RuleEffect,
    pub scope: RuleScope,
    pub products: RuleProducts,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
}

/// What a rule does with its products.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RuleEffect {
    /// Puts them at this position and the following ones; the first is 1.
    Pin { position: u32 },
    /// Multiplies their score by a factor above 1.
    Boost { factor: f64 },
    /// Multiplies their score by a factor below 1.
    Bury { factor: f64 },
    /// Removes them.
    Hide,
}

/// The searches that a rule changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleScope {
    Query(String),
    /// Searches within this category.
    Category(String),
    Everywhere,
}

/// The products of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleProducts {
    /// In the order in which they are pinned.
    Ids(Vec<ProductId>),
    Brand(String),
    /// Those of this category and below it.
    Category(String),
}

/// Why a rule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    #[error("the position is not 1 to {POSITION_MAX}")]
    Position,
    #[error("the factor of a boost is above 1, that of a bury between 0 and 1")]
    Factor,
    #[error("a rule has 1 to {PRODUCTS_MAX} products, and a pin has their ids")]
    Products,
    #[error("a text is blank, or longer than {NAME_MAX} characters")]
    Text,
    #[error("the end is not after the start")]
    Times,
}

impl Rule {
    /// Checks a rule that another service has published.
    pub(crate) fn check(&self) -> Result<(), InvalidRule> {
        match self.effect {
            RuleEffect::Pin { position } if !(1..=POSITION_MAX).contains(&position) => {
                return Err(InvalidRule::Position);
            }
            RuleEffect::Pin { .. } if !matches!(self.products, RuleProducts::Ids(_)) => {
                return Err(InvalidRule::Products);
            }
            RuleEffect::Boost { factor } if !(factor > 1.0 && factor <= FACTOR_MAX) => {
                return Err(InvalidRule::Factor);
            }
            RuleEffect::Bury { factor } if !(factor > 0.0 && factor < 1.0) => {
                return Err(InvalidRule::Factor);
            }
            RuleEffect::Pin { .. }
            | RuleEffect::Boost { .. }
            | RuleEffect::Bury { .. }
            | RuleEffect::Hide => {}
        }
        let fits = |text: &str| !text.trim().is_empty() && text.chars().nth(NAME_MAX).is_none();
        match &self.products {
            RuleProducts::Ids(ids) if ids.is_empty() || ids.len() > PRODUCTS_MAX => {
                return Err(InvalidRule::Products);
            }
            RuleProducts::Brand(text) | RuleProducts::Category(text) if !fits(text) => {
                return Err(InvalidRule::Text);
            }
            RuleProducts::Ids(_) | RuleProducts::Brand(_) | RuleProducts::Category(_) => {}
        }
        match &self.scope {
            RuleScope::Query(text) | RuleScope::Category(text) if !fits(text) => {
                return Err(InvalidRule::Text);
            }
            RuleScope::Query(_) | RuleScope::Category(_) | RuleScope::Everywhere => {}
        }
        match (self.starts_at, self.ends_at) {
            (Some(start), Some(end)) if start >= end => Err(InvalidRule::Times),
            (_, _) => Ok(()),
        }
    }

    /// Whether it applies at this time.
    pub(crate) fn is_active(&self, time: DateTime<Utc>) -> bool {
        self.starts_at.is_none_or(|start| start <= time)
            && self.ends_at.is_none_or(|end| time < end)
    }

    /// The ids of its products; none where a brand or category names them.
    pub(crate) fn ids(&self) -> &[ProductId] {
        match &self.products {
            RuleProducts::Ids(ids) => ids,
            RuleProducts::Brand(_) | RuleProducts::Category(_) => &[],
        }
    }

    /// A rule for a query precedes one for a category, and both precede one for all searches.
    fn precedence(&self) -> u8 {
        match self.scope {
            RuleScope::Query(_) => 0,
            RuleScope::Category(_) => 1,
            RuleScope::Everywhere => 2,
        }
    }
}

/// A product at a fixed place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pin {
    /// The number of hits before it.
    pub(crate) place: u32,
    pub(crate) product: ProductId,
    pub(crate) rule: RuleId,
    /// Whether it is a hit even if it does not match the text: its rule is for this very query.
    pub(crate) is_added: bool,
}

/// The places of the pinned products, in order. Where two rules claim a place or a product, the more specific
/// rule has it, then the older one; the other product gets the next free place.
///
/// The places depend on the rules alone, so they are the same on every page, whatever becomes of the products.
pub(crate) fn place_pins<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Vec<Pin> {
    let mut claims: Vec<(u32, u8, RuleId, ProductId)> = Vec::new();
    let mut ordered: Vec<&Rule> = rules.into_iter().collect();
    ordered.sort_by_key(|rule| (rule.precedence(), rule.id));
    let mut products = BTreeSet::new();
    for rule in ordered {
        let RuleEffect::Pin { position } = rule.effect else { continue };
        for (place, product) in (position.saturating_sub(1)..).zip(rule.ids()) {
            if claims.len() < PINS_MAX && products.insert(*product) {
                claims.push((place, rule.precedence(), rule.id, *product));
            }
        }
    }
    claims.sort_by_key(|(place, precedence, rule, _)| (*place, *precedence, *rule));
    let mut free = 0;
    let mut pins = Vec::with_capacity(claims.len());
    for (claimed, precedence, rule, product) in claims {
        let place = claimed.max(free);
        free = place + 1;
        pins.push(Pin { place, product, rule, is_added: precedence == 0 });
    }
    pins
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vocabulary::ProductId;

    use super::{InvalidRule, Rule, RuleEffect, RuleProducts, RuleScope, place_pins};

    fn id(number: u128) -> ProductId {
        Uuid::from_u128(number).into()
    }

    fn pin(rule: u128, scope: RuleScope, position: u32, products: &[u128]) -> Rule {
        Rule {
            id: Uuid::from_u128(rule).into(),
            effect: RuleEffect::Pin { position },
            scope,
            products: RuleProducts::Ids(products.iter().copied().map(id).collect()),
            starts_at: None,
            ends_at: None,
        }
    }

    #[test]
    fn the_more_specific_rule_has_the_place() {
        let query = || RuleScope::Query("手机".to_owned());
        let rules = [
            pin(1, RuleScope::Everywhere, 1, &[10, 11]),
            pin(2, query(), 1, &[20]),
            pin(3, query(), 3, &[10]),
        ];
        let pins = place_pins(&rules);
        let places: Vec<_> = pins.iter().map(|pin| (pin.place, pin.product)).collect();
        assert_eq!(places, [(0, id(20)), (1, id(11)), (2, id(10))]);
        assert_eq!(pins.iter().map(|pin| pin.is_added).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_rule_applies_between_start_and_end() {
        let time = |text: &str| text.parse().unwrap();
        let rule = Rule {
            starts_at: Some(time("2026-11-29T08:00:00Z")),
            ends_at: Some(time("2026-11-29T09:00:00Z")),
            ..pin(1, RuleScope::Everywhere, 1, &[1])
        };
        for (now, active) in [
            ("2026-11-29T07:59:59Z", false),
            ("2026-11-29T08:00:00Z", true),
            ("2026-11-29T08:59:59Z", true),
            ("2026-11-29T09:00:00Z", false),
        ] {
            assert_eq!(rule.is_active(time(now)), active, "{now}");
        }
    }

    #[test]
    fn tampered_rules_are_refused() {
        let valid = pin(1, RuleScope::Everywhere, 1, &[1]);
        assert_eq!(valid.check(), Ok(()));
        let effect = |effect| Rule { effect, ..valid.clone() };
        let products = |products| Rule { products, ..valid.clone() };
        let now = "2026-11-29T08:00:00Z".parse().ok();
        for (rule, error) in [
            (effect(RuleEffect::Pin { position: 0 }), InvalidRule::Position),
            (effect(RuleEffect::Pin { position: 10_001 }), InvalidRule::Position),
            (effect(RuleEffect::Boost { factor: 0.5 }), InvalidRule::Factor),
            (effect(RuleEffect::Boost { factor: f64::INFINITY }), InvalidRule::Factor),
            (effect(RuleEffect::Bury { factor: -1.0 }), InvalidRule::Factor),
            (effect(RuleEffect::Bury { factor: f64::NAN }), InvalidRule::Factor),
            (products(RuleProducts::Ids(Vec::new())), InvalidRule::Products),
            (products(RuleProducts::Brand("a".to_owned())), InvalidRule::Products),
            (Rule { scope: RuleScope::Query(" ".to_owned()), ..valid.clone() }, InvalidRule::Text),
            (Rule { starts_at: now, ends_at: now, ..valid.clone() }, InvalidRule::Times),
        ] {
            assert_eq!(rule.check(), Err(error), "{rule:?}");
        }
    }
}
