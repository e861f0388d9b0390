//! `POST /v1/returns/{id}/refusal`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{Fields, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::ReturnId;

use super::{
    super::access::require_scope,
    access::{lock_return, return_not_found},
    return_body::ReturnBody,
};
use crate::{
    app::{
        decide_return::{self as command, DecideReturnCommand, WarehouseDecision},
        order_process::OrderProcess,
    },
    domain::ReturnRefusal,
    storage::returns,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefuseReturnRequest {
    /// `not_received`, `wrong_item`, `used`, `not_returnable`, or `withdrawn` by the customer.
    #[schema(required, nullable = false, example = "not_received")]
    reason: Option<String>,
}

/// Refuse a return
///
/// Nothing is paid back. The pieces may be announced again.
#[utoipa::path(
    post, path = "/v1/returns/{id}/refusal", tag = "returns", request_body = RefuseReturnRequest,
    params(("id" = ReturnId, Path)),
    responses(
        (status = 200, body = ReturnBody),
        (status = 409, description = "`return_closed`: it was received or refused before."),
    ),
    security(("bearer" = ["stock:write"]), ("bearer" = ["orders:admin"]))
)]
pub(crate) async fn refuse_return(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<ReturnId>,
    Json(request): Json<RefuseReturnRequest>,
) -> Result<Json<ReturnBody>, Problem> {
    require_scope(&caller, Scope::StockWrite)?;
    admit(&outbox, Criticality::Critical)?;
    let mut fields = Fields::new();
    let reason = fields.require("reason", request.reason);
    let refusal = reason.and_then(|text| fields.check("reason", text.parse::<ReturnRefusal>()));
    let refusal = fields.finish_with(|| refusal)?;
    let mut tx = outbox.begin().await?;
    let (locked, order_return) = lock_return(&mut tx, id).await?;
    let order = locked.order.id;
    let decision = WarehouseDecision::Refuse(refusal);
    let command = DecideReturnCommand { locked, order_return, decision };
    command::decide_return(&mut tx, &process, command).await?;
    let view = returns::get(&mut tx, order, id).await?.ok_or_else(|| return_not_found(id))?;
    tx.commit().await?;
    Ok(Json(view.into()))
}
