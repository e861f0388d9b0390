//! `POST /v1/orders/{id}/payment`: pays by the built-in test provider.

use axum::{
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use idempotency::{Answer, Claim, Request};
use messaging::{Kit, Worth};
use problem::{IdempotencyKey, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
    messaging::admit,
};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::{OrderId, PaymentId};

use super::{
    access::{no_such, require_of, require_some},
    body,
    order_body::OrderBody,
};
use crate::{
    domain::{self, Payment, Status, Verdict},
    process::{Caused, Process},
    storage::{orders, shown},
};

/// What the test provider is to say.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The money is taken.
    #[default]
    #[serde(alias = "approved", alias = "test")]
    Approve,
    /// It is not.
    #[serde(alias = "declined", alias = "test_decline")]
    Decline,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Approve => Self::Approved,
            Outcome::Decline => Self::Declined,
        }
    }
}

/// A payment by the test provider.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pay {
    /// `approve` unless said. May be called `method`, with the words that an order is placed with.
    #[serde(default, alias = "method")]
    outcome: Outcome,
}

/// Pays for an order by the built-in test provider, which approves unless told otherwise.
///
/// An order that has ended meanwhile stays as it is: the payment is written down and given back.
#[utoipa::path(
    post, path = "/v1/orders/{id}/payment", tag = "orders", request_body = Option<Pay>,
    params(("id" = OrderId, Path), ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request the same payment.")),
    responses(
        (status = 200, body = OrderBody),
        (status = 409, description = "`not_payable_yet`: its stock is not reserved yet; `already_paid`."),
    ),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn pay(
    caller: Caller,
    State(kit): State<Kit>,
    State(process): State<Process>,
    Path(id): Path<OrderId>,
    key: Option<IdempotencyKey>,
    bytes: Bytes,
) -> Result<Response, Problem> {
    require_some(&caller, Scope::OrdersWrite)?;
    admit(&kit, Worth::Essential)?;
    let operation = format!("pay_order {id}");
    let pay: Pay =
        if bytes.is_empty() { Pay::default() } else { body::parse(bytes.clone()).await? };
    let internal = |error: messaging::Error| Problem::internal_from(&error);
    let mut tx = kit.begin().await.map_err(internal)?;
    let request = Request {
        caller: caller.subject(),
        operation: &operation,
        key: key.as_ref(),
        body: &bytes,
    };
    let claim = match idempotency::claim(&mut tx, request).await? {
        Claim::Replay(answer) => return Ok(answer.into_response()),
        Claim::Acquired(claim) => claim,
    };
    let locked = orders::lock_one(&mut tx, id).await?.ok_or_else(|| no_such(id))?;
    require_of(&caller, Scope::OrdersWrite, locked.order.customer)?;
    if [Status::Confirmed, Status::Shipped, Status::Delivered].contains(&locked.order.status()) {
        return Err(Problem::conflict("already_paid", "The order is paid already"));
    }
    let now = clock::now();
    let payment = Payment { id: PaymentId::new(), reference: None, verdict: pay.outcome.into() };
    let taken = domain::pay(locked.order, payment, now, process.terms()).map_err(too_early)?;
    let change = Caused { cause: contracts::trace::current().or(locked.trace), taken };
    process.write(&mut tx, &[change], now).await.map_err(internal)?;
    let shown = shown::one(&mut tx, id).await?.ok_or_else(|| no_such(id))?;
    let answer = Answer::json(StatusCode::OK, &OrderBody::from(shown))?;
    claim.record(&mut tx, &answer).await?;
    tx.commit().await.map_err(internal)?;
    Ok(answer.into_response())
}

/// 409: try again once inventory has answered.
pub(super) fn too_early(error: domain::PaymentTooEarly) -> Problem {
    Problem::conflict("not_payable_yet", "The order cannot be paid for yet")
        .detail(format!("{error}."))
}
