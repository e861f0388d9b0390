//! Converts the rows of a product to a draft.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use vocabulary::Localized;

use super::{
    barcode_cell::{InvalidBarcode, barcode_of},
    category_cell::{category_path, category_paths},
    column::Column,
    columns::{Columns, record_types},
    file_row::{Entry, FileRow},
    image_cell::image_urls,
    import_settings::ImportMode,
    preset::Preset,
    price_cell::FilePrice,
    record_reader::Record,
    sale_cell::{SaleBound, sale_interval, sale_time},
    stock_cell::stock_of,
};
use crate::domain::{DraftAttribute, ImportWarning, ProductStatus, RefusedRow};

/// What a file gives of a product, not validated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileProduct {
    /// The line of its first row.
    pub(super) line: i64,
    pub(super) title: Localized,
    pub(super) description: Localized,
    pub(super) brand: Option<String>,
    pub(super) category: Option<String>,
    pub(super) attributes: BTreeMap<String, DraftAttribute>,
    pub(super) images: Vec<String>,
    pub(super) status: Option<ProductStatus>,
    pub(super) variants: Vec<FileVariant>,
    pub(crate) warnings: Vec<ImportWarning>,
}

/// What a file gives of a variant, not validated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FileVariant {
    pub(super) line: i64,
    pub(super) sku: String,
    pub(super) options: BTreeMap<String, String>,
    pub(super) price: Option<FilePrice>,
    /// More than the price of the row, if the row has one.
    pub(super) compare_at_price: Option<FilePrice>,
    pub(super) sale: FileSale,
    pub(super) barcode: Option<String>,
    /// Pieces on hand.
    pub(super) stock: Option<i64>,
}

/// What a file gives of a sale, not validated.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FileSale {
    pub(super) price: Option<FilePrice>,
    pub(super) starts_at: Option<DateTime<Utc>>,
    pub(super) ends_at: Option<DateTime<Utc>>,
}

impl FileSale {
    pub(super) fn has_times(&self) -> bool {
        self.starts_at.is_some() || self.ends_at.is_some()
    }
}

/// The product that the rows describe, or why one of them is refused. A field of the product takes the first
/// cell of its column that is not empty.
pub(crate) fn product_of_row(columns: &Columns, row: &FileRow) -> Result<FileProduct, RefusedRow> {
    let mut builder = Builder::new(columns);
    let mut first_line = None;
    for entry in &row.entries {
        match entry {
            Entry::Refused(row, _) => return Err(row.clone()),
            Entry::Record(record) => {
                first_line.get_or_insert(record.line);
                builder.add(record).map_err(|reason| RefusedRow::new(record.line, reason))?;
            }
        }
    }
    let first_line = first_line.unwrap_or_default();
    builder.finish(first_line).map_err(|reason| RefusedRow::new(first_line, reason))
}

/// Collects the cells of a product.
struct Builder<'a> {
    columns: &'a Columns,
    title: Localized,
    description: Localized,
    short_description: Localized,
    brand: Option<String>,
    category: Option<String>,
    /// The name of the attribute, and the category.
    category_fallback: Option<(String, String)>,
    attributes: BTreeMap<String, DraftAttribute>,
    images: Vec<String>,
    status: Option<String>,
    published: Option<ProductStatus>,
    variants: Vec<FileVariant>,
    /// The names of options by number; they count for the following rows.
    option_names: BTreeMap<u8, String>,
    /// The currency of the last row that names one.
    currency: Option<String>,
    is_variable: bool,
    has_product_row: bool,
    warnings: Vec<ImportWarning>,
}

/// What a row is in files that have rows of several types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowType {
    /// A product, with its only variant or none.
    Product,
    /// A product whose variants have their own rows.
    Variable,
    Variation,
}

/// The cells of a row that belong to its variant.
#[derive(Default)]
struct VariantCells<'a> {
    sku: Option<&'a str>,
    price: Option<&'a str>,
    /// A file may have several columns of these.
    compare_prices: Vec<&'a str>,
    sale_prices: Vec<&'a str>,
    sale_start: Option<&'a str>,
    sale_end: Option<&'a str>,
    sale_interval: Option<&'a str>,
    barcode: Option<&'a str>,
    /// A file may have several columns of stock.
    stocks: Vec<&'a str>,
    options: BTreeMap<String, String>,
    /// The values of numbered options.
    option_values: Vec<(u8, &'a str)>,
}

