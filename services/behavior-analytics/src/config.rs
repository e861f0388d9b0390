//! The configuration of the service.

use std::path::PathBuf;

use runtime::{clients::TrustedProxies, config::Common};

/// The configuration of behavior-analytics.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// The settings that every service has.
    #[command(flatten)]
    pub common: Common,

    /// Days of events and baskets from which the model learns at start.
    #[arg(
        long,
        env = "MODEL_DAYS",
        value_name = "MODEL_DAYS",
        default_value_t = Config::MODEL_DAYS,
        value_parser = clap::value_parser!(u16).range(1..=3650)
    )]
    pub model_days: u16,

    /// Days after which events and baskets are deleted; at least 31.
    ///
    /// Events of the last 7 days are accepted, and a duplicate is recognised only while the first event is
    /// stored.
    #[arg(
        long,
        env = "RETENTION_DAYS",
        value_name = "RETENTION_DAYS",
        default_value_t = Config::RETENTION_DAYS,
        value_parser = clap::value_parser!(u16).range(31..=3650)
    )]
    pub retention_days: u16,

    /// File with the keys that sign visitor ids, one per line, each of at least 32 characters. The first one signs, and
    /// all verify. Without it no visitor has a signature.
    #[arg(long, env = "VISITOR_KEY_FILE", value_name = "VISITOR_KEY_FILE")]
    pub visitor_key_file: Option<PathBuf>,

    /// Addresses and networks of servers that send the events of many visitors, separated by commas. Their events need no
    /// signature, and the number of their visitors is not bounded.
    #[arg(
        long,
        env = "EVENT_SENDERS",
        value_name = "EVENT_SENDERS",
        default_value = "",
        hide_default_value = true,
        value_parser = clap::value_parser!(TrustedProxies)
    )]
    pub event_senders: TrustedProxies,
}

impl Config {
    /// The default of `model_days`.
    pub const MODEL_DAYS: u16 = 30;

    /// The default of `retention_days`.
    pub const RETENTION_DAYS: u16 = 90;
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
