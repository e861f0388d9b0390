//! Changes: writes to products, tracked until every downstream service has applied them.

use chrono::{DateTime, Utc};
use vocabulary::{ChangeId, ProductId, Version};

/// The services that copy products, by directory name. A change is complete when all of them have applied it.
pub(crate) const DOWNSTREAM_SERVICES: [&str; 4] =
    ["search-sync", "inventory", "order", "behavior-analytics"];

/// A write to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: ChangeId,
    pub(crate) product_id: ProductId,
    /// The version that the write created. A write without any difference refers to the existing version.
    pub(crate) version: Version,
    pub(crate) made_at: DateTime<Utc>,
}

/// The receipt of a service for one version of a product, not yet stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewReceipt<'a> {
    pub(crate) service: &'a str,
    pub(crate) product: ProductId,
    pub(crate) version: Version,
    pub(crate) at: DateTime<Utc>,
    /// Why the service did not apply the version.
    pub(crate) failure: Option<&'a str>,
}

/// The receipts of one service for the version of a change and all later ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) service: String,
    /// When the service first applied one of the versions.
    pub(crate) applied_at: Option<DateTime<Utc>>,
    /// The reason of the last failed version.
    pub(crate) failure: Option<String>,
}

/// The progress of a change in one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DownstreamProgress {
    /// The directory name of the service.
    pub(crate) service: &'static str,
    pub(crate) status: DownstreamStatus,
    pub(crate) applied_at: Option<DateTime<Utc>>,
    /// Milliseconds from the write to `applied_at`.
    pub(crate) latency_ms: Option<i64>,
    /// Why the service failed to apply the change.
    pub(crate) reason: Option<String>,
}

/// The status of a change in one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DownstreamStatus {
    /// No receipt has arrived.
    Pending,
    /// The service has applied the change, or a later version.
    Applied,
    /// The service recorded a dead letter.
    Failed,
}

/// The progress of `change` in each service. A receipt for a version settles all earlier versions, so a
/// failure counts only until the service applies that version or a later one.
pub(crate) fn downstream_progress(
    change: &Change,
    receipts: &[Receipt],
) -> Vec<DownstreamProgress> {
    let progress = |service| {
        let receipt = receipts.iter().find(|receipt| receipt.service == service);
        let applied_at = receipt.and_then(|receipt| receipt.applied_at);
        let failure = receipt.and_then(|receipt| receipt.failure.clone());
        let (status, reason) = match (applied_at, failure) {
            (Some(_), _) => (DownstreamStatus::Applied, None),
            (None, Some(reason)) => (DownstreamStatus::Failed, Some(reason)),
            (None, None) => (DownstreamStatus::Pending, None),
        };
        // A write without any difference finds its version already applied, and clocks may differ slightly.
        let latency = |at: DateTime<Utc>| (at - change.made_at).num_milliseconds().max(0);
        let latency_ms = applied_at.map(latency);
        DownstreamProgress { service, status, applied_at, latency_ms, reason }
    };
    DOWNSTREAM_SERVICES.map(progress).into()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{
        Change, ChangeId, DOWNSTREAM_SERVICES, DownstreamStatus, ProductId, Receipt, Version,
        downstream_progress,
    };

    #[test]
    fn progress_is_tracked_per_service() {
        let made_at = DateTime::UNIX_EPOCH;
        let change = Change {
            id: ChangeId::new(),
            product_id: ProductId::new(),
            version: Version::FIRST,
            made_at,
        };
        let receipt = |service: &str, after: Option<i64>, failure: Option<&str>| Receipt {
            service: service.to_owned(),
            applied_at: after.map(|after| made_at + TimeDelta::milliseconds(after)),
            failure: failure.map(str::to_owned),
        };
        let receipts = [
            receipt("inventory", Some(12), None),
            receipt("order", None, Some("no price")),
            receipt("behavior-analytics", Some(-3), Some("repaired since")),
        ];
        let found: Vec<_> = downstream_progress(&change, &receipts)
            .into_iter()
            .map(|one| (one.service, one.status, one.latency_ms, one.reason))
            .collect();
        assert_eq!(
            found,
            [
                (DOWNSTREAM_SERVICES[0], DownstreamStatus::Pending, None, None),
                (DOWNSTREAM_SERVICES[1], DownstreamStatus::Applied, Some(12), None),
                (
                    DOWNSTREAM_SERVICES[2],
                    DownstreamStatus::Failed,
                    None,
                    Some("no price".to_owned())
                ),
                (DOWNSTREAM_SERVICES[3], DownstreamStatus::Applied, Some(0), None),
            ]
        );
    }
}
