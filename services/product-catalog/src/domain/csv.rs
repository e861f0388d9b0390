//! Products in CSV: columns, grouping of rows, and conversion to drafts.

use std::collections::BTreeMap;

use vocabulary::Localized;

use super::{Draft, DraftAttribute, DraftPrice, DraftVariant, MAX_ROW, ProductStatus, Row};

/// The maximum number of rows kept per product: one more than the limit of variants, so that validation sees
/// the excess.
const MAX_GROUP: usize = 101;

/// The meaning of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    /// Groups neighbouring rows into one product; not stored.
    Product,
    Sku,
    TitleZh,
    TitleEn,
    DescriptionZh,
    DescriptionEn,
    Brand,
    Category,
    Status,
    /// In major units, with at most two decimals: `129.00`.
    Price,
    /// Default: `CNY`.
    Currency,
    Barcode,
    /// URLs, separated by white space.
    Images,
    /// `attr.<name>`.
    Attribute(String),
    /// `option.<name>`.
    Option(String),
}

/// The columns of a file, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns(Vec<Column>);

/// Why the header was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHeader {
    #[error("the header is not valid CSV")]
    Unreadable,
    #[error(
        "the column `{0}` is unknown; the columns are product, sku, title_zh, title_en, description_zh, description_en, brand, \
             category, status, price, currency, barcode, images, attr.<name> and option.<name>"
    )]
    Unknown(String),
    #[error("the column `{0}` occurs twice")]
    Repeated(String),
    #[error("the columns sku, category, price, and title_zh or title_en are required")]
    Missing,
}

impl Columns {
    /// Parses the header.
    pub(crate) fn parse(header: &[u8]) -> Result<Self, InvalidHeader> {
        let cells = cells(header).ok_or(InvalidHeader::Unreadable)?;
        let mut columns = Vec::with_capacity(cells.len());
        for name in &cells {
            let column =
                column(name.trim()).ok_or_else(|| InvalidHeader::Unknown(name.to_owned()))?;
            if columns.contains(&column) {
                return Err(InvalidHeader::Repeated(name.to_owned()));
            }
            columns.push(column);
        }
        let has = |column| columns.contains(&column);
        let has_title = has(Column::TitleZh) || has(Column::TitleEn);
        if !(has_title && [Column::Sku, Column::Category, Column::Price].into_iter().all(has)) {
            return Err(InvalidHeader::Missing);
        }
        Ok(Self(columns))
    }

    /// The `product` cell, which groups rows; none if the row is a product of its own.
    fn group_of(&self, row: &Row) -> Option<String> {
        let place = self.0.iter().position(|column| *column == Column::Product)?;
        let cell = cells(&row.bytes)?.get(place)?.trim().to_owned();
        (!cell.is_empty()).then_some(cell)
    }
}

fn column(name: &str) -> Option<Column> {
    Some(match name {
        "product" => Column::Product,
        "sku" => Column::Sku,
        "title_zh" => Column::TitleZh,
        "title_en" => Column::TitleEn,
        "description_zh" => Column::DescriptionZh,
        "description_en" => Column::DescriptionEn,
        "brand" => Column::Brand,
        "category" => Column::Category,
        "status" => Column::Status,
        "price" => Column::Price,
        "currency" => Column::Currency,
        "barcode" => Column::Barcode,
        "images" => Column::Images,
        _ => match (name.strip_prefix("attr."), name.strip_prefix("option.")) {
            (Some(attribute), _) if !attribute.is_empty() => {
                Column::Attribute(attribute.to_owned())
            }
            (_, Some(option)) if !option.is_empty() => Column::Option(option.to_owned()),
            (_, _) => return None,
        },
    })
}

/// Joins neighbouring rows with the same `product` cell into one row. Each of them is a variant.
#[derive(Debug)]
pub(crate) struct RowGrouper {
    columns: Columns,
    open: Option<(String, usize, Row)>,
}

impl RowGrouper {
    pub(crate) fn new(columns: Columns) -> Self {
        Self { columns, open: None }
    }

