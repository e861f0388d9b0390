//! The status of the broker connection and of the services, as the operations page receives it.

use serde::Serialize;

/// Sent to a page when it connects, and after every change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    pub(crate) broker: BrokerStatus,
    pub(crate) services: Vec<ServiceHealth>,
}

/// The connection of the event feed to the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BrokerStatus {
    pub(crate) connected: bool,
    /// The exchanges to which the feed's queue is bound.
    pub(crate) exchanges: Vec<&'static str>,
    /// Why the connection was lost.
    pub(crate) reason: Option<String>,
}

/// The readiness of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ServiceHealth {
    pub(crate) name: &'static str,
    pub(crate) status: HealthStatus,
    /// Why the service is degraded or not ready, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HealthStatus {
    Ready,
    /// It answers requests, but a part of it does not work.
    Degraded,
    NotReady,
    #[serde(rename = "away")]
    Unreachable,
}
