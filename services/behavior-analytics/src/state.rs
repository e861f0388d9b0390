//! The state that the HTTP handlers share.

use axum::extract::FromRef;
use messaging::{Outbox, Topology, republish::Republisher, streams::StreamWriter};
use runtime::auth::Verifier;

use crate::app::{
    recommender::Recommender, replay_user_events::UserEventReplayer, rules_waker::RulesWaker,
    sender::Senders, visitor_limiter::VisitorLimiter,
};

/// The state from which HTTP handlers extract their parts.
#[derive(Clone, FromRef)]
pub struct AppState {
    pub(crate) outbox: Outbox,
    pub(crate) topology: Topology,
    pub(crate) republisher: Republisher,
    pub(crate) verifier: Verifier,
    pub(crate) stream: StreamWriter,
    pub(crate) recommender: Recommender,
    pub(crate) replayer: UserEventReplayer,
    pub(crate) senders: Senders,
    pub(crate) visitors: VisitorLimiter,
    pub(crate) rules: RulesWaker,
}
