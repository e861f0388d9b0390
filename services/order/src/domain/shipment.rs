//! Shipments.

use vocabulary::ShipmentId;

/// The carrier name of shipments that the service makes itself.
const BUILT_IN_CARRIER: &str = "built-in";

/// A parcel in the hands of a carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shipment {
    pub(crate) id: ShipmentId,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
}

impl Shipment {
    /// A shipment by the built-in carrier; its tracking number is the id.
    pub(crate) fn built_in(id: ShipmentId) -> Self {
        let tracking_number = id.as_uuid().simple().to_string().to_ascii_uppercase();
        Self { id, carrier: BUILT_IN_CARRIER.to_owned(), tracking_number }
    }
}
