//! `POST /v1/customer-erasures/repeat`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::CustomerId;

use crate::app::repeat_customer_erasures::{self as repeat, REPEAT_SIZE};

/// What was published again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RepeatedErasures {
    customers: usize,
}

/// Repeat all erasures
///
/// For a service that was restored from a backup older than some erasures: it erases the customers again.
#[utoipa::path(
    post, path = "/v1/customer-erasures/repeat", tag = "customers",
    responses((status = 200, body = RepeatedErasures)), security(("bearer" = ["ops"]))
)]
pub(crate) async fn repeat_customer_erasures(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<RepeatedErasures>, Problem> {
    caller.require(Scope::Ops)?;
    let (mut after, mut customers): (Option<CustomerId>, usize) = (None, 0);
    loop {
        admit(&outbox, Criticality::Critical)?;
        let mut tx = outbox.begin().await?;
        let repeated = repeat::repeat_customer_erasures(&mut tx, after).await?;
        tx.commit().await?;
        customers += repeated.len();
        after = repeated.last().copied();
        if i64::try_from(repeated.len()).unwrap_or(i64::MAX) < REPEAT_SIZE {
            return Ok(Json(RepeatedErasures { customers }));
        }
    }
}
