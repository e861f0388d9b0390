//! One request in one transaction.

use axum::response::{IntoResponse, Response};
use messaging::{Outbox, Transaction};
use problem::Problem;

use crate::{
    claim::{Claim, claim},
    request::{Request, StoredResponse},
};

/// The response to a request that takes effect once.
#[derive(Debug)]
pub struct Executed {
    pub response: StoredResponse,
    /// Whether an earlier request with the same key had the effect.
    pub is_repetition: bool,
}

impl IntoResponse for Executed {
    fn into_response(self) -> Response {
        self.response.into_response()
    }
}

/// Executes a request once for each key. `effect` writes the effect and returns the response; both commit together. A repetition
/// gets the stored response. It waits while the first request is in progress.
///
/// An error of `effect` rolls everything back, so the request may be repeated with the same key. The same key with another body is 422
/// `idempotency_key_reused`.
pub async fn execute(
    outbox: &Outbox,
    request: Request<'_>,
    effect: impl AsyncFnOnce(&mut Transaction) -> Result<StoredResponse, Problem>,
) -> Result<Executed, Problem> {
    let mut tx = outbox.begin().await?;
    let key = match claim(&mut tx, request).await? {
        Claim::Replay(response) => return Ok(Executed { response, is_repetition: true }),
        Claim::Acquired(key) => key,
    };
    let response = effect(&mut tx).await?;
    key.record(&mut tx, &response).await?;
    tx.commit().await?;
    Ok(Executed { response, is_repetition: false })
}
