//! The address of an endpoint.

use std::net::IpAddr;

use http::Uri;
use url::{Host, Url};

use super::address_rule::AddressRule;

/// The maximum length of an address.
const MAX_LENGTH: usize = 2_000;

/// An absolute address with a host. It is normalised: a number as the host is an IPv4 address, however it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointUrl(Url);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEndpointUrl {
    #[error("must be an absolute URL of at most {MAX_LENGTH} characters")]
    Malformed,
    #[error("must begin with https://")]
    NotHttps,
    #[error("must begin with https:// or http://")]
    NotHttp,
    #[error("must not contain a user name, a password or a fragment")]
    Credentials,
    #[error("must not be a private, local or reserved address")]
    AddressNotAllowed,
}

impl EndpointUrl {
    /// Parses an address; it must be allowed by `rule`. A host name is checked when it is resolved, at each connection.
    pub(crate) fn parse(text: &str, rule: AddressRule) -> Result<Self, InvalidEndpointUrl> {
        let url = Self::stored(text)?;
        url.check(rule)?;
        Ok(url)
    }

    /// Parses an address that was allowed once. The rule may have changed since.
    pub(crate) fn stored(text: &str) -> Result<Self, InvalidEndpointUrl> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidEndpointUrl::Malformed);
        }
        let url = Url::parse(text).map_err(|_| InvalidEndpointUrl::Malformed)?;
        if !url.has_host() || Uri::try_from(url.as_str()).is_err() {
            return Err(InvalidEndpointUrl::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(InvalidEndpointUrl::Credentials);
        }
        Ok(Self(url))
    }

    /// Whether `rule` allows the scheme, and the host if that is an address.
    pub(crate) fn check(&self, rule: AddressRule) -> Result<(), InvalidEndpointUrl> {
        match (self.0.scheme(), rule) {
            ("https", _) | ("http", AddressRule::Any) => {}
            (_, AddressRule::Any) => return Err(InvalidEndpointUrl::NotHttp),
            (_, AddressRule::Public) => return Err(InvalidEndpointUrl::NotHttps),
        }
        let is_allowed = match self.0.host() {
            Some(Host::Ipv4(address)) => rule.allows(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => rule.allows(IpAddr::V6(address)),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        if is_allowed { Ok(()) } else { Err(InvalidEndpointUrl::AddressNotAllowed) }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::{EndpointUrl, InvalidEndpointUrl};
    use crate::domain::webhooks::AddressRule;

    fn parse(text: &str) -> Result<String, InvalidEndpointUrl> {
        EndpointUrl::parse(text, AddressRule::Public).map(|url| url.as_str().to_owned())
    }

    #[test]
    fn addresses_in_any_notation_must_be_public() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "10.1.2.3",
            "169.254.169.254",
            "0",
            "１２７.０.０.１",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[fd00::1]",
            "[fe80::1]",
        ] {
            let refused = parse(&format!("https://{host}:8443/hooks"));
            assert_eq!(refused, Err(InvalidEndpointUrl::AddressNotAllowed), "{host}");
        }
        assert_eq!(parse("https://1.1.1.1/a?b=c").unwrap(), "https://1.1.1.1/a?b=c");
        assert_eq!(parse("https://例子.example/").unwrap(), "https://xn--fsqu00a.example/");
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        let long = format!("https://example.com/{}", "a".repeat(2_000));
        for (text, error) in [
            ("", InvalidEndpointUrl::Malformed),
            ("example.com", InvalidEndpointUrl::Malformed),
            ("https://", InvalidEndpointUrl::Malformed),
            ("mailto:a@example.com", InvalidEndpointUrl::Malformed),
            (long.as_str(), InvalidEndpointUrl::Malformed),
            ("http://example.com/", InvalidEndpointUrl::NotHttps),
            ("ftp://example.com/", InvalidEndpointUrl::NotHttps),
            ("https://user@example.com/", InvalidEndpointUrl::Credentials),
            ("https://user:secret@example.com/", InvalidEndpointUrl::Credentials),
            ("https://example.com/#part", InvalidEndpointUrl::Credentials),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        let any = |text| EndpointUrl::parse(text, AddressRule::Any);
        assert!(any("http://127.0.0.1:8080/").is_ok());
        assert_eq!(any("file://host/etc"), Err(InvalidEndpointUrl::NotHttp));
    }
}
