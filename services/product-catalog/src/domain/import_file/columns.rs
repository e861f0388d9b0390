//! The columns of a product file.

use std::collections::BTreeSet;

use chrono::FixedOffset;
use vocabulary::Sku;

use super::{
    column::Column,
    column_names::{column_of_name, column_of_prefix, column_of_target},
    header_name::normalised,
    import_settings::{ImportMode, ImportSettings, UnknownColumns},
    preset::Preset,
    price_cell::{DEFAULT_CURRENCY, PriceReader},
    record_reader::RowShape,
};

/// The maximum number of columns.
const MAX_COLUMNS: usize = 1_000;
/// The category of products of other programs that have none.
const NO_CATEGORY: &str = "未分类";
/// The maximum number of columns named in an error or a warning.
const MAX_NAMED: usize = 50;

/// The columns of a file, in order.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    meanings: Vec<Column>,
    /// As written in the header.
    names: Vec<String>,
    preset: Option<Preset>,
    prices: PriceReader,
    utc_offset: Option<FixedOffset>,
    default_category: Option<String>,
    mode: Option<ImportMode>,
    sku: Option<usize>,
    price: Option<usize>,
}

/// The parts of a product that a file can give. A file without the column of a part cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag for each column")]
pub(crate) struct NamedFields {
    pub(crate) title_zh: bool,
    pub(crate) title_en: bool,
    pub(crate) description_zh: bool,
    pub(crate) description_en: bool,
    pub(crate) brand: bool,
    pub(crate) category: bool,
    pub(crate) status: bool,
    pub(crate) images: bool,
    pub(crate) barcode: bool,
    pub(crate) compare_at_price: bool,
    pub(crate) sale: bool,
    /// The names of attributes.
    pub(crate) attributes: BTreeSet<String>,
    /// The names of options.
    pub(crate) options: BTreeSet<String>,
    /// Whether cells give the names of options and attributes.
    pub(crate) any_option: bool,
}

