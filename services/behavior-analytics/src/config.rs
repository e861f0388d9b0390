//! What the service is told from outside.

use runtime::config::Common;

/// The configuration of the behaviour analytics.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What every service is told.
    #[command(flatten)]
    pub common: Common,

    /// Days of events and baskets that the recommender learns from when it starts.
    #[arg(
        long,
        env = "MODEL_DAYS",
        value_name = "MODEL_DAYS",
        default_value_t = Config::MODEL_DAYS,
        value_parser = clap::value_parser!(u16).range(1..=3650)
    )]
    pub model_days: u16,

    /// Days after which events and baskets are deleted. At least 31, for the door takes events of the last 30 days, and a
    /// duplicate is known only while the first is there.
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
