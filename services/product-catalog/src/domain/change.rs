//! A change on its way: which of the services that follow products have applied it, and when.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{ChangeId, ProductId, Version};

/// The services that follow products, by their directory names. A change is complete when all of them have applied it.
pub(crate) const DOWNSTREAM: [&str; 4] =
    ["search-sync", "inventory", "order", "behavior-analytics"];

/// A write to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: ChangeId,
    pub(crate) product_id: ProductId,
    /// The version that the write made, or found if it changed nothing.
    pub(crate) version: Version,
    pub(crate) made_at: DateTime<Utc>,
}

/// What a service has said so far of the versions from that of a change on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) service: String,
    /// When the first of them took effect.
    pub(crate) applied_at: Option<DateTime<Utc>>,
    /// Why the last that failed did.
    pub(crate) failure: Option<String>,
}

/// How far a change has come in one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Downstream {
    /// The service, by its directory name.
    #[schema(value_type = String, example = "search-sync")]
    pub(crate) service: &'static str,
    /// How far it has come there.
    pub(crate) status: DownstreamStatus,
    /// When it took effect there.
    pub(crate) applied_at: Option<DateTime<Utc>>,
    /// Milliseconds from the write until then.
    pub(crate) latency_ms: Option<i64>,
    /// Why it failed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// How far a change has come in one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DownstreamStatus {
    /// Nothing has been heard yet.
    Pending,
    /// It, or a later version, has taken effect.
    Applied,
    /// It will not take effect until somebody looks at the dead letter.
    Failed,
}

/// How far `change` has come in each service. A receipt for a version settles all changes up to it, so a failure counts only
/// as long as nothing from that version on has taken effect.
pub(crate) fn downstream(change: &Change, receipts: &[Receipt]) -> Vec<Downstream> {
    let state = |service| {
        let receipt = receipts.iter().find(|receipt| receipt.service == service);
        let applied_at = receipt.and_then(|receipt| receipt.applied_at);
        let failure = receipt.and_then(|receipt| receipt.failure.clone());
        let (status, reason) = match (applied_at, failure) {
            (Some(_), _) => (DownstreamStatus::Applied, None),
            (None, Some(reason)) => (DownstreamStatus::Failed, Some(reason)),
            (None, None) => (DownstreamStatus::Pending, None),
        };
        // A write that changed nothing finds its version applied before it was made, and clocks may differ a little.
        let latency = |at: DateTime<Utc>| (at - change.made_at).num_milliseconds().max(0);
        Downstream { service, status, applied_at, latency_ms: applied_at.map(latency), reason }
    };
    DOWNSTREAM.map(state).into()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{
        Change, ChangeId, DOWNSTREAM, DownstreamStatus, ProductId, Receipt, Version, downstream,
    };

    #[test]
    fn each_service_stands_for_itself() {
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
            receipt("behavior-analytics", Some(-3), Some("mended since")),
        ];
        let found: Vec<_> = downstream(&change, &receipts)
            .into_iter()
            .map(|one| (one.service, one.status, one.latency_ms, one.reason))
            .collect();
        assert_eq!(
            found,
            [
                (DOWNSTREAM[0], DownstreamStatus::Pending, None, None),
                (DOWNSTREAM[1], DownstreamStatus::Applied, Some(12), None),
                (DOWNSTREAM[2], DownstreamStatus::Failed, None, Some("no price".to_owned())),
                (DOWNSTREAM[3], DownstreamStatus::Applied, Some(0), None),
            ]
        );
    }
}
