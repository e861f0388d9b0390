//! Pure decisions: functions of data, without I/O.

mod drift;
mod popularity;
mod product;
mod projection;
mod stock;

pub(crate) use drift::{Drift, VersionMismatch, version_mismatches};
pub(crate) use popularity::{ScoreChange, is_significant};
pub(crate) use product::newest_versions;
pub use product::{AttributeValue, CatalogProduct, ProductContent, ProductStatus, Variant};
pub use projection::{ChangeCounter, PendingReceipt, ProjectedProduct, ProjectedVersion};
pub use stock::SkuStock;
pub(crate) use stock::{StockUpdate, merge_stock};
