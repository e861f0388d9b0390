//! The sender of a request with events.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderName, HeaderValue,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, USER_AGENT},
        request::Parts,
    },
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use runtime::clients::Client;

use crate::{
    app::sender::{Sender, Senders},
    domain::{circumstances::Circumstances, identity::VisitorId},
    state::AppState,
};

/// The signature of the visitor, for events that have none.
const VISITOR_SIGNATURE: HeaderName = HeaderName::from_static("visitor-signature");

/// Extracts the sender from the headers and the address of a request.
pub(super) struct EventSender(pub(super) Sender);

impl FromRequestParts<AppState> for EventSender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let client = Client::of(&parts.extensions);
        let header =
            |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Ok(Self(state.senders.sender(
            client.address,
            client.counted_address(),
            header(USER_AGENT),
            header(VISITOR_SIGNATURE),
        )))
    }
}

/// How and when the events of a request arrived.
#[derive(Clone, Copy)]
pub(super) struct Reception<'a> {
    pub(super) received_at: DateTime<Utc>,
    senders: &'a Senders,
    sender: &'a Sender,
}

impl<'a> Reception<'a> {
    pub(super) const fn new(
        senders: &'a Senders,
        sender: &'a Sender,
        received_at: DateTime<Utc>,
    ) -> Self {
        Self { received_at, senders, sender }
    }

    /// The circumstances of an event of this visitor.
    pub(super) fn circumstances(
        &self,
        visitor: &VisitorId,
        signature: Option<&str>,
        consent: bool,
        clock_offset: Option<TimeDelta>,
    ) -> Circumstances {
        let signature = signature.or(self.sender.signature.as_deref());
        let is_valid = |signature| {
            signature_is_short(signature) && self.senders.keys.is_valid(visitor, signature)
        };
        Circumstances {
            signed: self.sender.is_server || signature.is_some_and(is_valid),
            consent,
            user_agent: self.sender.user_agent.clone(),
            visitor_place: None,
            clock_offset,
        }
    }
}

/// A longer text is no signature, and is not decoded.
const fn signature_is_short(signature: &str) -> bool {
    signature.len() <= 64
}

/// Lets pages of any origin read the answer. It contains nothing of the caller that the page does not know.
pub(super) async fn allow_any_origin(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

#[cfg(test)]
pub(super) mod tests {
    use runtime::clients::TrustedProxies;

    use super::*;
    use crate::domain::visitor_keys::VisitorKeys;

    /// A browser without a signature.
    pub(crate) fn browser() -> (Senders, Sender) {
        let keys = VisitorKeys::parse("a key of the tests, 32 characters.").unwrap();
        let senders = Senders::new(keys, TrustedProxies::default());
        let address = "192.0.2.1".parse().ok();
        let sender = senders.sender(address, address, Some("Mozilla/5.0"), None);
        (senders, sender)
    }
}
