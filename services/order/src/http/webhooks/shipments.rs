//! `POST /v1/webhooks/shipments`: a carrier tells where a parcel is.

use axum::extract::State;
use messaging::{Kit, Worth};
use problem::{Fields, Json, Problem};
use runtime::{clock, messaging::admit};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::{OrderId, ShipmentId};

use super::{LONGEST_TEXT, Received, Signed, again};
use crate::{
    domain::{self, InvalidTransition, Parcel, Status, one_line},
    http::access::no_such,
    process::{Caused, Process},
    storage::{
        orders,
        webhooks::{self, Claim},
    },
};

/// What a carrier tells.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShipmentTold {
    /// Names this callback; sent again, it takes effect once.
    event_id: String,
    /// Whose parcel it is.
    order_id: OrderId,
    /// Where it is.
    status: Whereabouts,
    /// Who carries it; needed with `shipped`.
    carrier: Option<String>,
    /// Its number there; needed with `shipped`.
    tracking_number: Option<String>,
}

/// Where a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Whereabouts {
    /// On its way.
    Shipped,
    /// It has arrived.
    Delivered,
}

impl From<Whereabouts> for Status {
    fn from(whereabouts: Whereabouts) -> Self {
        match whereabouts {
            Whereabouts::Shipped => Self::Shipped,
            Whereabouts::Delivered => Self::Delivered,
        }
    }
}

/// What is left of the callback once its fields are checked.
struct Checked {
    event_id: String,
    /// The parcel that has left; none if it has arrived.
    parcel: Option<Parcel>,
}

/// Takes what a carrier tells.
///
/// The header `X-Signature: t=<seconds>,v1=<hex>` carries the HMAC-SHA256 of `<seconds>.<body>`.
#[utoipa::path(
    post, path = "/v1/webhooks/shipments", tag = "webhooks", request_body = ShipmentTold,
    params(("X-Signature" = String, Header, description = "`t=<seconds of Unix time>,v1=<HMAC-SHA256 in hexadecimal>`")),
    responses(
        (status = 200, body = Received),
        (status = 401, description = "`bad_signature`"),
        (status = 409, description = "`not_shippable` or `not_shipped`: the order is not where this could happen to it."),
        (status = 503, description = "`webhooks_off`: no secret is configured."),
    )
)]
pub(crate) async fn shipment_told(
    State(kit): State<Kit>,
    State(process): State<Process>,
    Signed(told): Signed<ShipmentTold>,
) -> Result<Json<Received>, Problem> {
    admit(&kit, Worth::Essential)?;
    let (id, awaited) = (told.order_id, Status::from(told.status));
    let Checked { event_id, parcel } = told.check()?;
    let internal = |error: messaging::Error| Problem::internal_from(&error);
    let mut tx = kit.begin().await.map_err(internal)?;
    if let Claim::Answered(answer) = webhooks::claim(&mut tx, "shipments", &event_id).await? {
        return again(answer);
    }
    let locked = orders::lock_one(&mut tx, id).await?.ok_or_else(|| no_such(id))?;
    let now = clock::now();
    let status = locked.order.status();
    let received = if [awaited, Status::Delivered].contains(&status) {
        // Another carrier, the built-in one perhaps, has told it before.
        Received { order_id: id, status, applied: false }
    } else {
        let taken = match parcel {
            Some(parcel) => domain::ship(locked.order, parcel, now),
            None => domain::deliver(locked.order, now),
        };
        let taken = taken.map_err(|invalid| impossible(&invalid))?;
        let received =
            Received { order_id: id, status: taken.order.status(), applied: taken.moved };
        let change = Caused { cause: contracts::trace::current().or(locked.trace), taken };
        process.write(&mut tx, &[change], now).await.map_err(internal)?;
        received
    };
    webhooks::record(&mut tx, "shipments", &event_id, &received.to_value()?).await?;
    tx.commit().await.map_err(internal)?;
    Ok(Json(received))
}

impl ShipmentTold {
    fn check(self) -> Result<Checked, Problem> {
        let mut fields = Fields::new();
        let event_id = fields.check("event_id", one_line(&self.event_id, LONGEST_TEXT));
        let mut check = |name: &str, text: Option<String>| {
            text.and_then(|text| fields.check(name, one_line(&text, LONGEST_TEXT)).map(Some))
                .unwrap_or_default()
        };
        let carrier = check("carrier", self.carrier);
        let tracking_number = check("tracking_number", self.tracking_number);
        let parcel = match self.status {
            Whereabouts::Delivered => Some(None),
            Whereabouts::Shipped => {
                let carrier = fields.require("carrier", carrier);
                let tracking_number = fields.require("tracking_number", tracking_number);
                carrier.zip(tracking_number).map(|(carrier, tracking_number)| {
                    Some(Parcel { id: ShipmentId::new(), carrier, tracking_number })
                })
            }
        };
        fields.finish_with(|| Some(Checked { event_id: event_id?, parcel: parcel? }))
    }
}

/// 409: the order is not where this could happen to it.
fn impossible(invalid: &InvalidTransition) -> Problem {
    let (code, title) = if invalid.to == Status::Shipped {
        ("not_shippable", "The order cannot be shipped")
    } else {
        ("not_shipped", "The order has not been shipped")
    };
    Problem::conflict(code, title)
        .detail(format!("{invalid}."))
        .member("status", invalid.order.status().as_str())
}
