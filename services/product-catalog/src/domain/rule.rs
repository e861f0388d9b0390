//! Merchandising rules: what the shop changes in the results of a search.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, RuleId, Version};

use super::draft::{ValidationError, ValidationErrors};

/// The maximum number of rules of a shop.
pub(crate) const MAX_RULES: i64 = 1_000;
/// The maximum number of products that one rule names.
const MAX_PRODUCTS: usize = 100;
/// The last position of a pinned product.
const MAX_POSITION: i64 = 1_000;
const MAX_FACTOR: f64 = 100.0;
const MIN_FACTOR: f64 = 0.01;
const DEFAULT_BOOST: f64 = 2.0;
const DEFAULT_BURY: f64 = 0.5;
/// The maximum length of a query, in characters. Search reads no more.
const MAX_QUERY: usize = 256;

/// A merchandising rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: RuleId,
    pub(crate) version: Version,
    pub(crate) content: RuleContent,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RuleContent {
    pub(crate) effect: RuleEffect,
    pub(crate) scope: RuleScope,
    pub(crate) products: RuleProducts,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

/// What a rule does with its products.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RuleEffect {
    /// Puts them at this position and the following ones; the first is 1.
    Pin {
        position: u32,
    },
    /// Multiplies their score by a factor above 1.
    Boost {
        factor: f64,
    },
    /// Multiplies their score by a factor below 1.
    Bury {
        factor: f64,
    },
    Hide,
}

/// The name of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleAction {
    Pin,
    Boost,
    Bury,
    Hide,
}

/// The searches that a rule changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleScope {
    Query(String),
    /// Searches within this category.
    Category(String),
    Everywhere,
}

/// The products of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleProducts {
    Ids(Vec<ProductId>),
    Brand(String),
    Category(String),
}

/// A rule with the sequence number of its last event, read at one moment.
pub(crate) struct RuleState {
    /// For a removed rule: its last content, with the version of its removal.
    pub(crate) rule: Rule,
    pub(crate) removed_at: Option<DateTime<Utc>>,
    pub(crate) sequence: i64,
}

/// A rule that has not been validated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RuleDraft {
    pub(crate) action: RuleAction,
    pub(crate) scope: RuleScope,
    pub(crate) products: RuleProducts,
    pub(crate) position: Option<i64>,
    pub(crate) factor: Option<f64>,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

impl RuleDraft {
    /// The content, or every error. `unknown` are the named products that do not exist.
    pub(crate) fn validate(
        self,
        unknown: &BTreeSet<ProductId>,
    ) -> Result<RuleContent, Vec<ValidationError>> {
        let mut errors = ValidationErrors(Vec::new());
        let effect = errors.effect(&self);
        let scope = errors.scope(self.scope);
        let products = errors.products(self.action, self.products, unknown);
        let (starts_at, ends_at) = (self.starts_at, self.ends_at);
        if let (Some(start), Some(end)) = (starts_at, ends_at)
            && start >= end
        {
            errors.add("ends_at", "invalid", "must be after starts_at");
        }
        if !errors.0.is_empty() {
            return Err(errors.0);
        }
        Ok(RuleContent { effect, scope, products, starts_at, ends_at })
    }

    /// The products that it names.
    pub(crate) fn product_ids(&self) -> &[ProductId] {
        match &self.products {
            RuleProducts::Ids(ids) => ids.get(..MAX_PRODUCTS).unwrap_or(ids),
            RuleProducts::Brand(_) | RuleProducts::Category(_) => &[],
        }
    }
}

impl ValidationErrors {
    /// The effect; any effect where it has errors.
    fn effect(&mut self, draft: &RuleDraft) -> RuleEffect {
        let action = draft.action;
        if draft.position.is_some() && action != RuleAction::Pin {
            self.add("position", "invalid", "only a pin has a position");
        }
        let has_factor = action == RuleAction::Boost || action == RuleAction::Bury;
        if draft.factor.is_some() && !has_factor {
            self.add("factor", "invalid", "only boost and bury have a factor");
        }
        match action {
            RuleAction::Pin => {
                let position = draft.position.unwrap_or(1);
                if !(1..=MAX_POSITION).contains(&position) {
                    self.add("position", "out_of_range", format!("must be 1 to {MAX_POSITION}"));
                }
                RuleEffect::Pin { position: u32::try_from(position).unwrap_or(1) }
            }
            RuleAction::Boost => {
                let factor = draft.factor.unwrap_or(DEFAULT_BOOST);
                if !(factor > 1.0 && factor <= MAX_FACTOR) {
                    let message = format!("must be above 1, up to {MAX_FACTOR}");
                    self.add("factor", "out_of_range", message);
                }
                RuleEffect::Boost { factor }
            }
            RuleAction::Bury => {
                let factor = draft.factor.unwrap_or(DEFAULT_BURY);
                if !(MIN_FACTOR..1.0).contains(&factor) {
                    let message = format!("must be {MIN_FACTOR} or more, below 1");
                    self.add("factor", "out_of_range", message);
                }
                RuleEffect::Bury { factor }
            }
            RuleAction::Hide => RuleEffect::Hide,
        }
    }

    fn scope(&mut self, scope: RuleScope) -> RuleScope {
        match scope {
            RuleScope::Query(query) => {
                let query = query.trim().to_owned();
                if query.chars().nth(MAX_QUERY).is_some() {
                    let message = format!("may have at most {MAX_QUERY} characters");
                    self.add("where.query", "too_long", message);
                }
                if !query.chars().any(char::is_alphanumeric) || query.contains('\0') {
                    self.add("where.query", "invalid", "must have a letter or digit");
                }
                RuleScope::Query(query)
            }
            RuleScope::Category(path) => {
                RuleScope::Category(self.category("where.category", &path))
            }
            RuleScope::Everywhere => RuleScope::Everywhere,
        }
    }

