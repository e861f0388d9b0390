//! Change event rules: which events count from now on, and after a recount of the stored ones.

use chrono::{DateTime, Utc};
use messaging::Outbox;

use super::rules_waker::RulesWaker;
use crate::{
    domain::event_rules::EventRules,
    storage::event_rules::{self, StoredRules},
};

#[derive(Debug)]
pub(crate) struct ChangeEventRulesCommand<'a> {
    /// Checked.
    pub(crate) rules: EventRules,
    pub(crate) actor: &'a str,
    pub(crate) changed_at: DateTime<Utc>,
}

/// Stores the rules, and wakes the recount.
pub(crate) async fn change_event_rules(
    outbox: &Outbox,
    waker: &RulesWaker,
    command: ChangeEventRulesCommand<'_>,
) -> Result<StoredRules, sqlx::Error> {
    let mut tx = outbox.pool().begin().await?;
    event_rules::replace(&mut tx, &command.rules, command.actor, command.changed_at).await?;
    let stored = event_rules::current(&mut tx).await?;
    tx.commit().await?;
    tracing::info!(version = stored.version, actor = command.actor, "changed the event rules");
    waker.wake();
    Ok(stored)
}
