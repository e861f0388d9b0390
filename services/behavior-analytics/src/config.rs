//! The configuration of the service.

use runtime::config::Common;

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
    /// `POST /v1/events` accepts events of the last 30 days, and a duplicate is recognised only while the
    /// first event is stored.
    #[arg(
        long,
        env = "RETENTION_DAYS",
        value_name = "RETENTION_DAYS",
        default_value_t = Config::RETENTION_DAYS,
        value_parser = clap::value_parser!(u16).range(31..=3650)
    )]
    pub retention_days: u16,
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
