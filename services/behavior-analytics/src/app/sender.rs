//! Who sends events, and what that is worth: signatures of visitors, and the number of visitors of an address.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use runtime::clients::TrustedProxies;

use super::ingest_events::AcceptedEvent;
use crate::domain::{address_visitors::AddressVisitors, visitor_keys::VisitorKeys};

/// The longest user agent that is stored, in bytes.
const MAX_AGENT_BYTES: usize = 256;

/// What decides about senders. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Senders {
    pub(crate) keys: VisitorKeys,
    servers: TrustedProxies,
    visitors: Arc<Mutex<AddressVisitors>>,
}

/// The sender of one request.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) address: Option<IpAddr>,
    /// Whether it is a server of the shop, which vouches for its visitors.
    pub(crate) is_server: bool,
    /// Of the browser; none of a server.
    pub(crate) user_agent: Option<Arc<str>>,
    /// A signature for all events of the request that have none.
    pub(crate) signature: Option<String>,
}

impl Senders {
    pub(crate) fn new(keys: VisitorKeys, servers: TrustedProxies) -> Self {
        Self { keys, servers, visitors: Arc::new(Mutex::new(AddressVisitors::new())) }
    }

    pub(crate) fn sender(
        &self,
        address: Option<IpAddr>,
        counted: Option<IpAddr>,
        user_agent: Option<&str>,
        signature: Option<&str>,
    ) -> Sender {
        let is_server = address.is_some_and(|address| self.servers.contains(address));
        let user_agent = user_agent.filter(|_| !is_server).and_then(stored_agent);
        Sender { address: counted, is_server, user_agent, signature: signature.map(str::to_owned) }
    }

    /// Gives the visitor of each event its place among those of the sender's address.
    pub(crate) fn place_visitors(
        &self,
        sender: &Sender,
        events: &mut [AcceptedEvent],
        now: DateTime<Utc>,
    ) {
        let Some(address) = sender.address.filter(|_| !sender.is_server) else { return };
        let mut visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        for accepted in events.iter_mut().filter(|accepted| accepted.circumstances.consent) {
            let place = visitors.place(address, &accepted.event.visitor_id, now);
            accepted.circumstances.visitor_place = Some(place);
        }
    }
}

/// The beginning of a user agent, without what a database cannot store.
pub(crate) fn stored_agent(agent: &str) -> Option<Arc<str>> {
    let agent: String = agent.chars().filter(|letter| !letter.is_control()).collect();
    let mut end = agent.len().min(MAX_AGENT_BYTES);
    while !agent.is_char_boundary(end) {
        end -= 1;
    }
    let agent = agent[..end].trim();
    (!agent.is_empty()).then(|| agent.into())
}

#[cfg(test)]
mod tests {
    use super::stored_agent;

    #[test]
    fn an_agent_is_stored_in_part() {
        assert_eq!(stored_agent(" \0\n"), None);
        assert_eq!(stored_agent(" a\0b ").as_deref(), Some("ab"));
        let long = "客".repeat(200);
        assert_eq!(stored_agent(&long).unwrap().len(), 255);
    }
}
