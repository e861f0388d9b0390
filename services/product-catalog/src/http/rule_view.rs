//! The response body for a rule.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{RuleId, Version};

use super::rule_parts::{RuleActionView, RuleProductsView, RuleScopeView};
use crate::domain::{Rule, RuleEffect};

/// A merchandising rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rule)]
pub(super) struct RuleView {
    id: RuleId,
    /// Counts the writes of the rule; also the `ETag`.
    version: Version,
    action: RuleActionView,
    #[serde(rename = "where")]
    scope: RuleScopeView,
    products: RuleProductsView,
    /// For `pin`: the position of the first product.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    /// For `boost` and `bury`.
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When this version was written.
    updated_at: DateTime<Utc>,
}

impl From<Rule> for RuleView {
    fn from(rule: Rule) -> Self {
        let Rule { id, version, content, created_at, updated_at } = rule;
        let (action, position, factor) = match content.effect {
            RuleEffect::Pin { position } => (RuleActionView::Pin, Some(position), None),
            RuleEffect::Boost { factor } => (RuleActionView::Boost, None, Some(factor)),
            RuleEffect::Bury { factor } => (RuleActionView::Bury, None, Some(factor)),
            RuleEffect::Hide => (RuleActionView::Hide, None, None),
        };
        Self {
            id,
            version,
            action,
            scope: content.scope.into(),
            products: content.products.into(),
            position,
            factor,
            starts_at: content.starts_at,
            ends_at: content.ends_at,
            created_at,
            updated_at,
        }
    }
}
