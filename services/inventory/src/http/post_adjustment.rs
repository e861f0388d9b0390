//! `POST /v1/stock/{sku}/adjustments`

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use contracts::trace;
use idempotency::{Answer, Claim, Request};
use messaging::{Kit, Worth};
use problem::{Fields, IdempotencyKey, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
    messaging::admit,
};
use serde::{Deserialize, Serialize};
use vocabulary::{Sku, WarehouseId};

use super::{
    internal,
    stock_answer::{StockAnswer, refused},
    warehouse_meant,
};
use crate::{domain::MAX_ON_HAND, publishes::stock_changed, storage::stock};

/// The most characters of a reason.
const MAX_REASON: usize = 200;

/// How many pieces more or fewer there are, and why.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Adjustment {
    /// Pieces that were added or, if negative, taken away; not zero.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    delta: i64,
    /// Why, in a few words; it stands in the ledger.
    #[schema(min_length = 1, max_length = 200, example = "damaged in transit")]
    reason: String,
    /// Which warehouse; the main one unless said.
    warehouse_id: Option<WarehouseId>,
}

impl Adjustment {
    fn check(&self) -> Result<(), Problem> {
        let mut fields = Fields::new();
        if self.delta == 0 || !(-MAX_ON_HAND..=MAX_ON_HAND).contains(&self.delta) {
            let message = format!("must be -{MAX_ON_HAND} to {MAX_ON_HAND}, and not 0");
            fields.refuse("delta", "out_of_range", message);
        }
        let reason = self.reason.as_str();
        let fits = (1..=MAX_REASON).contains(&reason.chars().count());
        if !fits || reason.trim().is_empty() || reason.chars().any(char::is_control) {
            let message =
                format!("must be 1 to {MAX_REASON} characters, none of them control characters");
            fields.refuse("reason", "invalid", message);
        }
        fields.finish()
    }
}

/// Adds pieces of a SKU to a warehouse, or takes some away.
#[utoipa::path(
    post, path = "/v1/stock/{sku}/adjustments", tag = "stock",
    params(
        ("sku" = Sku, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "the same key and body have one effect"),
    ),
    request_body = Adjustment,
    responses(
        (status = 201, body = StockAnswer, description = "the level after it"),
        (status = 404, body = Problem, description = "`not_found`: a SKU that the catalogue never had"),
        (status = 409, body = Problem, description = "`insufficient_stock`: fewer pieces are free"),
        (status = 422, body = Problem, description = "`validation_failed` or `idempotency_key_reused`"),
    ),
    security(("bearer" = ["stock:write"]))
)]
pub(super) async fn post_adjustment(
    caller: Caller,
    State(kit): State<Kit>,
    Path(sku): Path<Sku>,
    key: Option<IdempotencyKey>,
    Json(request): Json<Adjustment>,
) -> Result<Response, Problem> {
    caller.require(Scope::StockWrite)?;
    admit(&kit, Worth::Lesser)?;
    request.check()?;
    let body =
        serde_json::to_vec(&(&sku, &request)).map_err(|error| Problem::internal_from(&error))?;

    let mut tx = kit.begin().await.map_err(internal)?;
    let claim = Request {
        caller: caller.subject(),
        operation: "adjust_stock",
        key: key.as_ref(),
        body: &body,
    };
    let claim = match idempotency::claim(&mut tx, claim).await? {
        Claim::Answered(answer) => return Ok(answer.into_response()),
        Claim::Mine(claim) => claim,
    };
    let warehouse = warehouse_meant(&mut tx, request.warehouse_id).await?;
    let mut stock = stock::lock(&mut tx, [&sku]).await?;
    stock.adjust(&sku, warehouse, request.delta).map_err(|refusal| refused(&sku, refusal))?;
    let (changes, now) = (stock.finish(), clock::now());
    stock::write(&mut tx, &changes, caller.subject(), Some(&request.reason), now).await?;
    stock_changed::say(&mut tx, &changes, now, |_| trace::current()).map_err(internal)?;
    let answer = Answer::json(StatusCode::CREATED, &StockAnswer::read(&mut tx, &sku).await?)?;
    claim.record(&mut tx, &answer).await?;
    tx.commit().await.map_err(internal)?;
    Ok(answer.into_response())
}
