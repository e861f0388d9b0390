//! What the service is told from outside.

use std::path::PathBuf;

use reqwest::Url;
use runtime::config::Common;

/// The configuration of the search index.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What every service is told.
    #[command(flatten)]
    pub common: Common,

    /// Folder of the index, this process's alone. It is made if it is not there, and built anew if it is damaged.
    #[arg(long, env = "INDEX_DIR", value_name = "INDEX_DIR")]
    pub index_dir: PathBuf,

    /// Where the catalogue answers, for comparing and repairing.
    #[arg(
        long,
        env = "PRODUCT_CATALOG_URL",
        value_name = "PRODUCT_CATALOG_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    pub product_catalog_url: Url,
}
