//! Product files: from bytes to products.
//!
//! The bytes become text ([`text_decoder`]), the text becomes records ([`record_reader`]), the header gives
//! the meaning of the columns ([`columns`]), records of one product are joined ([`row_grouper`]), and the rows
//! are converted to drafts ([`file_product`]). Each step takes pieces of any size.

mod barcode_cell;
mod category_cell;
mod column;
mod column_names;
mod columns;
mod file_draft;
mod file_product;
mod file_row;
mod header_name;
mod image_cell;
mod import_settings;
mod number_cell;
mod preset;
mod price_cell;
mod product_file;
mod product_table;
mod record_reader;
mod refused_file;
mod row_grouper;
mod sale_cell;
mod stock_cell;
mod text_decoder;
mod workbook;

pub(crate) use self::{
    category_cell::SLASH_IN_NAME,
    columns::{Columns, InvalidHeader, NamedFields},
    file_draft::{loss_reason, losses},
    file_product::{FileProduct, product_of_row},
    file_row::FileRow,
    import_settings::{ImportMode, ImportSettings, UnknownColumns},
    preset::Preset,
    product_file::{FileLayout, InvalidFile, ProductFile},
    refused_file::refused_file,
    workbook::Workbook,
};
