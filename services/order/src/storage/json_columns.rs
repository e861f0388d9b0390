//! The JSON of `jsonb` columns.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use vocabulary::Sku;

use crate::domain::{Address, EndReason, Shortage, webhooks::Attempt};

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
