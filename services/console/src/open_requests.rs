//! How many requests are open, in total and per client.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use runtime::clients::Client;

/// How many requests of one kind may be open.
const MAX_OPEN: usize = 1024;
/// A customer has this share of what an address has: a household or an office has several.
const CUSTOMERS_PER_ADDRESS: usize = 4;

/// Counts the open requests of one kind. Clones share the counts.
#[derive(Debug, Clone)]
pub(crate) struct OpenRequests(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None`: only the number of all is bounded.
    per_address: Option<usize>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    clients: HashMap<Key, usize>,
}

/// An address or a customer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Principal(Arc<str>),
}

/// Why a request may not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All clients together have too many.
    Full,
    /// This client has too many.
    Client,
}

/// Counts one request until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    all: OpenRequests,
    keys: Vec<Key>,
}

impl OpenRequests {
    pub(crate) fn new(per_address: Option<usize>) -> OpenRequests {
        OpenRequests(Arc::new(Inner { per_address, counts: Mutex::default() }))
    }

    /// Counts a request of `client`. It counts for the address, whatever the token is: one address may get many tokens.
    pub(crate) fn enter(&self, client: &Client) -> Result<OpenRequest, Refused> {
        let address = client.counted_address().map(Key::Address);
        let principal = client.principal.clone().map(Key::Principal);
        let keys: Vec<Key> = address.into_iter().chain(principal).collect();
        let mut counts = self.lock();
        if counts.all >= MAX_OPEN {
            return Err(Refused::Full);
        }
        let is_full = |key: &Key| {
            let bound = self.0.per_address.map(|per_address| match key {
                Key::Address(_) => per_address,
                Key::Principal(_) => per_address.div_ceil(CUSTOMERS_PER_ADDRESS),
            });
            let open = counts.clients.get(key).copied().unwrap_or_default();
            bound.is_some_and(|bound| open >= bound)
        };
        if keys.iter().any(is_full) {
            return Err(Refused::Client);
        }
        counts.all += 1;
        for key in &keys {
            *counts.clients.entry(key.clone()).or_default() += 1;
        }
        Ok(OpenRequest { all: self.clone(), keys })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut counts = self.all.lock();
        counts.all = counts.all.saturating_sub(1);
        for key in &self.keys {
            if let Some(count) = counts.clients.get_mut(key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    counts.clients.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::clients::Client;

    use super::{MAX_OPEN, OpenRequests, Refused};

    fn client(address: &str, principal: Option<&str>) -> Client {
        Client { address: address.parse().ok(), principal: principal.map(Into::into) }
    }

    #[test]
    fn an_address_and_a_customer_have_bounds() {
        let open = OpenRequests::new(Some(8));
        let customer = client("203.0.113.1", Some("customer"));
        let two = [open.enter(&customer).unwrap(), open.enter(&customer).unwrap()];
        assert_eq!(open.enter(&customer).unwrap_err(), Refused::Client);
        // The same customer elsewhere has no more, and other customers of the address have.
        let elsewhere = client("203.0.113.2", Some("customer"));
        assert_eq!(open.enter(&elsewhere).unwrap_err(), Refused::Client);
        let others = (0..6).map(|n| client("203.0.113.1", Some(&format!("other {n}"))));
        let others: Vec<_> = others.map(|other| open.enter(&other).unwrap()).collect();
        let one_more = client("203.0.113.1", None);
        assert_eq!(open.enter(&one_more).unwrap_err(), Refused::Client);
        drop((two, others));
        assert!(open.enter(&one_more).is_ok());
        assert!(open.lock().clients.is_empty());
    }

    #[test]
    fn all_clients_together_have_a_bound() {
        let open = OpenRequests::new(None);
        let one = client("203.0.113.1", None);
        let all: Vec<_> = (0..MAX_OPEN).map(|_| open.enter(&one).unwrap()).collect();
        assert_eq!(open.enter(&one).unwrap_err(), Refused::Full);
        drop(all);
        assert!(open.enter(&one).is_ok());
    }
}