impl<'a> Builder<'a> {
    fn new(columns: &'a Columns) -> Self {
        Self {
            columns,
            title: Localized::default(),
            description: Localized::default(),
            short_description: Localized::default(),
            brand: None,
            category: None,
            category_fallback: None,
            attributes: BTreeMap::new(),
            images: Vec::new(),
            status: None,
            published: None,
            variants: Vec::new(),
            option_names: BTreeMap::new(),
            currency: None,
            is_variable: false,
            has_product_row: false,
            warnings: Vec::new(),
        }
    }

    fn add(&mut self, record: &Record) -> Result<(), String> {
        let columns = self.columns;
        let row_type = row_type_of(columns, record)?;
        self.is_variable |= row_type == RowType::Variable;
        self.has_product_row |= row_type != RowType::Variation;
        let mut cells = VariantCells::default();
        for (column, cell) in columns.filled(&record.cells) {
            let is_variant_cell = self.add_variant_cell(&mut cells, column, cell);
            // The row of a variation repeats the title of its product with the options.
            if !is_variant_cell && (row_type != RowType::Variation || *column == Column::Images) {
                self.add_product_cell(record.line, column, cell)?;
            }
        }
        if row_type == RowType::Variable {
            if !cells.stocks.is_empty() {
                let message = "the stock of a product with variations is not applied";
                self.warn(record.line, message.to_owned());
            }
            return Ok(());
        }
        if columns.preset() == Some(Preset::Woocommerce) && row_type == RowType::Product {
            self.numbered_attributes(&cells);
            cells.option_values.clear();
        }
        self.add_variant(record.line, cells)
    }