/// Why the header was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHeader {
    #[error(
        "unknown columns: {}; the columns are product, sku, title, title_zh, title_en, description, description_zh, \
             description_en, brand, category, status, price, compare_at_price, sale_price, sale_start, sale_end, \
             currency, barcode, images, stock, attr.<name> and option.<name>; \
             give others a meaning with ?mapping=, or pass them over with ?unknown_columns=ignore",
        quoted(.0)
    )]
    Unknown(Vec<String>),
    #[error("the columns `{0}` and `{1}` have the same meaning")]
    Repeated(String, String),
    #[error(
        "missing columns: {}; a file that only changes products may leave out all but sku with ?mode=merge",
        .0.join(", ")
    )]
    Missing(Vec<&'static str>),
    #[error("there is no column `{0}`, which the mapping names")]
    NotMapped(String),
    #[error("the header has {0} columns; at most {MAX_COLUMNS} are allowed")]
    TooMany(usize),
    #[error("the header cannot be read; its characters are not valid in the encoding {0}")]
    Undecodable(&'static str),
}

/// Names for a message.
fn quoted(names: &[String]) -> String {
    let mut texts: Vec<String> =
        names.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
    if names.len() > MAX_NAMED {
        texts.push(format!("and {} more", names.len() - MAX_NAMED));
    }
    texts.join(", ")
}

impl Columns {
    /// Reads the header.
    pub(crate) fn read(
        header: &[String],
        settings: &ImportSettings,
        delimiter: char,
    ) -> Result<Self, InvalidHeader> {
        if header.len() > MAX_COLUMNS {
            let used = header.iter().rposition(|name| !name.trim().is_empty());
            let used = used.map_or(0, |last| last + 1);
            if used > MAX_COLUMNS {
                return Err(InvalidHeader::TooMany(used));
            }
        }
        let header = &header[..header.len().min(MAX_COLUMNS)];
        let names: Vec<String> = header.iter().map(|name| normalised(name)).collect();
        let unmapped = settings.mapping.keys().find(|source| !names.contains(source));
        if let Some(source) = unmapped {
            return Err(InvalidHeader::NotMapped(source.clone()));
        }
        let preset = settings.preset.or_else(|| Preset::of_header(&names));
        let (mut columns, mut unknown) = (Vec::with_capacity(names.len()), Vec::new());
        for (name, written) in names.iter().zip(header) {
            let column = match settings.mapping.get(name) {
                Some(target) => column_of_target(target),
                None if name.is_empty() => Some(Column::Unnamed),
                None => preset
                    .and_then(|preset| preset.column(name))
                    .or_else(|| column_of_prefix(written.trim()))
                    .or_else(|| column_of_name(name)),
            };
            let column = column.unwrap_or_else(|| {
                unknown.push(written.trim().to_owned());
                Column::Ignored
            });
            if let Some(at) = columns.iter().position(|one| *one == column)
                && !column.may_repeat()
            {
                let first = header[at].trim().to_owned();
                return Err(InvalidHeader::Repeated(first, written.trim().to_owned()));
            }
            columns.push(column);
        }
        if !unknown.is_empty() && settings.unknown_columns == UnknownColumns::Refuse {
            return Err(InvalidHeader::Unknown(unknown));
        }
        let place = |wanted: &Column| columns.iter().position(|column| column == wanted);
        let (sku, price) = (place(&Column::Sku), place(&Column::Price));
        let currency = settings.currency.clone();
        let prices = PriceReader { currency, decimal_comma: delimiter == ';' };
        let names = header.iter().map(|name| name.trim().to_owned()).collect();
        let default_category =
            settings.category.clone().or_else(|| preset.map(|_| NO_CATEGORY.to_owned()));
        let (mode, utc_offset, meanings) = (settings.mode, settings.utc_offset, columns);
        Ok(Self { meanings, names, preset, prices, utc_offset, default_category, mode, sku, price })
    }

    /// Refuses a header without the columns that every product needs. A file that is merged into products
    /// needs their SKUs only.
    pub(crate) fn require(&self) -> Result<(), InvalidHeader> {
        let named = self.named();
        let is_merged = self.mode == Some(ImportMode::Merge);
        let has_category = named.category || self.default_category.is_some();
        let missing: Vec<&str> = [
            (self.sku.is_some(), "sku"),
            (is_merged || named.title_zh || named.title_en, "title_zh or title_en"),
            (is_merged || has_category, "category"),
            (is_merged || self.price.is_some(), "price"),
        ]
        .into_iter()
        .filter_map(|(is_there, name)| (!is_there).then_some(name))
        .collect();
        if missing.is_empty() { Ok(()) } else { Err(InvalidHeader::Missing(missing)) }
    }

    /// What happens to the rest of a product that exists.
    pub(crate) fn mode(&self) -> Option<ImportMode> {
        self.mode
    }

    /// The parts of a product that the file gives.
    pub(crate) fn named(&self) -> NamedFields {
        let mut named = NamedFields::default();
        for column in &self.meanings {
            match column {
                Column::Title => (named.title_zh, named.title_en) = (true, true),
                Column::TitleZh => named.title_zh = true,
                Column::TitleEn => named.title_en = true,
                Column::Description | Column::ShortDescription => {
                    (named.description_zh, named.description_en) = (true, true);
                }
                Column::DescriptionZh => named.description_zh = true,
                Column::DescriptionEn => named.description_en = true,
                Column::Brand => named.brand = true,
                Column::Category | Column::Categories => named.category = true,
                Column::CategoryFallback(name) => {
                    named.category = true;
                    named.attributes.insert(name.clone());
                }
                Column::Status | Column::Published => named.status = true,
                Column::Barcode => named.barcode = true,
                Column::ComparePrice => named.compare_at_price = true,
                Column::SalePrice => named.sale = true,
                Column::Images => named.images = true,
                Column::Attribute(name) | Column::List(name) => {
                    named.attributes.insert(name.clone());
                }
                Column::Option(name) => {
                    named.options.insert(name.clone());
                }
                Column::OptionName(_) | Column::OptionValue(_) => named.any_option = true,
                Column::Availability => {
                    named.attributes.insert("availability".to_owned());
                }
                Column::Product
                | Column::Sku
                | Column::Price
                | Column::Currency
                | Column::SaleStart
                | Column::SaleEnd
                | Column::SaleInterval
                | Column::Stock
                | Column::RecordId
                | Column::RecordType
                | Column::Parent
                | Column::Passed
                | Column::Ignored
                | Column::Unnamed => {}
            }
        }
        named
    }

    pub(super) fn preset(&self) -> Option<Preset> {
        self.preset
    }

    /// The category of products without one.
    pub(super) fn default_category(&self) -> Option<&str> {
        self.default_category.as_deref()
    }

    pub(super) fn prices(&self) -> &PriceReader {
        &self.prices
    }

    /// The zone of times that do not name one.
    pub(super) fn utc_offset(&self) -> Option<FixedOffset> {
        self.utc_offset
    }

    /// The number of columns.
    pub(crate) fn len(&self) -> usize {
        self.meanings.len()
    }

    /// The name of a column as written.
    pub(super) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// The cells of a record that are not empty, trimmed, each with its column.
    pub(super) fn filled<'a>(
        &'a self,
        cells: &'a [String],
    ) -> impl Iterator<Item = (&'a Column, &'a str)> {
        let cells = cells.iter().map(|cell| cell.trim());
        self.meanings.iter().zip(cells).filter(|(_, cell)| !cell.is_empty())
    }

    /// Whether rows of the file may be parts of one product.
    pub(super) fn can_group(&self) -> bool {
        [Column::Product, Column::Parent].iter().any(|column| self.meanings.contains(column))
    }

    /// The keys that rows of one product share; none if the row is a product by itself.
    pub(super) fn keys_of(&self, cells: &[String]) -> Vec<String> {
        let (mut product, mut parent, mut id, mut sku, mut is_variable) =
            (None, None, None, None, false);
        for (column, cell) in self.filled(cells) {
            if *column == Column::Product {
                product = Some(format!("product:{cell}"));
            } else if *column == Column::Parent {
                parent = Some(match cell.strip_prefix("id:") {
                    Some(id) => format!("id:{}", id.trim()),
                    None => format!("sku:{cell}"),
                });
            } else if *column == Column::RecordId {
                id = Some(format!("id:{cell}"));
            } else if *column == Column::Sku {
                sku = Some(format!("sku:{cell}"));
            } else if *column == Column::RecordType {
                is_variable = record_types(cell).contains(&"variable");
            }
        }
        if is_variable {
            return id.into_iter().chain(sku).collect();
        }
        product.into_iter().chain(parent).collect()
    }

    /// Warnings about columns with values that have no place in the catalogue.
    pub(super) fn warnings(&self, has_values: &[bool]) -> Vec<String> {
        let names_of = |wanted: fn(&Column) -> bool| {
            let columns = self.meanings.iter().zip(&self.names).zip(has_values);
            let found = columns.filter(|((column, _), has)| **has && wanted(column));
            found.map(|((_, name), _)| name.clone()).collect::<Vec<String>>()
        };
        let mut warnings = Vec::new();
        let mut warn = |names: Vec<String>, why: &str| {
            if !names.is_empty() {
                warnings.push(format!("not applied: {}; {why}", quoted(&names)));
            }
        };
        warn(
            names_of(|column| matches!(column, Column::Availability)),
            "only counts of stock are; whether there is stock follows from them",
        );
        warn(
            names_of(|column| matches!(column, Column::Passed)),
            "products have no place for these values",
        );
        warn(names_of(|column| matches!(column, Column::Ignored)), "the columns are unknown");
        let has_currency = self.meanings.contains(&Column::Currency);
        let is_foreign = matches!(self.preset, Some(Preset::Shopify | Preset::Woocommerce));
        if is_foreign && !has_currency {
            let currency = self.prices.currency.as_deref().unwrap_or(DEFAULT_CURRENCY);
            warnings.push(format!(
                "the file names no currency; prices are in {currency}; choose another with ?currency="
            ));
        }
        warnings
    }

    /// Notes which columns without a place have values.
    pub(super) fn note_values(&self, cells: &[String], has_values: &mut Vec<bool>) {
        has_values.resize(self.meanings.len(), false);
        let columns = self.meanings.iter().zip(cells).zip(has_values);
        for ((column, cell), has_value) in columns {
            *has_value |= column.is_not_applied() && !cell.trim().is_empty();
        }
    }

    /// The number of the first column that has no name, but a value.
    pub(super) fn unnamed_value(&self, cells: &[String]) -> Option<usize> {
        let mut columns = self.meanings.iter().zip(cells);
        let found = columns
            .position(|(column, cell)| *column == Column::Unnamed && !cell.trim().is_empty());
        found.map(|index| index + 1)
    }
}

