//! The customers with priority, in memory.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

use sqlx::PgConnection;
use vocabulary::CustomerId;

use crate::storage::priority_customers::{self, PriorityRevision};

/// The list of the last revision that this process has read. Clones share it.
///
/// Whether an order has priority is decided before its transaction begins, so the list must be in memory. A batch of orders reads the
/// current revision with its prices. So another process knows a change with its second batch; before that there is no backlog.
#[derive(Debug, Clone, Default)]
pub(crate) struct PriorityCustomerCache(Arc<RwLock<Listed>>);

#[derive(Debug, Default)]
struct Listed {
    /// `None` until the list is read, and after a change by this process.
    revision: Option<PriorityRevision>,
    customers: HashSet<CustomerId>,
}

impl PriorityCustomerCache {
    /// Whether the customer has priority.
    pub(crate) fn contains(&self, customer: CustomerId) -> bool {
        let listed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        listed.customers.contains(&customer)
    }

    /// Reads the list, unless this process has read this revision.
    pub(super) async fn refresh(
        &self,
        connection: &mut PgConnection,
        revision: PriorityRevision,
    ) -> Result<(), sqlx::Error> {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).revision == Some(revision) {
            return Ok(());
        }
        let (revision, customers) = priority_customers::load(connection).await?;
        let listed = Listed { revision: Some(revision), customers };
        // A later revision may be overwritten by an earlier one; then the next batch reads the list again.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = listed;
        Ok(())
    }

    /// Applies a change of this process, after its commit.
    pub(super) fn change(&self, customer: CustomerId, has_priority: bool) {
        let mut listed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if has_priority {
            listed.customers.insert(customer);
        } else {
            listed.customers.remove(&customer);
        }
        listed.revision = None;
    }
}
