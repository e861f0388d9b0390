//! Pure decisions: functions of data, without I/O.

mod drift;
mod popularity;
mod product;
mod projection;
mod rule;
mod setting;
mod stock;
mod synonym;

pub(crate) use drift::{Drift, VersionMismatch, version_mismatches};
pub(crate) use popularity::{ScoreChange, is_significant};
pub(crate) use product::newest_versions;
pub use product::{AttributeValue, CatalogProduct, ProductContent, ProductStatus, Variant};
pub use projection::{ChangeCounter, PendingReceipt, ProjectedProduct, ProjectedVersion};
pub use rule::{InvalidRule, Rule, RuleEffect, RuleProducts, RuleScope};
pub(crate) use rule::{Pin, place_pins};
pub(crate) use setting::newest_settings;
pub use setting::{
    HeldSetting, KEPT_MINUTES, KEPT_REVISIONS, Moment, Setting, SettingVersion, SettingsHistory,
};
pub use stock::SkuStock;
pub(crate) use stock::{StockUpdate, merge_stock};
pub(crate) use synonym::check_synonyms;
pub use synonym::{InvalidSynonyms, SYNONYMS, Synonym};