    /// Keeps a cell of the variant; false for a cell of the product.
    fn add_variant_cell<'c>(
        &mut self,
        cells: &mut VariantCells<'c>,
        column: &Column,
        cell: &'c str,
    ) -> bool {
        match column {
            Column::Sku => cells.sku = Some(cell),
            Column::Price => cells.price = Some(cell),
            Column::ComparePrice => cells.compare_prices.push(cell),
            Column::SalePrice => cells.sale_prices.push(cell),
            Column::SaleStart => cells.sale_start = Some(cell),
            Column::SaleEnd => cells.sale_end = Some(cell),
            Column::SaleInterval => cells.sale_interval = Some(cell),
            Column::Barcode => cells.barcode = Some(cell),
            Column::Stock => cells.stocks.push(cell),
            Column::Currency => self.currency = Some(cell.to_owned()),
            Column::Option(name) => {
                cells.options.insert(name.clone(), cell.to_owned());
            }
            Column::OptionName(number) => {
                self.option_names.insert(*number, cell.to_owned());
            }
            Column::OptionValue(number) => cells.option_values.push((*number, cell)),
            Column::Product
            | Column::Title
            | Column::TitleZh
            | Column::TitleEn
            | Column::Description
            | Column::DescriptionZh
            | Column::DescriptionEn
            | Column::ShortDescription
            | Column::Brand
            | Column::Category
            | Column::CategoryFallback(_)
            | Column::Categories
            | Column::Status
            | Column::Published
            | Column::Images
            | Column::Availability
            | Column::Attribute(_)
            | Column::List(_)
            | Column::RecordId
            | Column::RecordType
            | Column::Parent
            | Column::Passed
            | Column::Ignored
            | Column::Unnamed => return false,
        }
        true
    }

    fn add_product_cell(&mut self, line: i64, column: &Column, cell: &str) -> Result<(), String> {
        let text = cell.to_owned();
        let has_slashes = self.columns.preset().is_some_and(Preset::has_slashes_in_names);
        match column {
            Column::Title => by_language(&mut self.title, text),
            Column::TitleZh => first(&mut self.title.zh, text),
            Column::TitleEn => first(&mut self.title.en, text),
            Column::Description => by_language(&mut self.description, text),
            Column::DescriptionZh => first(&mut self.description.zh, text),
            Column::DescriptionEn => first(&mut self.description.en, text),
            Column::ShortDescription => by_language(&mut self.short_description, text),
            Column::Brand => first(&mut self.brand, text),
            Column::Status => first(&mut self.status, text),
            Column::Published => {
                let status =
                    if is_yes(cell)? { ProductStatus::Active } else { ProductStatus::Draft };
                self.published.get_or_insert(status);
            }
            Column::Category => first(&mut self.category, category_path(cell, has_slashes)),
            Column::CategoryFallback(name) => {
                self.category_fallback.get_or_insert_with(|| (name.clone(), text));
            }
            Column::Categories => {
                let mut paths = category_paths(cell).into_iter();
                if let Some(path) = paths.next() {
                    first(&mut self.category, path);
                }
                let others: Vec<Option<String>> = paths.map(Some).collect();
                if !others.is_empty() {
                    self.attribute(line, "categories", DraftAttribute::List(others));
                }
            }
            Column::Images => {
                for url in image_urls(cell) {
                    if !self.images.contains(&url) {
                        self.images.push(url);
                    }
                }
            }
            Column::Attribute(name) => self.attribute(line, name, DraftAttribute::Text(text)),
            Column::List(name) => {
                let texts = cell.split([',', '，']).map(str::trim).filter(|text| !text.is_empty());
                let texts = texts.map(|text| Some(text.to_owned())).collect();
                self.attribute(line, name, DraftAttribute::List(texts));
            }
            // Whether there is stock is known to inventory; announced products are kept apart.
            Column::Availability => {
                let state = cell.to_lowercase().replace([' ', '-'], "_");
                if ["preorder", "pre_order", "backorder"].contains(&state.as_str()) {
                    self.attribute(line, "availability", DraftAttribute::Text(text));
                }
            }
            Column::Product
            | Column::Sku
            | Column::Price
            | Column::Currency
            | Column::ComparePrice
            | Column::SalePrice
            | Column::SaleStart
            | Column::SaleEnd
            | Column::SaleInterval
            | Column::Barcode
            | Column::Stock
            | Column::Option(_)
            | Column::OptionName(_)
            | Column::OptionValue(_)
            | Column::RecordId
            | Column::RecordType
            | Column::Parent
            | Column::Passed
            | Column::Ignored
            | Column::Unnamed => {}
        }
        Ok(())
    }

    /// Keeps the first value of an attribute, and warns of another one.
    fn attribute(&mut self, line: i64, name: &str, value: DraftAttribute) {
        let known = self.attributes.get(name);
        let differs = known.is_some_and(|known| *known != value);
        if known.is_none() {
            self.attributes.insert(name.to_owned(), value);
        }
        if differs {
            let message = format!("`{name}` differs from the first row of the product");
            self.warn(line, format!("{message}; the first value was kept"));
        }
    }

    /// Numbered options of a product without variants are attributes.
    fn numbered_attributes(&mut self, cells: &VariantCells<'_>) {
        for (number, value) in &cells.option_values {
            let Some(name) = self.option_names.get(number) else { continue };
            let values: Vec<&str> =
                value.split(", ").map(str::trim).filter(|value| !value.is_empty()).collect();
            let value = match values.as_slice() {
                [one] => DraftAttribute::Text((*one).to_owned()),
                many => {
                    DraftAttribute::List(many.iter().map(|one| Some((*one).to_owned())).collect())
                }
            };
            self.attributes.entry(name.clone()).or_insert(value);
        }
    }

    /// Adds the variant of a row, if the row has one: a row may only have pictures.
    fn add_variant(&mut self, line: i64, cells: VariantCells<'_>) -> Result<(), String> {
        let Some(sku) = cells.sku else {
            let is_variant = cells.price.is_some() || !cells.stocks.is_empty();
            return if is_variant { Err("sku: is required".to_owned()) } else { Ok(()) };
        };
        let prices = self.columns.prices();
        let price =
            cells.price.map(|price| prices.read(price, self.currency.as_deref())).transpose()?;
        let compare_at_price = self.compare_at_price(line, &cells, price.as_ref())?;
        let sale = self.sale(line, &cells, price.as_ref())?;
        let stock = self.stock(line, &cells.stocks)?;
        let VariantCells { barcode, mut options, option_values, .. } = cells;
        let barcode = match barcode.map(barcode_of).transpose() {
            Ok(barcode) => barcode,
            Err(error @ InvalidBarcode::Rounded(_)) if self.columns.preset().is_some() => {
                self.warn(line, format!("barcode left out: {error}"));
                None
            }
            Err(error) => return Err(format!("barcode: {error}")),
        };
        for (number, value) in option_values {
            // Shopify writes this option for products without options.
            if value == "Default Title" {
                continue;
            }
            let name =
                self.option_names.get(&number).ok_or("the option has a value, but no name")?;
            options.insert(name.clone(), value.to_owned());
        }
        let sku = sku.to_owned();
        self.variants.push(FileVariant {
            line,
            sku,
            options,
            price,
            compare_at_price,
            sale,
            barcode,
            stock,
        });
        Ok(())
    }

    /// The first of several counts of stock.
    fn stock(&mut self, line: i64, cells: &[&str]) -> Result<Option<i64>, String> {
        let Some((first, others)) = cells.split_first() else { return Ok(None) };
        if others.iter().any(|other| other != first) {
            self.warn(line, "stock: several columns differ; the first was applied".to_owned());
        }
        let decimal_comma = self.columns.prices().decimal_comma;
        stock_of(first, decimal_comma).map(Some).map_err(|error| format!("stock: {error}"))
    }

    /// The compare-at price of a row. Programs write the price itself, or zero, if there is none.
    fn compare_at_price(
        &mut self,
        line: i64,
        cells: &VariantCells<'_>,
        price: Option<&FilePrice>,
    ) -> Result<Option<FilePrice>, String> {
        let name = "compare_at_price";
        let Some(compared) = self.other_price(line, name, &cells.compare_prices, price)? else {
            return Ok(None);
        };
        let Some(price) = price.filter(|price| price.has_currency_of(&compared)) else {
            return Ok(Some(compared).filter(|compared| compared.price.amount != 0));
        };
        if compared.price.amount > price.price.amount {
            return Ok(Some(compared));
        }
        if compared.price.amount != price.price.amount && compared.price.amount != 0 {
            let message = format!("{name}: must be more than the price");
            self.warn_or_refuse(line, message)?;
        }
        Ok(None)
    }

    /// The sale of a row. Programs write the price itself if there is none.
    fn sale(
        &mut self,
        line: i64,
        cells: &VariantCells<'_>,
        price: Option<&FilePrice>,
    ) -> Result<FileSale, String> {
        let mut sale = self.sale_times(cells)?;
        let name = "sale_price";
        sale.price = self.other_price(line, name, &cells.sale_prices, price)?;
        if let Some(reduced) = &sale.price {
            // It may stand for no sale, and would sell for nothing.
            if reduced.price.amount == 0 {
                return Err(format!("{name}: is zero; leave the cell empty if there is no sale"));
            }
            let is_less = price.is_none_or(|price| {
                reduced.price.amount < price.price.amount || !price.has_currency_of(reduced)
            });
            if !is_less {
                if price.is_some_and(|price| reduced.price.amount != price.price.amount) {
                    self.warn_or_refuse(line, format!("{name}: must be less than the price"))?;
                }
                return Ok(FileSale::default());
            }
        }
        let is_merged = self.columns.mode() == Some(ImportMode::Merge);
        if sale.price.is_none() && sale.has_times() && !is_merged {
            self.warn(line, "the times of a sale have no sale_price; not applied".to_owned());
            return Ok(FileSale::default());
        }
        Ok(sale)
    }

    fn sale_times(&self, cells: &VariantCells<'_>) -> Result<FileSale, String> {
        let offset = self.columns.utc_offset();
        let time = |name: &str, cell: Option<&str>, bound| {
            cell.map(|cell| sale_time(cell, bound, offset))
                .transpose()
                .map_err(|error| format!("{name}: {error}"))
        };
        let mut starts_at = time("sale_start", cells.sale_start, SaleBound::Start)?;
        let mut ends_at = time("sale_end", cells.sale_end, SaleBound::End)?;
        if let Some(cell) = cells.sale_interval {
            let interval = sale_interval(cell, offset);
            let (start, end) = interval.map_err(|error| format!("sale dates: {error}"))?;
            (starts_at, ends_at) = (starts_at.or(Some(start)), ends_at.or(Some(end)));
        }
        Ok(FileSale { price: None, starts_at, ends_at })
    }

    /// The price of the first of several columns of one meaning. It has the currency of the row's price, unless
    /// it names another one.
    fn other_price(
        &mut self,
        line: i64,
        name: &str,
        cells: &[&str],
        price: Option<&FilePrice>,
    ) -> Result<Option<FilePrice>, String> {
        let Some((first, others)) = cells.split_first() else { return Ok(None) };
        if others.iter().any(|other| other != first) {
            let message = format!("{name}: several columns differ; the first was applied");
            self.warn(line, message);
        }
        let named = price.filter(|price| !price.has_default_currency);
        let named = named.map(|price| price.price.currency.as_str());
        let read = self.columns.prices().read(first, self.currency.as_deref().or(named));
        read.map(Some).map_err(|error| error.replacen("price", name, 1))
    }

    /// Programs export values that have no effect there; own files are refused by line.
    fn warn_or_refuse(&mut self, line: i64, message: String) -> Result<(), String> {
        if self.columns.preset().is_none() {
            return Err(message);
        }
        self.warn(line, format!("{message}; not applied"));
        Ok(())
    }

    fn warn(&mut self, line: i64, message: String) {
        self.warnings.push(ImportWarning { line, message });
    }

    fn finish(mut self, first_line: i64) -> Result<FileProduct, String> {
        if self.is_variable && self.variants.is_empty() {
            return Err("the product has no variations".to_owned());
        }
        if !self.has_product_row {
            return Err("the product of the variation is missing".to_owned());
        }
        if self.variants.is_empty() {
            return Err("sku: is required".to_owned());
        }
        if let Some((name, cell)) = self.category_fallback.take() {
            match &self.category {
                None => self.category = Some(category_path(&cell, true)),
                Some(_) => {
                    self.attributes.entry(name).or_insert(DraftAttribute::Text(cell));
                }
            }
        }
        let is_merged = self.columns.mode() == Some(ImportMode::Merge);
        if let (None, Some(category)) = (&self.category, self.columns.default_category())
            && !is_merged
        {
            self.category = Some(category.to_owned());
            self.warn(first_line, format!("no category; put into `{category}`"));
        }
        if self.description.is_empty() {
            self.description = std::mem::take(&mut self.short_description);
        }
        let status = match self.status.take() {
            Some(status) => Some(status_of(&status)?),
            None => self.published,
        };
        Ok(FileProduct {
            line: first_line,
            title: self.title,
            description: self.description,
            brand: self.brand,
            category: self.category,
            attributes: self.attributes,
            images: self.images,
            status,
            variants: self.variants,
            warnings: self.warnings,
        })
    }
}

