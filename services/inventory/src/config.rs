//! The configuration of the service.

use runtime::config::Common;

/// The configuration of inventory.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// The settings that every service has.
    #[command(flatten)]
    pub common: Common,
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
