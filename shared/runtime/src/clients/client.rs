//! The client of a request.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use axum::http::Extensions;

/// Who sends a request. Middleware puts it into the extensions of each request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Client {
    /// Of the client, as trusted proxies report it. `None` without a network, in tests.
    pub address: Option<IpAddr>,
    /// The subject of the token, if a valid one was sent.
    pub principal: Option<Arc<str>>,
}

impl Client {
    /// The client of the request with these extensions.
    pub fn of(extensions: &Extensions) -> Client {
        extensions.get::<Client>().cloned().unwrap_or_default()
    }

    /// The address under which the client is counted: of IPv6 the network of 64 bits, which one client has as a whole.
    pub fn counted_address(&self) -> Option<IpAddr> {
        self.address.map(counted)
    }
}

/// The address under which `address` is counted.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        let counted = |address: &str| counted(address.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:203.0.113.9"), "203.0.113.9");
    }
}
