//! The rules that decide what orders cost, in memory.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgConnection;

use crate::{
    domain::costs::CostRules,
    storage::cost_rules::{self, RulesRevision},
};

/// The rules of the last revision that this process has read. Clones share them.
///
/// A batch of orders reads the current revision with its prices, so it never applies rules that were replaced before it
/// began. The rules themselves are read once per change.
#[derive(Debug, Clone, Default)]
pub(crate) struct CostRuleCache(Arc<Mutex<Option<CachedRules>>>);

type CachedRules = (RulesRevision, Arc<CostRules>);

impl CostRuleCache {
    /// The rules of this revision, or of a later one.
    pub(crate) async fn at(
        &self,
        connection: &mut PgConnection,
        revision: RulesRevision,
    ) -> Result<Arc<CostRules>, sqlx::Error> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((known, rules)) = cached
            && known == revision
        {
            return Ok(rules);
        }
        let (revision, rules) = cost_rules::load(connection).await?;
        let rules = Arc::new(rules);
        // A later revision may be overwritten by an earlier one; then the next batch reads the rules again.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, rules.clone()));
        Ok(rules)
    }
}
