//! `GET /.well-known/jwks.json`

use axum::{
    Json,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
};
use problem::Problem;
use runtime::auth::Verifier;
use serde_json::Value;

use crate::http::operator::tokens_off;

/// List the keys of tokens
///
/// The public keys that verify the suite's tokens, as a JSON Web Key Set (RFC 7517). The token names its key in the header `kid`.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "shop",
    responses(
        (status = 200, description = "The keys", content_type = "application/jwk-set+json", body = Object),
        (status = 503, description = "`tokens_off`: the console has no key", body = Problem),
    )
)]
pub(crate) async fn list_token_keys(
    State(verifier): State<Option<Verifier>>,
) -> Result<impl IntoResponse, Problem> {
    let keys: Value = verifier.ok_or_else(tokens_off)?.jwks();
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, "max-age=300")];
    Ok((headers, Json(keys)))
}
