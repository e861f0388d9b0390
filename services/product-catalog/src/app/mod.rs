//! Use cases, one file each. They run in the transaction of their caller.

mod change_prices;
mod create_product;
mod create_rule;
mod delete_product;
mod delete_rule;
mod import_batch;
mod importer_waker;
mod publish_synonyms;
mod record_receipts;
mod replace_product;
mod replace_rule;
mod replace_synonyms;
mod search_settings_error;
mod write_products;

pub(crate) use self::{
    change_prices::change_prices,
    create_product::{CreateProductCommand, create_product},
    create_rule::{CreateRuleCommand, create_rule},
    delete_product::{DeleteProductCommand, delete_product},
    delete_rule::{DeleteRuleCommand, delete_rule},
    import_batch::{ImportBatchCommand, ImportBatchError, import_batch},
    importer_waker::ImporterWaker,
    publish_synonyms::publish_synonyms,
    record_receipts::{ChangeWatcher, ChangeWatchers, change_watchers, record_receipts},
    replace_product::{ReplaceProductCommand, replace_product},
    replace_rule::{ReplaceRuleCommand, replace_rule},
    replace_synonyms::{ReplaceSynonymsCommand, replace_synonyms},
    search_settings_error::SearchSettingsError,
    write_products::WriteProductsError,
};
