//! Repairs synonyms and rules from the snapshot of the catalogue.

use std::collections::BTreeSet;

use contracts::catalog::{RuleChangedV1, RuleRemovedV1, SynonymsChangedV1};
use envelope::Event as _;
use messaging::{Outbox, snapshot::Entry};

use super::{
    SettingsWaker,
    consistency::ConsistencyError,
    write_settings::{changed_rule, removed_rule, synonyms, write_settings},
};
use crate::{
    clients::product_catalog::CatalogClient,
    domain::{Setting, SettingVersion},
    storage::settings,
};

/// Copies newer versions from the catalogue, and removes rules that it does not have; returns how many settings
/// changed. An entry that breaks the rules is left out, as its event would be.
pub(crate) async fn repair_settings(
    outbox: &Outbox,
    catalogue: &CatalogClient,
    loader: &SettingsWaker,
) -> Result<u64, ConsistencyError> {
    let known = settings::current_rules(&mut *outbox.pool().acquire().await?).await?;
    let mut received: Vec<SettingVersion> = Vec::new();
    let mut keys: BTreeSet<String> = BTreeSet::new();
    let mut after = None;
    loop {
        let page = catalogue.search_snapshot(after.as_deref()).await?;
        for entry in page.items {
            received.extend(setting(&entry)?);
            keys.insert(entry.key);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let gone = known.into_iter().filter(|(key, _)| !keys.contains(key)).map(|(key, version)| {
        SettingVersion { key, version: version.next(), setting: Setting::Removed }
    });
    received.extend(gone);
    let mut tx = outbox.begin().await?;
    let written = write_settings(&mut tx, received, loader).await?;
    tx.commit().await?;
    Ok(written)
}

/// The setting of an entry; `None` where it breaks the rules or is of an unknown kind.
fn setting(entry: &Entry) -> Result<Option<SettingVersion>, ConsistencyError> {
    let json = entry.data.get();
    Ok(match entry.kind.as_str() {
        SynonymsChangedV1::TYPE => synonyms(&serde_json::from_str(json)?).ok(),
        RuleChangedV1::TYPE => changed_rule(&serde_json::from_str(json)?).ok(),
        RuleRemovedV1::TYPE => Some(removed_rule(&serde_json::from_str(json)?)),
        _ => None,
    })
}
