//! `search.rule_changed.v1`: updates a merchandising rule.

use contracts::catalog::RuleChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::app::{
    SettingsWaker,
    write_settings::{changed_rule, write_settings},
};

#[derive(Debug, Clone)]
pub(crate) struct UpdateRule(pub(crate) SettingsWaker);

impl Handler for UpdateRule {
    type Event = RuleChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<RuleChangedV1>,
    ) -> Result<(), Failure> {
        let mut received = Vec::new();
        for index in 0..batch.delivered().len() {
            match changed_rule(&batch.delivered()[index].event) {
                Ok(setting) => received.push(setting),
                Err(error) => batch.fail(index, Failure::reject("invalid_rule", error)),
            }
        }
        write_settings(tx, received, &self.0).await?;
        Ok(())
    }
}