/// The parts of a cell such as `simple, virtual`.
pub(super) fn record_types(cell: &str) -> Vec<&str> {
    cell.split(',').map(str::trim).collect()
}

impl RowShape for Columns {
    fn fits(&self, cells: &[String]) -> bool {
        cells.len() >= self.len() && cells[self.len()..].iter().all(|cell| cell.trim().is_empty())
    }

    /// A row has a valid SKU and a price in their places.
    fn is_row(&self, cells: &[String]) -> bool {
        let cell = |place: Option<usize>| {
            place.and_then(|place| cells.get(place)).map(|cell| cell.trim().to_owned())
        };
        let has_sku = cell(self.sku).is_some_and(|sku| Sku::try_from(sku).is_ok());
        let has_price =
            cell(self.price).is_some_and(|price| self.prices.read(&price, None).is_ok());
        self.fits(cells) && has_sku && (has_price || self.price.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::{Columns, ImportSettings, InvalidHeader, UnknownColumns};

    fn columns(header: &str, settings: &ImportSettings) -> Result<Columns, InvalidHeader> {
        let header: Vec<String> = header.split(',').map(str::to_owned).collect();
        let columns = Columns::read(&header, settings, ',')?;
        columns.require()?;
        Ok(columns)
    }

    fn refusal(header: &str) -> InvalidHeader {
        columns(header, &ImportSettings::default()).unwrap_err()
    }

    #[test]
    fn every_column_of_the_header_must_be_known() {
        let unknown = |names: &[&str]| {
            InvalidHeader::Unknown(names.iter().map(|name| (*name).to_owned()).collect())
        };
        assert_eq!(refusal("sku,colour,size"), unknown(&["colour", "size"]));
        assert_eq!(refusal("sku,attr."), unknown(&["attr."]));
        let repeated = InvalidHeader::Repeated("sku".to_owned(), "货号".to_owned());
        assert_eq!(refusal("sku,货号"), repeated);
        assert_eq!(refusal("sku,title_en,category"), InvalidHeader::Missing(vec!["price"]));
        assert!(matches!(refusal(&"x,".repeat(1_001)), InvalidHeader::TooMany(1_001)));
    }

    #[test]
    fn names_are_found_in_any_spelling_and_language() {
        for header in [
            "sku, title_zh ,category,price,attr.x,option.x",
            "SKU,Title ZH,Category,PRICE,Option.颜色,",
            "商品编码,商品名称,分类,价格",
            "货号,标题,类目,售价,库存,条码,主图",
            "SKU,Name,Category,Price,EAN,Image_URL,Vendor,Qty",
        ] {
            let found = columns(header, &ImportSettings::default());
            assert!(found.is_ok(), "{header}: {found:?}");
        }
    }

    #[test]
    fn mapping_gives_columns_a_meaning() {
        let pairs = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            ImportSettings::default().with_mapping(pairs.collect::<Vec<_>>())
        };
        let settings = pairs(&[("Artikel", "sku"), ("Farbe", "option.颜色"), ("x", "ignore")]);
        let header = "artikel,title,category,price,farbe,X";
        assert!(columns(header, &settings.clone().unwrap()).is_ok());
        let missing = columns("artikel,title,category,price,x", &settings.unwrap());
        assert_eq!(missing.unwrap_err(), InvalidHeader::NotMapped("farbe".to_owned()));
        assert!(pairs(&[("a", "nowhere")]).is_err());
        assert!(pairs(&[("a", "sku"), ("A", "price")]).is_err());
        let ignoring =
            ImportSettings { unknown_columns: UnknownColumns::Ignore, ..ImportSettings::default() };
        assert!(columns("sku,title,category,price,colour", &ignoring).is_ok());
    }

    #[test]
    fn rows_of_a_product_share_a_key() {
        let header: Vec<String> = "ID,Type,SKU,Parent,Name,Regular price,Categories"
            .split(',')
            .map(str::to_owned)
            .collect();
        let columns = Columns::read(&header, &ImportSettings::default(), ',').unwrap();
        let keys = |row: &str| {
            columns.keys_of(&row.split(',').map(str::to_owned).collect::<Vec<String>>())
        };
        assert_eq!(keys("9,variable,coat,,Coat,,A"), ["id:9", "sku:coat"]);
        assert_eq!(keys("10,variation,coat-s,coat,,5,"), ["sku:coat"]);
        assert_eq!(keys("11,variation,coat-m,id:9,,5,"), ["id:9"]);
        assert_eq!(keys("12,simple,mug,,Mug,5,A"), [""; 0]);
    }
}
