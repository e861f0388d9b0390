//! The request body for a rule.

use chrono::{DateTime, Utc};
use problem::Problem;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    not_valid,
    rule_parts::{RuleActionView, RuleProductsView, RuleScopeView},
};
use crate::{
    domain::{RuleContent, RuleDraft},
    storage::products,
};

/// A merchandising rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleDraft)]
pub(super) struct RuleDraftBody {
    action: RuleActionView,
    #[serde(rename = "where")]
    scope: RuleScopeView,
    products: RuleProductsView,
    /// For `pin`: the position of the first product, 1 to 1,000. Default: 1.
    #[serde(default)]
    position: Option<i64>,
    /// For `boost`: above 1, up to 100; default 2. For `bury`: 0.01 or more, below 1; default 0.5.
    #[serde(default)]
    factor: Option<f64>,
    /// Searches apply the rule from this time on. Default: at once.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    starts_at: Option<DateTime<Utc>>,
    /// Searches apply the rule before this time. Default: always.
    #[serde(default, deserialize_with = "problem::timestamp::optional")]
    ends_at: Option<DateTime<Utc>>,
}

impl RuleDraftBody {
    /// The valid content, or 422 with every invalid field.
    pub(super) async fn into_content(
        self,
        connection: &mut PgConnection,
    ) -> Result<RuleContent, Problem> {
        let draft = RuleDraft::from(self);
        let unknown = products::find_missing(connection, draft.product_ids()).await?;
        draft.validate(&unknown).map_err(not_valid)
    }
}

impl From<RuleDraftBody> for RuleDraft {
    fn from(body: RuleDraftBody) -> Self {
        Self {
            action: body.action.into(),
            scope: body.scope.into(),
            products: body.products.into(),
            position: body.position,
            factor: body.factor,
            starts_at: body.starts_at,
            ends_at: body.ends_at,
        }
    }
}
