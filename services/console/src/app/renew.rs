//! Renews access tokens, and ends sessions.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use runtime::{
    auth::{Renewal, TokenError},
    clock,
};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::staff::{Staff, StaffTokens, renewal_expiry};
use crate::{
    domain::{Account, RenewalDecision, Session, decide},
    storage::{
        actions::{self, NewAction},
        sessions, staff,
    },
};

/// Why a session is not renewed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewError {
    /// Not a renewal token of this kind of session, or one that is not valid any more.
    #[error("the renewal token is not valid")]
    Invalid,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the tokens could not be issued")]
    Token(#[source] TokenError),
}

/// Renews the session of a member of staff.
pub(crate) async fn renew(state: &Staff, token: &str) -> Result<StaffTokens, RenewError> {
    let presented = state.verifier().authenticate_renewal(token).await;
    let presented = presented.map_err(|_| RenewError::Invalid)?;
    let id = Account::id_of(&presented.subject).ok_or(RenewError::Invalid)?;
    let now = clock::now();
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    let account = staff::find(&mut tx, id).await?;
    let account = account.filter(|account| account.disabled_at.is_none());
    let account = account.ok_or(RenewError::Invalid)?;
    let locked = sessions::lock(&mut tx, presented.family, Some(id)).await?;
    let (session, began) = locked.ok_or(RenewError::Invalid)?;
    let expires_at = renewal_expiry(began, now);
    let generation = advance(&mut tx, &presented, &session, expires_at, now).await?;
    if generation.is_none() && !session.has_ended {
        let action =
            NewAction { action: "renewal_reused", target: Some(id), ..NewAction::default() };
        actions::insert(&mut tx, &action, now).await?;
    }
    tx.commit().await?;
    let generation = generation.ok_or(RenewError::Invalid)?;
    let issued = state.issue(&account, presented.family, generation, expires_at, now);
    issued.map_err(RenewError::Token)
}

/// The next renewal token of a shopper, who keeps the same session for as long as one follows the other within `lifetime`.
pub(crate) async fn renew_shopper(
    pool: &PgPool,
    presented: Renewal,
    lifetime: Duration,
) -> Result<Renewal, RenewError> {
    let now = clock::now();
    let expires_at = now + TimeDelta::from_std(lifetime).unwrap_or_default();
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    // The first token of a session is stored when it is used, so that new identities cost no write.
    let first =
        Session { generation: presented.generation, rotated_at: now, expires_at, has_ended: false };
    sessions::insert(&mut tx, presented.family, None, &first).await?;
    let locked = sessions::lock(&mut tx, presented.family, None).await?;
    let (session, _) = locked.ok_or(RenewError::Invalid)?;
    let generation = advance(&mut tx, &presented, &session, expires_at, now).await?;
    tx.commit().await?;
    let generation = generation.ok_or(RenewError::Invalid)?;
    Ok(Renewal { generation, expires_at, ..presented })
}

/// Stores what follows from a token that was presented. Returns the generation of the next one; `None` if there is none.
async fn advance(
    tx: &mut PgConnection,
    presented: &Renewal,
    session: &Session,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<i32>, sqlx::Error> {
    match decide(session, presented.generation, now) {
        RenewalDecision::Rotate(generation) => {
            sessions::rotate(tx, presented.family, generation, now, expires_at).await?;
            Ok(Some(generation))
        }
        RenewalDecision::Repeat(generation) => Ok(Some(generation)),
        RenewalDecision::Reused => {
            tracing::warn!(session = %presented.family, "a renewal token was used twice");
            metrics::counter!("renewal_tokens_reused_total").increment(1);
            sessions::end(tx, presented.family, "reused").await?;
            Ok(None)
        }
        RenewalDecision::Ended => Ok(None),
    }
}

/// Ends the session of a member of staff. A token that is not valid ends none.
pub(crate) async fn sign_out(state: &Staff, token: &str) -> Result<(), sqlx::Error> {
    let presented = state.verifier().authenticate_renewal(token).await;
    let Ok(presented) = presented else { return Ok(()) };
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    sessions::end(&mut tx, presented.family, "signed_out").await?;
    let action =
        NewAction { subject: Some(&presented.subject), action: "sign_out", ..NewAction::default() };
    actions::insert(&mut tx, &action, clock::now()).await?;
    tx.commit().await
}