    /// Reads the next row, and adds the completed groups to `rows`.
    pub(crate) fn push(&mut self, row: Row, rows: &mut Vec<Row>) {
        // A truncated row is refused later for its length; it may not be valid CSV.
        let group = if row.bytes.len() > MAX_ROW { None } else { self.columns.group_of(&row) };
        if let Some((open, count, first)) = &mut self.open
            && group.as_ref() == Some(open)
        {
            *count += 1;
            if *count <= MAX_GROUP && first.bytes.len() <= MAX_ROW {
                first.bytes.push(b'\n');
                first.bytes.extend_from_slice(&row.bytes);
            }
            return;
        }
        rows.extend(self.open.take().map(|(_, _, row)| row));
        match group {
            Some(group) => self.open = Some((group, 1, row)),
            None => rows.push(row),
        }
    }

    /// Ends the body.
    pub(crate) fn finish(self, rows: &mut Vec<Row>) {
        rows.extend(self.open.map(|(_, _, row)| row));
    }
}

/// The draft that a group of rows describes. A product-level field takes the first non-empty cell of its
/// column.
pub(crate) fn draft_of_group(columns: &Columns, group: &[u8]) -> Result<Draft, String> {
    let mut draft = Draft {
        title: Localized::default(),
        description: Localized::default(),
        brand: None,
        category: String::new(),
        attributes: BTreeMap::new(),
        images: Vec::new(),
        status: ProductStatus::default(),
        variants: Vec::new(),
    };
    let mut status = None;
    for row in reader(group).into_records() {
        let row = row.map_err(|error| format!("the row is not CSV in UTF-8: {error}"))?;
        if row.len() != columns.0.len() {
            return Err(format!("the row has {} cells, the header {}", row.len(), columns.0.len()));
        }
        let cells =
            || columns.0.iter().zip(row.iter().map(str::trim)).filter(|(_, cell)| !cell.is_empty());
        draft.variants.push(variant_of(cells())?);
        for (column, cell) in cells() {
            let text = cell.to_owned();
            match column {
                Column::TitleZh => first(&mut draft.title.zh, text),
                Column::TitleEn => first(&mut draft.title.en, text),
                Column::DescriptionZh => first(&mut draft.description.zh, text),
                Column::DescriptionEn => first(&mut draft.description.en, text),
                Column::Brand => first(&mut draft.brand, text),
                Column::Status => first(&mut status, text),
                Column::Category if draft.category.is_empty() => draft.category = text,
                Column::Images if draft.images.is_empty() => {
                    draft.images = cell.split_whitespace().map(str::to_owned).collect();
                }
                Column::Attribute(name) => {
                    draft.attributes.entry(name.clone()).or_insert(DraftAttribute::Text(text));
                }
                // Fields that an earlier row has set, and fields of the variant.
                Column::Category
                | Column::Images
                | Column::Product
                | Column::Sku
                | Column::Price
                | Column::Currency
                | Column::Barcode
                | Column::Option(_) => {}
            }
        }
    }
    if let Some(status) = status {
        draft.status =
            ProductStatus::parse(&status).ok_or("status: must be draft, active or archived")?;
    }
    Ok(draft)
}

/// The variant of a row.
fn variant_of<'a>(
    cells: impl Iterator<Item = (&'a Column, &'a str)>,
) -> Result<DraftVariant, String> {
    let (mut sku, mut currency, mut barcode) = (String::new(), "CNY".to_owned(), None);
    let (mut amount, mut options) = (None, BTreeMap::new());
    for (column, cell) in cells {
        let text = cell.to_owned();
        match column {
            Column::Sku => sku = text,
            Column::Currency => currency = text,
            Column::Barcode => barcode = Some(text),
            Column::Option(name) => drop(options.insert(name.clone(), text)),
            Column::Price => {
                amount = Some(minor_units(cell).ok_or("price: must be a number such as 129.00")?);
            }
            Column::TitleZh
            | Column::TitleEn
            | Column::DescriptionZh
            | Column::DescriptionEn
            | Column::Brand
            | Column::Status
            | Column::Category
            | Column::Images
            | Column::Attribute(_)
            | Column::Product => {}
        }
    }
    let amount = amount.ok_or("price: is required")?;
    Ok(DraftVariant { sku, options, price: DraftPrice { amount, currency }, barcode })
}

/// Keeps the first text.
fn first(place: &mut Option<String>, text: String) {
    place.get_or_insert(text);
}

