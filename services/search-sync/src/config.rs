//! The configuration of the service.

use std::path::PathBuf;

use reqwest::Url;
use runtime::config::Common;
use vocabulary::Currency;

/// The configuration of the search service.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    #[command(flatten)]
    pub common: Common,

    /// Folder of the index, used by one process only. It is created if missing, and rebuilt if damaged.
    #[arg(long, env = "INDEX_DIR", value_name = "INDEX_DIR")]
    pub index_dir: PathBuf,

    /// URL of product-catalog at its `INTERNAL_ADDR`, for comparing and repairing the index.
    #[arg(
        long,
        env = "PRODUCT_CATALOG_URL",
        value_name = "PRODUCT_CATALOG_URL",
        default_value = "http://127.0.0.1:9081"
    )]
    pub product_catalog_url: Url,

    /// Currency of searches that name none, a code of ISO 4217.
    #[arg(
        long,
        env = "SHOP_CURRENCY",
        value_name = "SHOP_CURRENCY",
        default_value = "CNY",
        value_parser = Currency::known
    )]
    pub shop_currency: Currency,
}

impl AsRef<Common> for Config {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
