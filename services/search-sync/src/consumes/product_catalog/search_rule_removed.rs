//! `search.rule_removed.v1`: removes a merchandising rule.

use contracts::catalog::RuleRemovedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::app::{
    SettingsWaker,
    write_settings::{removed_rule, write_settings},
};

#[derive(Debug, Clone)]
pub(crate) struct RemoveRule(pub(crate) SettingsWaker);

impl Handler for RemoveRule {
    type Event = RuleRemovedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<RuleRemovedV1>,
    ) -> Result<(), Failure> {
        let received = batch.delivered().iter().map(|delivered| removed_rule(&delivered.event));
        write_settings(tx, received.collect(), &self.0).await?;
        Ok(())
    }
}
