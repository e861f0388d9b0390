//! The proxies whose word about the address of a client is believed.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of trusted proxies. Without any, each peer is the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// The text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or a network such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl FromStr for TrustedProxies {
    type Err = InvalidNetwork;

    /// Reads addresses and networks, separated by commas.
    fn from_str(text: &str) -> Result<TrustedProxies, InvalidNetwork> {
        let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
        let parse = |network: &str| {
            let address = network.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| network.parse()).map_err(|_| InvalidNetwork(network.to_owned()))
        };
        networks.map(parse).collect::<Result<_, _>>().map(TrustedProxies)
    }
}

impl TrustedProxies {
    /// Whether `address` is that of a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of the client behind `peer`: the nearest one that is not a trusted proxy.
    ///
    /// `X-Forwarded-For` and `Forwarded` count from trusted proxies alone. If both are sent and differ, a client may have sent
    /// one of them, so neither counts.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let legacy = elements(headers, &X_FORWARDED_FOR);
        let legacy: Vec<_> = legacy.iter().map(|element| parse_node(element)).collect();
        let standard = elements(headers, &FORWARDED);
        let standard: Vec<_> = standard.iter().map(|element| forwarded_for(element)).collect();
        match (self.nearest(peer, &legacy), self.nearest(peer, &standard)) {
            (legacy, _) if standard.is_empty() => legacy,
            (_, standard) if legacy.is_empty() => standard,
            (legacy, standard) if legacy == standard => legacy,
            _ => peer,
        }
    }

    /// Follows the chain from the proxy next to us. Behind an unknown address nothing is believed.
    fn nearest(&self, peer: IpAddr, chain: &[Option<IpAddr>]) -> IpAddr {
        let mut client = peer;
        for address in chain.iter().rev() {
            let Some(address) = address else { return client };
            client = *address;
            if !self.contains(client) {
                return client;
            }
        }
        client
    }
}

/// The elements of all headers called `name`, in order.
fn elements(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let values = values.flat_map(|value| {
        String::from_utf8_lossy(value.as_bytes())
            .split(',')
            .map(|element| element.trim().to_owned())
            .collect::<Vec<_>>()
    });
    values.collect()
}

/// The address in an element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    parse_node(node.trim().trim_matches('"'))
}

/// An address, with or without a port.
fn parse_node(node: &str) -> Option<IpAddr> {
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    let address = bare.parse().ok();
    let address = address.or_else(|| node.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::TrustedProxies;

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let proxies: TrustedProxies = "10.0.0.0/8, 192.0.2.1, fd00::/8".parse().unwrap();
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        proxies.client(peer.parse::<IpAddr>().unwrap(), &headers).to_string()
    }

    const XFF: &str = "x-forwarded-for";

    #[test]
    fn only_trusted_proxies_name_the_client() {
        assert_eq!(client("203.0.113.9", &[(XFF, "198.51.100.7")]), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &[(XFF, "198.51.100.7")]), "127.0.0.1");
        assert_eq!(client("10.1.1.1", &[(XFF, "198.51.100.7")]), "198.51.100.7");
        assert_eq!(client("::ffff:10.1.1.1", &[(XFF, "198.51.100.7")]), "198.51.100.7");
        assert_eq!(client("10.1.1.1", &[]), "10.1.1.1");
    }

    #[test]
    fn the_nearest_untrusted_address_is_the_client() {
        let chain = [(XFF, "8.8.8.8, 198.51.100.7, 192.0.2.1")];
        assert_eq!(client("10.1.1.1", &chain), "198.51.100.7");
        assert_eq!(client("10.1.1.1", &[(XFF, "198.51.100.7, unknown")]), "10.1.1.1");
        assert_eq!(client("10.1.1.1", &[(XFF, "10.2.2.2")]), "10.2.2.2");
    }

    #[test]
    fn forwarded_is_read_as_its_standard_describes() {
        let forwarded = [("forwarded", "for=8.8.8.8, for=\"[2001:db8::1]:4711\";proto=https")];
        assert_eq!(client("fd00::1", &forwarded), "2001:db8::1");
        let forged = [("forwarded", "for=8.8.8.8"), (XFF, "198.51.100.7")];
        assert_eq!(client("10.1.1.1", &forged), "10.1.1.1");
    }

    #[test]
    fn a_network_needs_a_valid_prefix() {
        for bad in ["10.0.0.0/33", "the office", "10.0.0.0/8;::1"] {
            assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
        }
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
    }
}