/// The type of a row; products of other shops are refused.
fn row_type_of(columns: &Columns, record: &Record) -> Result<RowType, String> {
    let cell = columns
        .filled(&record.cells)
        .find_map(|(column, cell)| (*column == Column::RecordType).then_some(cell));
    let cell = cell.unwrap_or_default().to_lowercase();
    let types = record_types(&cell);
    let has = |name: &str| types.contains(&name);
    if has("external") || has("grouped") {
        return Err(format!("products of type {cell} have no price and no stock of their own"));
    }
    Ok(match (has("variable"), has("variation")) {
        (true, _) => RowType::Variable,
        (false, true) => RowType::Variation,
        (false, false) => RowType::Product,
    })
}

/// Keeps the first text.
fn first(place: &mut Option<String>, text: String) {
    place.get_or_insert(text);
}

/// Keeps the first text of its language: Chinese if there is a Chinese character in it.
fn by_language(place: &mut Localized, text: String) {
    let is_han = |c: char| matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}');
    if text.contains(is_han) { first(&mut place.zh, text) } else { first(&mut place.en, text) }
}

fn is_yes(cell: &str) -> Result<bool, String> {
    match cell.to_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "是" => Ok(true),
        "0" | "-1" | "false" | "no" | "n" | "否" => Ok(false),
        _ => Err("published: must be true or false".to_owned()),
    }
}

