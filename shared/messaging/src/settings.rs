//! The settings that relay and consumers share.

use uuid::Uuid;

use crate::{
    connection_status::ConnectionMonitor, declarations::Declarations,
    pending_requests::PendingRequests, slot_groups::SlotGroups,
};

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) amqp_url: String,
    pub(crate) service: &'static str,
    /// Everything to declare on a new connection.
    pub(crate) declarations: Declarations,
    /// The number of slot groups of each aggregate.
    pub(crate) slot_groups: SlotGroups,
    pub(crate) connections: ConnectionMonitor,
    /// Requests of the consumers for missing messages.
    pub(crate) requests: PendingRequests,
    /// The id of this process among the replicas of the service.
    pub(crate) replica: Uuid,
}
