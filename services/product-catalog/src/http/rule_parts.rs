//! The parts of a rule that requests and responses share.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::ProductId;

use crate::domain::{RuleAction, RuleProducts, RuleScope};

/// What a rule does with its products.
///
/// - `pin` puts them at `position` and the following ones, in the order by relevance.
/// - `boost` and `bury` multiply their score by `factor`.
/// - `hide` removes them from every order, from the total and from the facets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleAction)]
pub(super) enum RuleActionView {
    Pin,
    Boost,
    Bury,
    Hide,
}

/// The searches that a rule changes: `{"query": "手机"}`, `{"category": "数码/手机"}` with the categories below
/// it, or `"everywhere"`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleScope)]
pub(super) enum RuleScopeView {
    /// Case, width, spaces and punctuation do not matter. Up to 256 characters.
    Query(String),
    Category(String),
    Everywhere,
}

/// The products of a rule: a list of ids, `{"brand": "…"}` or `{"category": "…"}`. A pin has ids.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RuleProducts)]
pub(super) enum RuleProductsView {
    /// 1 to 100.
    Ids(Vec<ProductId>),
    Brand(ProductsOfBrand),
    Category(ProductsOfCategory),
}

/// All products of a brand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductsOfBrand {
    brand: String,
}

/// All products of a category and those below it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductsOfCategory {
    category: String,
}

impl From<RuleActionView> for RuleAction {
    fn from(action: RuleActionView) -> Self {
        match action {
            RuleActionView::Pin => Self::Pin,
            RuleActionView::Boost => Self::Boost,
            RuleActionView::Bury => Self::Bury,
            RuleActionView::Hide => Self::Hide,
        }
    }
}

impl From<RuleScopeView> for RuleScope {
    fn from(scope: RuleScopeView) -> Self {
        match scope {
            RuleScopeView::Query(query) => Self::Query(query),
            RuleScopeView::Category(path) => Self::Category(path),
            RuleScopeView::Everywhere => Self::Everywhere,
        }
    }
}

impl From<RuleScope> for RuleScopeView {
    fn from(scope: RuleScope) -> Self {
        match scope {
            RuleScope::Query(query) => Self::Query(query),
            RuleScope::Category(path) => Self::Category(path),
            RuleScope::Everywhere => Self::Everywhere,
        }
    }
}

impl From<RuleProductsView> for RuleProducts {
    fn from(products: RuleProductsView) -> Self {
        match products {
            RuleProductsView::Ids(ids) => Self::Ids(ids),
            RuleProductsView::Brand(ProductsOfBrand { brand }) => Self::Brand(brand),
            RuleProductsView::Category(ProductsOfCategory { category }) => Self::Category(category),
        }
    }
}

impl From<RuleProducts> for RuleProductsView {
    fn from(products: RuleProducts) -> Self {
        match products {
            RuleProducts::Ids(ids) => Self::Ids(ids),
            RuleProducts::Brand(brand) => Self::Brand(ProductsOfBrand { brand }),
            RuleProducts::Category(category) => Self::Category(ProductsOfCategory { category }),
        }
    }
}
