//! The configuration of the service.

use std::path::PathBuf;

use reqwest::Url;
use runtime::config::Common;

/// The configuration of the search service.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    #[command(flatten)]
    pub common: Common,

    /// Folder of the index, used by one process only. It is created if missing, and rebuilt if damaged.
    #[arg(long, env = "INDEX_DIR", value_name = "INDEX_DIR")]
    pub index_dir: PathBuf,

    /// URL of product-catalog, for comparing and repairing the index.
    #[arg(
        long,
        env = "PRODUCT_CATALOG_URL",
        value_name = "PRODUCT_CATALOG_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    pub product_catalog_url: Url,
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
