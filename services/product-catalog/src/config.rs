//! What the service is told from outside.

use runtime::config::Common;

/// What the service is told from outside.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What every service is told.
    #[command(flatten)]
    pub common: Common,

    /// Days after which changes, finished imports and idempotency keys are forgotten.
    #[arg(
        long,
        env = "RETENTION_DAYS",
        value_name = "RETENTION_DAYS",
        default_value_t = Config::RETENTION_DAYS,
        value_parser = clap::value_parser!(u16).range(1..=3650)
    )]
    pub retention_days: u16,
}

impl Config {
    /// The default of `retention_days`.
    pub const RETENTION_DAYS: u16 = 7;
}
