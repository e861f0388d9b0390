//! How much one client may do.

use std::{num::NonZeroU32, str::FromStr};

/// The bounds of one client; `None` is no bound. No address is exempt from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// Requests per second with tokens of one subject. Four times as many may come at once.
    pub principal: Option<NonZeroU32>,
    /// Requests per second from one address without a valid token. Four times as many may come at once.
    pub address: Option<NonZeroU32>,
    /// New shopper identities per minute for one address.
    pub sessions: Option<NonZeroU32>,
    /// Open connections of one address.
    pub connections: Option<NonZeroU32>,
    /// Requests that the console forwards at once for one address. A customer has a quarter of it. Event streams and long
    /// polls are counted apart and have half of it.
    pub forwarded: Option<NonZeroU32>,
}

impl ClientLimits {
    /// The default: far more than a shopper, an office or a script needs, and far less than the suite can do.
    pub const DEFAULT: ClientLimits = ClientLimits {
        principal: NonZeroU32::new(100),
        address: NonZeroU32::new(200),
        sessions: NonZeroU32::new(30),
        connections: NonZeroU32::new(256),
        forwarded: NonZeroU32::new(128),
    };

    /// For benchmarks with few clients: everything is counted, and nothing is refused.
    pub const BENCH: ClientLimits = ClientLimits {
        principal: NonZeroU32::new(100_000),
        address: NonZeroU32::new(100_000),
        sessions: NonZeroU32::new(100_000),
        connections: NonZeroU32::new(100_000),
        forwarded: NonZeroU32::new(100_000),
    };

    /// No bound.
    pub const OFF: ClientLimits = ClientLimits {
        principal: None,
        address: None,
        sessions: None,
        connections: None,
        forwarded: None,
    };
}

/// The text is no profile and no list of figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not default, bench, off, or figures such as principal=100,address=200,sessions=30,connections=256,forwarded=128"
)]
pub struct InvalidClientLimits(String);

impl FromStr for ClientLimits {
    type Err = InvalidClientLimits;

    /// Reads `default`, `bench`, `off`, or figures such as `principal=50,connections=off`; all others stay the default.
    fn from_str(text: &str) -> Result<ClientLimits, InvalidClientLimits> {
        match text.trim() {
            "" | "default" => Ok(ClientLimits::DEFAULT),
            "bench" => Ok(ClientLimits::BENCH),
            "off" => Ok(ClientLimits::OFF),
            figures => {
                let mut limits = ClientLimits::DEFAULT;
                for figure in figures.split(',') {
                    let invalid = || InvalidClientLimits(figure.to_owned());
                    let (name, value) = figure.split_once('=').ok_or_else(invalid)?;
                    let value = match value.trim() {
                        "off" => None,
                        number => Some(number.parse().map_err(|_| invalid())?),
                    };
                    match name.trim() {
                        "principal" => limits.principal = value,
                        "address" => limits.address = value,
                        "sessions" => limits.sessions = value,
                        "connections" => limits.connections = value,
                        "forwarded" => limits.forwarded = value,
                        _ => return Err(invalid()),
                    }
                }
                Ok(limits)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::ClientLimits;

    #[test]
    fn a_text_is_a_profile_or_figures() {
        assert_eq!("default".parse(), Ok(ClientLimits::DEFAULT));
        assert_eq!("bench".parse(), Ok(ClientLimits::BENCH));
        assert_eq!("off".parse(), Ok(ClientLimits::OFF));
        let figures = ClientLimits {
            principal: NonZeroU32::new(7),
            connections: None,
            ..ClientLimits::DEFAULT
        };
        assert_eq!("principal=7, connections=off".parse(), Ok(figures));
        for bad in
            ["none", "principal", "principal=0", "principal=-1", "loopback=off", "address=7,"]
        {
            assert!(bad.parse::<ClientLimits>().is_err(), "{bad}");
        }
    }
}
