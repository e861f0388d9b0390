//! What the service is told from outside.

use runtime::config::Common;

/// The configuration of the inventory.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What every service is told.
    #[command(flatten)]
    pub common: Common,
}
