//! The JSON of `jsonb` columns.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use vocabulary::{ParcelId, Quantity, Sku, WarehouseId};

use super::{MissingColumn, undecodable};
use crate::domain::{
    Address, EndReason, OrderStatus, Parcel, ParcelLine, ParcelStatus, Parcels, Shortage,
    webhooks::Attempt,
};

/// `orders.shipping_address`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AddressJson {
    name: String,
    line1: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line2: Option<String>,
    city: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    country: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// Whether everything but the country is erased. Earlier versions read empty texts instead.
    #[serde(default, skip_serializing_if = "is_false")]
    erased: bool,
}

impl AddressJson {
    /// The address, unless it is erased.
    pub(super) fn into_address(self) -> Option<Address> {
        (!self.erased).then(|| self.into())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// `orders.reason`, and `reason` in `order_timeline.detail`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ReasonJson {
    code: String,
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shortages: Vec<ShortageJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ShortageJson {
    sku: Sku,
    requested: i64,
    available: i64,
}

/// An entry of `orders.parcels`. Of a single parcel only the warehouse is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ParcelJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<ParcelId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warehouse_id: Option<WarehouseId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<ParcelLineJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ParcelLineJson {
    sku: Sku,
    quantity: Quantity,
}

/// An element of the shipments of an order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShipmentJson {
    pub(super) parcel_id: Option<ParcelId>,
    pub(super) carrier: String,
    pub(super) tracking_number: String,
    pub(super) shipped_at: DateTime<Utc>,
    pub(super) delivered_at: Option<DateTime<Utc>>,
}

/// `orders.parcels`; `None` if there is nothing to store.
pub(super) fn parcels_to_json(parcels: &Parcels) -> Option<Vec<ParcelJson>> {
    match parcels {
        Parcels::One { warehouse: None } => None,
        Parcels::One { warehouse } => {
            let warehouse_id = *warehouse;
            Some(vec![ParcelJson { id: None, warehouse_id, status: None, lines: Vec::new() }])
        }
        Parcels::Several(parcels) => Some(parcels.iter().map(ParcelJson::from).collect()),
    }
}

/// The parcels of an order with this status.
pub(super) fn parcels_from_json(
    json: Option<Vec<ParcelJson>>,
    status: OrderStatus,
) -> Result<Parcels, sqlx::Error> {
    let json = json.unwrap_or_default();
    // What is left of several parcels has its own id.
    let is_one = json.len() < 2 && json.iter().all(|parcel| parcel.id.is_none());
    if is_one {
        let warehouse = json.into_iter().find_map(|parcel| parcel.warehouse_id);
        return Ok(Parcels::One { warehouse });
    }
    let parcels = json.into_iter().map(|parcel| {
        let ParcelJson { id, warehouse_id, status, lines } = parcel;
        let line = |ParcelLineJson { sku, quantity }| ParcelLine { sku, quantity };
        Ok(Parcel {
            id: id.ok_or_else(|| undecodable(MissingColumn("parcels.id")))?,
            warehouse: warehouse_id,
            lines: lines.into_iter().map(line).collect(),
            status: status.as_deref().unwrap_or_default().parse().map_err(undecodable)?,
        })
    });
    let parcels = parcels.collect::<Result<_, sqlx::Error>>()?;
    Ok(Parcels::Several(parcels).raised_to(status))
}

impl From<&Parcel> for ParcelJson {
    fn from(Parcel { id, warehouse, lines, status }: &Parcel) -> Self {
        let line =
            |line: &ParcelLine| ParcelLineJson { sku: line.sku.clone(), quantity: line.quantity };
        Self {
            id: Some(*id),
            warehouse_id: *warehouse,
            status: Some(ParcelStatus::as_str(*status).to_owned()),
            lines: lines.iter().map(line).collect(),
        }
    }
}

/// An entry of `webhook_delivery.history`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AttemptJson {
    pub(super) at: DateTime<Utc>,
    pub(super) result: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status_code: Option<u16>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) duration_ms: u64,
}

impl From<&Attempt> for AttemptJson {
    fn from(Attempt { at, duration, result }: &Attempt) -> Self {
        Self {
            at: *at,
            result: result.as_str().to_owned(),
            status_code: result.http_status(),
            error: result.error(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<&Address> for AddressJson {
    fn from(address: &Address) -> Self {
        let Address { name, line1, line2, city, region, postal_code, country, phone } =
            address.clone();
        Self { name, line1, line2, city, region, postal_code, country, phone, erased: false }
    }
}

impl From<AddressJson> for Address {
    fn from(json: AddressJson) -> Self {
        let AddressJson {
            name,
            line1,
            line2,
            city,
            region,
            postal_code,
            country,
            phone,
            erased: _,
        } = json;
        Self { name, line1, line2, city, region, postal_code, country, phone }
    }
}

impl From<&EndReason> for ReasonJson {
    fn from(reason: &EndReason) -> Self {
        let shortage = |shortage: &Shortage| ShortageJson {
            sku: shortage.sku.clone(),
            requested: shortage.requested,
            available: shortage.available,
        };
        Self {
            code: reason.code.clone(),
            text: reason.text.clone(),
            shortages: reason.shortages.iter().map(shortage).collect(),
        }
    }
}

impl From<ReasonJson> for EndReason {
    fn from(json: ReasonJson) -> Self {
        let shortage =
            |ShortageJson { sku, requested, available }| Shortage { sku, requested, available };
        Self {
            code: json.code,
            text: json.text,
            shortages: json.shortages.into_iter().map(shortage).collect(),
        }
    }
}
