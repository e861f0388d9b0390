//! `POST /v1/webhooks/shipments`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{Fields, Json, Problem};
use runtime::messaging::admit;
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::{OrderId, ParcelId};

use super::{MAX_TEXT, Signed, WebhookResponse};
use crate::{
    app::{
        order_process::OrderProcess,
        record_shipment::{
            RecordShipmentCommand, RecordShipmentError, ShipmentUpdate, record_shipment,
        },
    },
    domain::{InvalidTransition, OrderStatus, ParcelRefused, one_line},
    http::access::order_not_found,
    storage::{
        orders,
        webhooks::{self, WebhookClaim},
    },
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShipmentWebhook {
    /// A repeated event with the same id takes effect once.
    event_id: String,
    order_id: OrderId,
    /// One of the parcels of the order; without it, all of them.
    parcel_id: Option<ParcelId>,
    status: ShipmentStatus,
    /// Required with `shipped`.
    carrier: Option<String>,
    /// The carrier's number of the parcel; required with `shipped`.
    tracking_number: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ShipmentStatus {
    Shipped,
    Delivered,
}

/// Receive a shipment event from a carrier
///
/// `X-Signature: t=<seconds>,v1=<hex>` carries the HMAC-SHA256 of `<seconds>.<body>`. The parcels of an order may be shipped and
/// delivered one after the other; the order is `shipped` or `delivered` with the last of them.
#[utoipa::path(
    post, path = "/v1/webhooks/shipments", tag = "webhooks", request_body = ShipmentWebhook,
    params(("X-Signature" = String, Header, description = "`t=<seconds of Unix time>,v1=<HMAC-SHA256 in hexadecimal>`")),
    responses(
        (status = 200, body = WebhookResponse),
        (status = 401, description = "`bad_signature`"),
        (status = 404, description = "`not_found`: there is no such order or parcel."),
        (status = 409, description = "`not_shippable` or `not_shipped`: the status of the order does not allow it."),
        (status = 503, description = "`webhooks_off`: no secret is configured."),
    )
)]
pub(crate) async fn receive_shipment_webhook(
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Signed(webhook): Signed<ShipmentWebhook>,
) -> Result<Json<WebhookResponse>, Problem> {
    admit(&outbox, Criticality::Critical)?;
    let (id, parcel) = (webhook.order_id, webhook.parcel_id);
    let (event_id, update) = webhook.parse()?;
    let mut tx = outbox.begin().await?;
    let claim = webhooks::claim(&mut tx, "shipments", &event_id).await?;
    if let WebhookClaim::Processed(response) = claim {
        return WebhookResponse::from_json(response);
    }
    let locked = orders::lock_one(&mut tx, id).await?.ok_or_else(|| order_not_found(id))?;
    let command = RecordShipmentCommand { locked, parcel, update };
    let update = record_shipment(&mut tx, &process, command).await;
    let update = update.map_err(|error| not_recorded(parcel, error))?;
    let response = WebhookResponse::new(id, update);
    webhooks::record_response(&mut tx, "shipments", &event_id, &response.to_json()?).await?;
    tx.commit().await?;
    Ok(Json(response))
}

impl ShipmentWebhook {
    /// The event id and the update; 422 with every invalid field.
    fn parse(self) -> Result<(String, ShipmentUpdate), Problem> {
        let mut fields = Fields::new();
        let event_id = fields.check("event_id", one_line(&self.event_id, MAX_TEXT));
        let mut optional = |name: &str, text: Option<String>| {
            text.and_then(|text| fields.check(name, one_line(&text, MAX_TEXT)).map(Some))
                .unwrap_or_default()
        };
        let carrier = optional("carrier", self.carrier);
        let tracking_number = optional("tracking_number", self.tracking_number);
        let update = match self.status {
            ShipmentStatus::Delivered => Some(ShipmentUpdate::Delivered),
            ShipmentStatus::Shipped => {
                let carrier = fields.require("carrier", carrier);
                let tracking_number = fields.require("tracking_number", tracking_number);
                carrier.zip(tracking_number).map(|(carrier, tracking_number)| {
                    ShipmentUpdate::Shipped { carrier, tracking_number }
                })
            }
        };
        fields.finish_with(|| Some((event_id?, update?)))
    }
}

fn not_recorded(parcel: Option<ParcelId>, error: RecordShipmentError) -> Problem {
    match error {
        RecordShipmentError::Refused(ParcelRefused::UnknownParcel) => match parcel {
            Some(parcel) => Problem::not_found(format_args!("parcel {parcel} of the order")),
            None => Problem::not_found(format_args!("parcel of the order")),
        },
        RecordShipmentError::Refused(ParcelRefused::InvalidTransition(invalid)) => {
            invalid_transition(&invalid)
        }
        RecordShipmentError::Messaging(error) => error.into(),
    }
}

fn invalid_transition(invalid: &InvalidTransition) -> Problem {
    let (code, title) = if invalid.to == OrderStatus::Shipped {
        ("not_shippable", "The order cannot be shipped")
    } else {
        ("not_shipped", "The order has not been shipped")
    };
    Problem::conflict(code, title)
        .detail(format!("{invalid}."))
        .member("order_status", invalid.order.status().as_str())
}