fn status_of(cell: &str) -> Result<ProductStatus, String> {
    let cell = cell.trim().to_lowercase();
    match cell.as_str() {
        "published" | "enabled" | "on sale" | "上架" | "已上架" | "在售" | "销售中" | "启用"
        | "正常" => Ok(ProductStatus::Active),
        "unlisted" | "草稿" | "待上架" | "未上架" | "未发布" => Ok(ProductStatus::Draft),
        "discontinued" | "下架" | "已下架" | "停售" | "停产" | "归档" => {
            Ok(ProductStatus::Archived)
        }
        other => ProductStatus::parse(other)
            .ok_or_else(|| "status: must be draft, active or archived".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{by_language, status_of};
    use vocabulary::Localized;

    #[test]
    fn text_is_kept_in_its_language() {
        let mut title = Localized::default();
        for text in ["27\" monitor", "无线 mouse", "later"] {
            by_language(&mut title, text.to_owned());
        }
        let expected =
            Localized { zh: Some("无线 mouse".to_owned()), en: Some("27\" monitor".to_owned()) };
        assert_eq!(title, expected);
    }

    #[test]
    fn status_is_read_in_both_languages() {
        for (cell, status) in [("Active", "active"), ("下架", "archived"), ("草稿", "draft")] {
            assert_eq!(status_of(cell).unwrap().as_str(), status);
        }
        assert!(status_of("sold").is_err());
    }
}
