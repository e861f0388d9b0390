//! Use cases, one file each. They run in the transaction of their caller.

mod change_prices;
mod create_product;
mod delete_product;
mod import_batch;
mod importer_waker;
mod record_receipts;
mod replace_product;
mod write_products;

pub(crate) use self::{
    change_prices::change_prices,
    create_product::{CreateProductCommand, create_product},
    delete_product::{DeleteProductCommand, delete_product},
    import_batch::{ImportBatchCommand, ImportBatchError, import_batch},
    importer_waker::ImporterWaker,
    record_receipts::{ChangeWatcher, ChangeWatchers, change_watchers, record_receipts},
    replace_product::{ReplaceProductCommand, replace_product},
    write_products::WriteProductsError,
};