    fn products(
        &mut self,
        action: RuleAction,
        products: RuleProducts,
        unknown: &BTreeSet<ProductId>,
    ) -> RuleProducts {
        match products {
            RuleProducts::Ids(ids) => {
                if ids.is_empty() {
                    self.add("products", "required", "must have at least one product");
                }
                let mut seen = BTreeSet::new();
                if self.count("products", ids.len(), MAX_PRODUCTS) {
                    for (index, id) in ids.iter().enumerate() {
                        let field = format!("products[{index}]");
                        if !seen.insert(*id) {
                            self.add(&field, "duplicate", "occurs twice in this rule");
                        } else if unknown.contains(id) {
                            self.add(&field, "unknown", "the product does not exist");
                        }
                    }
                }
                RuleProducts::Ids(ids)
            }
            RuleProducts::Brand(_) | RuleProducts::Category(_) if action == RuleAction::Pin => {
                self.add("products", "invalid", "a pin names its products by id");
                products
            }
            RuleProducts::Brand(brand) => {
                let brand = self.name("products.brand", &brand);
                if brand.is_none() {
                    self.add("products.brand", "required", "must not be empty");
                }
                RuleProducts::Brand(brand.unwrap_or_default())
            }
            RuleProducts::Category(path) => {
                RuleProducts::Category(self.category("products.category", &path))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;
    use vocabulary::ProductId;

    use super::{RuleAction, RuleDraft, RuleEffect, RuleProducts, RuleScope};

    fn draft(action: RuleAction) -> RuleDraft {
        RuleDraft {
            action,
            scope: RuleScope::Query(" 手机 ".to_owned()),
            products: RuleProducts::Ids(vec![Uuid::from_u128(1).into()]),
            position: None,
            factor: None,
            starts_at: None,
            ends_at: None,
        }
    }

    /// Code and field of the first error.
    fn error(draft: RuleDraft) -> (&'static str, String) {
        let unknown = BTreeSet::from([ProductId::from(Uuid::from_u128(9))]);
        let error = draft.validate(&unknown).unwrap_err().remove(0);
        (error.code, error.field)
    }

    #[test]
    fn effects_have_defaults() {
        for (action, effect) in [
            (RuleAction::Pin, RuleEffect::Pin { position: 1 }),
            (RuleAction::Boost, RuleEffect::Boost { factor: 2.0 }),
            (RuleAction::Bury, RuleEffect::Bury { factor: 0.5 }),
            (RuleAction::Hide, RuleEffect::Hide),
        ] {
            let content = draft(action).validate(&BTreeSet::new()).unwrap();
            assert_eq!(content.effect, effect);
            assert_eq!(content.scope, RuleScope::Query("手机".to_owned()));
        }
    }

    #[test]
    fn position_and_factor_belong_to_their_actions() {
        let with = |action, position, factor| RuleDraft { position, factor, ..draft(action) };
        for (draft, code, field) in [
            (with(RuleAction::Hide, Some(1), None), "invalid", "position"),
            (with(RuleAction::Pin, None, Some(2.0)), "invalid", "factor"),
            (with(RuleAction::Pin, Some(0), None), "out_of_range", "position"),
            (with(RuleAction::Pin, Some(1_001), None), "out_of_range", "position"),
            (with(RuleAction::Boost, None, Some(1.0)), "out_of_range", "factor"),
            (with(RuleAction::Boost, None, Some(f64::NAN)), "out_of_range", "factor"),
            (with(RuleAction::Bury, None, Some(1.0)), "out_of_range", "factor"),
            (with(RuleAction::Bury, None, Some(-1.0)), "out_of_range", "factor"),
        ] {
            assert_eq!(error(draft), (code, field.to_owned()));
        }
    }

    #[test]
    fn scope_products_and_times_are_checked() {
        let id = |number| ProductId::from(Uuid::from_u128(number));
        let ids = |ids: Vec<ProductId>| RuleDraft {
            products: RuleProducts::Ids(ids),
            ..draft(RuleAction::Hide)
        };
        let scope = |scope| RuleDraft { scope, ..draft(RuleAction::Hide) };
        let brand =
            |action| RuleDraft { products: RuleProducts::Brand(" ".to_owned()), ..draft(action) };
        let now = "2026-11-29T08:00:00Z".parse().ok();
        let never = RuleDraft { starts_at: now, ends_at: now, ..draft(RuleAction::Hide) };
        for (draft, code, field) in [
            (ids(vec![]), "required", "products"),
            (ids(vec![id(1), id(1)]), "duplicate", "products[1]"),
            (ids(vec![id(1), id(9)]), "unknown", "products[1]"),
            (ids((0..101).map(id).collect()), "too_many", "products"),
            (brand(RuleAction::Hide), "required", "products.brand"),
            (brand(RuleAction::Pin), "invalid", "products"),
            (scope(RuleScope::Query("?!".to_owned())), "invalid", "where.query"),
            (scope(RuleScope::Query("键".repeat(257))), "too_long", "where.query"),
            (scope(RuleScope::Category("a//b".to_owned())), "invalid", "where.category"),
            (never, "invalid", "ends_at"),
        ] {
            assert_eq!(error(draft), (code, field.to_owned()));
        }
    }
}
