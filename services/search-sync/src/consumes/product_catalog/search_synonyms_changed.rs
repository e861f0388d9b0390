//! `search.synonyms_changed.v1`: updates the synonyms.

use contracts::catalog::SynonymsChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::app::{
    SettingsWaker,
    write_settings::{synonyms, write_settings},
};

#[derive(Debug, Clone)]
pub(crate) struct UpdateSynonyms(pub(crate) SettingsWaker);

impl Handler for UpdateSynonyms {
    type Event = SynonymsChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<SynonymsChangedV1>,
    ) -> Result<(), Failure> {
        let mut received = Vec::new();
        for index in 0..batch.delivered().len() {
            match synonyms(&batch.delivered()[index].event) {
                Ok(setting) => received.push(setting),
                Err(error) => batch.fail(index, Failure::reject("invalid_synonyms", error)),
            }
        }
        write_settings(tx, received, &self.0).await?;
        Ok(())
    }
}