/// Parses `129`, `129.5` or `129.00` as hundredths.
fn minor_units(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) || part.len() > 2 {
        return None;
    }
    let part = part.parse::<i64>().ok()? * if part.len() == 1 { 10 } else { 1 };
    Some(sign * whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(part)?)
}

fn cells(row: &[u8]) -> Option<csv::StringRecord> {
    reader(row).into_records().next()?.ok()
}

fn reader(rows: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(rows.len().max(1))
        .from_reader(rows)
}

#[cfg(test)]
mod tests {
    use super::{Columns, InvalidHeader, MAX_GROUP, Row, RowGrouper, draft_of_group, minor_units};

    fn row(line: i64, text: &str) -> Row {
        Row { line, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn every_column_of_the_header_must_be_known() {
        let refusal = |header: &str| Columns::parse(header.as_bytes()).unwrap_err();
        assert_eq!(refusal("sku,colour"), InvalidHeader::Unknown("colour".to_owned()));
        assert_eq!(refusal("sku,attr."), InvalidHeader::Unknown("attr.".to_owned()));
        assert_eq!(refusal("sku,sku"), InvalidHeader::Repeated("sku".to_owned()));
        assert_eq!(refusal("sku,title_en,category"), InvalidHeader::Missing);
        assert!(Columns::parse(b"sku, title_zh ,category,price,attr.x,option.x").is_ok());
    }

    #[test]
    fn neighbouring_rows_with_the_same_product_are_variants() {
        let header = b"product,sku,title_en,category,price,option.size,attr.weight,images,status";
        let columns = Columns::parse(header).unwrap();
        let (mut grouper, mut rows) = (RowGrouper::new(columns.clone()), Vec::new());
        for (line, text) in (2..).zip([
            "p,A,Shirt,a/b,12.5,S,\"1 kg\",http://x http://y,draft",
            "p,B,,,13,M,,,",
            ",C,Cup,a,1.00,,,,",
            "p,D,Hat,a,2,,,,",
        ]) {
            grouper.push(row(line, text), &mut rows);
        }
        grouper.finish(&mut rows);
        let lines: Vec<i64> = rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 4, 5]);
        let shirt = draft_of_group(&columns, &rows[0].bytes).unwrap().validate().unwrap();
        let prices: Vec<i64> =
            shirt.variants.iter().map(|variant| variant.price.amount()).collect();
        assert_eq!((prices, shirt.images.len()), (vec![1250, 1300], 2));
        assert_eq!(shirt.variants[1].options["size"], "M");
        assert_eq!(shirt.status.as_str(), "draft");
    }

    #[test]
    fn size_of_a_group_is_bounded() {
        let columns = Columns::parse(b"product,sku,title_en,category,price").unwrap();
        let (mut grouper, mut rows) = (RowGrouper::new(columns.clone()), Vec::new());
        for line in 0..500 {
            grouper.push(row(line, &format!("p,S{line},T,a,1")), &mut rows);
        }
        grouper.finish(&mut rows);
        assert_eq!(rows.len(), 1);
        let draft = draft_of_group(&columns, &rows[0].bytes).unwrap();
        assert_eq!(draft.variants.len(), MAX_GROUP);
        assert_eq!(draft.validate().unwrap_err()[0].code, "too_many");
    }

    #[test]
    fn invalid_rows_report_the_reason() {
        let columns = Columns::parse(b"sku,title_en,category,price").unwrap();
        for (bad, reason) in [
            ("A,T,a", "the row has 3 cells, the header 4"),
            ("A,T,a,", "price: is required"),
            ("A,T,a,1.234", "price: must be a number such as 129.00"),
        ] {
            assert_eq!(draft_of_group(&columns, bad.as_bytes()).unwrap_err(), reason);
        }
    }

    #[test]
    fn prices_are_parsed_exactly() {
        let cases =
            [("129", Some(12900)), ("129.5", Some(12950)), ("0.07", Some(7)), ("-1.5", Some(-150))];
        for (text, amount) in cases {
            assert_eq!(minor_units(text), amount, "{text}");
        }
        for bad in ["", ".", "1.", ".5", "1,5", "1e3", "1.005", "99999999999999999999"] {
            assert_eq!(minor_units(bad), None, "{bad}");
        }
    }
}
