//! Reads a sheet of an .xlsx workbook: the same records as those of a text file.
//!
//! A workbook is a ZIP archive with its directory at the end, so it is held until it is complete. It is unpacked
//! twice: first to measure it, because a small archive may contain gigabytes, then cell by cell.

use std::{
    io::{Cursor, Read},
    mem,
};

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetType, SheetVisible, Xlsx};
use chrono::{NaiveTime, Timelike as _};
use zip::ZipArchive;

use super::{
    import_settings::ImportSettings,
    product_file::{FileLayout, InvalidFile},
    product_table::{CELL_ERROR, ProductTable},
    record_reader::Record,
};
use crate::domain::{MAX_ROW, RefusedRow, Row};

/// The maximum size of a workbook, in bytes.
const MAX_PACKED: usize = 64 * 1024 * 1024;
/// The maximum size of its parts together, unpacked.
const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
/// The maximum size of a part that is held in memory, unpacked: all but the sheets.
const MAX_HELD: u64 = 64 * 1024 * 1024;
/// The maximum number of cells, and of the bytes of their texts: many cells may share one text.
const MAX_CELLS: u64 = 20_000_000;
const MAX_TEXT: usize = 512 * 1024 * 1024;
/// The number of columns of a sheet.
const MAX_COLUMNS: usize = 16_384;
/// The maximum number of sheets named in a refusal.
const MAX_NAMED: usize = 20;
/// The number of rows that are handed over together.
const ROWS_AT_ONCE: usize = 500;
/// A string takes at least this many bytes in the table of strings.
const MIN_STRING: usize = 5;
/// The name of the encoding in the layout of a workbook.
const ENCODING: &str = "XLSX";

/// A workbook that arrives in pieces.
pub(crate) struct Workbook {
    bytes: Vec<u8>,
    /// None: the first visible one.
    sheet: Option<String>,
    settings: ImportSettings,
}

/// Where the rows of a workbook go; false to stop reading.
pub(crate) trait RowSink: FnMut(Vec<Row>) -> bool {}

impl<F: FnMut(Vec<Row>) -> bool> RowSink for F {}

impl Workbook {
    pub(crate) fn new(sheet: Option<String>, settings: ImportSettings) -> Self {
        Self { bytes: Vec::new(), sheet, settings }
    }

    /// Keeps the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), InvalidFile> {
        if self.bytes.len() + piece.len() > MAX_PACKED {
            let limit = format!("a workbook may have at most {MAX_PACKED} bytes");
            return Err(InvalidFile::TooLarge(limit));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Reads the complete workbook, which takes a while. Returns its layout, and warnings about its columns.
    pub(crate) fn read(
        self,
        mut sink: impl RowSink,
    ) -> Result<(FileLayout, Vec<String>), InvalidFile> {
        if self.bytes.is_empty() {
            return Err(InvalidFile::Empty);
        }
        let Self { bytes, sheet, settings } = self;
        measure(&bytes)?;
        let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(not_a_workbook)?;
        let sheet = sheet_name(&workbook, sheet)?;
        let mut reader = workbook.worksheet_cells_reader(&sheet).map_err(not_a_workbook)?;
        let mut table = SheetTable { settings: Some(settings), table: None, text: 0 };
        let (mut rows, mut line, mut cells) = (Vec::new(), 0, Vec::new());
        let mut count = 0_u64;
        while let Some(cell) = reader.next_cell().map_err(not_a_workbook)? {
            let (row, column) = cell.get_position();
            let next_line = i64::from(row) + 1;
            if next_line != line {
                table.push(line, mem::take(&mut cells), &mut rows)?;
                line = next_line;
            }
            if rows.len() >= ROWS_AT_ONCE && !sink(mem::take(&mut rows)) {
                return Err(InvalidFile::Empty);
            }
            count += 1;
            if count > MAX_CELLS {
                let limit = format!("a sheet may have at most {MAX_CELLS} cells");
                return Err(InvalidFile::TooLarge(limit));
            }
            let column = usize::try_from(column).unwrap_or(MAX_COLUMNS);
            if column >= MAX_COLUMNS {
                return Err(InvalidFile::NotText("a sheet with a column too many".to_owned()));
            }
            let text = text_of(cell.get_value());
            if !text.trim().is_empty() {
                if cells.len() <= column {
                    cells.resize(column + 1, String::new());
                }
                cells[column] = text;
            }
        }
        table.push(line, cells, &mut rows)?;
        let finished = table.table.ok_or(InvalidFile::Empty)?.finish(ENCODING, &mut rows)?;
        sink(rows);
        Ok(finished)
    }
}

/// The records of a sheet. The first row that is not empty is the header.
struct SheetTable {
    /// Until the header is read.
    settings: Option<ImportSettings>,
    table: Option<ProductTable>,
    /// The bytes of all texts.
    text: usize,
}

impl SheetTable {
    fn push(
        &mut self,
        line: i64,
        mut cells: Vec<String>,
        rows: &mut Vec<Row>,
    ) -> Result<(), InvalidFile> {
        if cells.is_empty() {
            return Ok(());
        }
        let size: usize = cells.iter().map(String::len).sum();
        self.text += size;
        if self.text > MAX_TEXT {
            let limit = format!("the texts of a sheet may have at most {MAX_TEXT} bytes");
            return Err(InvalidFile::TooLarge(limit));
        }
        if let Some(table) = &mut self.table {
            if size > MAX_ROW {
                let reason = format!("the row is longer than {MAX_ROW} bytes");
                return table.refuse(RefusedRow::new(line, reason), rows);
            }
            // A sheet does not store the empty cells at the end of a row.
            if cells.len() < table.columns().len() {
                cells.resize(table.columns().len(), String::new());
            }
            return table.push(Record { line, cells }, rows);
        }
        if size > MAX_ROW {
            return Err(InvalidFile::NotText("a sheet whose first row is too long".to_owned()));
        }
        let settings = self.settings.take().unwrap_or_default();
        self.table = Some(ProductTable::new(cells, settings, ',', ENCODING)?);
        Ok(())
    }
}

/// Unpacks all parts without keeping them, to refuse an archive that would fill the memory.
fn measure(bytes: &[u8]) -> Result<(), InvalidFile> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_a_workbook)?;
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).map_err(not_a_workbook)?;
        let name = part.name().map_err(not_a_workbook)?.to_lowercase();
        let limit = if name.contains("worksheets/") { left } else { left.min(MAX_HELD) };
        let unpacked = if name.ends_with("sharedstrings.xml") {
            let mut strings = Vec::new();
            part.by_ref().take(limit + 1).read_to_end(&mut strings).map_err(not_a_workbook)?;
            check_strings(&strings)?;
            u64::try_from(strings.len()).unwrap_or(u64::MAX)
        } else {
            std::io::copy(&mut part.by_ref().take(limit + 1), &mut std::io::sink())
                .map_err(not_a_workbook)?
        };
        if unpacked > limit {
            let limit = format!(
                "the parts of a workbook may have at most {MAX_UNPACKED} bytes unpacked, its texts {MAX_HELD}"
            );
            return Err(InvalidFile::TooLarge(limit));
        }
        left -= unpacked;
    }
    Ok(())
}

/// Refuses a table of strings that announces more strings than it can have: the reader reserves memory for them.
fn check_strings(xml: &[u8]) -> Result<(), InvalidFile> {
    const COUNT: &[u8] = b"uniqueCount";
    let invalid = || InvalidFile::NotText("a workbook with an invalid table of strings".to_owned());
    if xml.contains(&0) {
        return Err(invalid());
    }
    for (at, _) in xml.windows(COUNT.len()).enumerate().filter(|(_, window)| *window == COUNT) {
        let rest = &xml[at + COUNT.len()..];
        let is_filler = |byte: &u8| byte.is_ascii_whitespace() || b"='\"+".contains(byte);
        let digits = rest.iter().skip_while(|byte| is_filler(byte));
        let digits: Vec<u8> = digits.take_while(|byte| byte.is_ascii_digit()).copied().collect();
        let digits = String::from_utf8_lossy(&digits);
        let digits = digits.trim_start_matches('0');
        let is_possible = digits.is_empty()
            || digits.parse().is_ok_and(|count: usize| count <= xml.len() / MIN_STRING);
        if !is_possible {
            return Err(invalid());
        }
    }
    Ok(())
}

/// The sheet that the client names, or the first visible one.
fn sheet_name<R: std::io::Read + std::io::Seek>(
    workbook: &Xlsx<R>,
    wanted: Option<String>,
) -> Result<String, InvalidFile> {
    let sheets = workbook.sheets_metadata().iter();
    let mut sheets = sheets.filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let Some(wanted) = wanted else {
        let first = sheets.find(|sheet| sheet.visible == SheetVisible::Visible);
        return first.map(|sheet| sheet.name.clone()).ok_or(InvalidFile::Empty);
    };
    let names: Vec<String> = sheets.map(|sheet| sheet.name.clone()).collect();
    if names.contains(&wanted) {
        return Ok(wanted);
    }
    Err(InvalidFile::UnknownSheet(wanted, names.into_iter().take(MAX_NAMED).collect()))
}

fn not_a_workbook(error: impl std::error::Error) -> InvalidFile {
    InvalidFile::NotText(format!("no .xlsx workbook: {error}"))
}

/// A value as a text file would have it.
fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number_text(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(flag) => flag.to_string(),
        DataRef::DateTime(time) => time_text(time),
        DataRef::Error(error) => format!("{CELL_ERROR}{error}"),
        DataRef::Empty => String::new(),
    }
}

/// A number without an exponent, with the 15 digits that a spreadsheet shows: 6901234567892, 59.97.
fn number_text(number: f64) -> String {
    let rounded: Option<f64> = format!("{number:.14e}").parse().ok();
    rounded.unwrap_or(number).to_string()
}

/// A day as `2026-12-01`, a time as `2026-12-01T10:00:00`.
fn time_text(time: &ExcelDateTime) -> String {
    let moment = time.as_datetime().filter(|_| time.is_datetime());
    // The fraction of a day is not exact.
    let moment = moment.map(|moment| {
        let half = chrono::TimeDelta::milliseconds(500);
        let moment = moment.checked_add_signed(half).unwrap_or(moment);
        moment.with_nanosecond(0).unwrap_or(moment)
    });
    match moment {
        Some(moment) if moment.time() == NaiveTime::MIN => moment.date().to_string(),
        Some(moment) => moment.format("%Y-%m-%dT%H:%M:%S").to_string(),
        None => number_text(time.as_f64()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::{InvalidFile, Row, Workbook, number_text};
    use crate::domain::{Content, FileRow, ImportSettings, product_of_row};

    const NAMESPACE: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

    /// A workbook of sheets with these names and rows; the strings are shared.
    fn workbook(sheets: &[(&str, &str)], strings: &str) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let mut add = |name: &str, text: &str| {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        };
        let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let package = "http://schemas.openxmlformats.org/package/2006/relationships";
        add(
            "_rels/.rels",
            &format!(
                r#"<Relationships xmlns="{package}"><Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        );
        for (number, (_, rows)) in sheets.iter().enumerate() {
            add(
                &format!("xl/worksheets/s{number}.xml"),
                &format!(
                    r#"<worksheet xmlns="{NAMESPACE}"><sheetData>{rows}</sheetData></worksheet>"#
                ),
            );
        }
        let numbered = || sheets.iter().enumerate();
        let listed: Vec<String> = numbered()
            .map(|(number, (name, _))| {
                format!(r#"<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>"#)
            })
            .collect();
        let relations: Vec<String> = numbered()
            .map(|(number, _)| {
                format!(
                    r#"<Relationship Id="r{number}" Type="{office}/worksheet" Target="worksheets/s{number}.xml"/>"#
                )
            })
            .collect();
        add(
            "xl/workbook.xml",
            &format!(
                r#"<workbook xmlns="{NAMESPACE}" xmlns:r="{office}"><sheets>{}</sheets></workbook>"#,
                listed.concat()
            ),
        );
        add(
            "xl/_rels/workbook.xml.rels",
            &format!(r#"<Relationships xmlns="{package}">{}</Relationships>"#, relations.concat()),
        );
        add(
            "xl/styles.xml",
            &format!(
                r#"<styleSheet xmlns="{NAMESPACE}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>"#
            ),
        );
        add("xl/sharedStrings.xml", strings);
        zip.finish().unwrap().into_inner()
    }

    fn no_strings() -> String {
        format!(r#"<sst xmlns="{NAMESPACE}"></sst>"#)
    }

    type Products = (Vec<Content>, Vec<(i64, String)>);

    fn read(bytes: &[u8], sheet: Option<&str>) -> Result<Products, InvalidFile> {
        let mut workbook = Workbook::new(sheet.map(str::to_owned), ImportSettings::default());
        for piece in bytes.chunks(1_000) {
            workbook.push(piece)?;
        }
        let mut rows: Vec<Row> = Vec::new();
        let (layout, _) = workbook.read(|more| {
            rows.extend(more);
            true
        })?;
        let columns = layout.columns().unwrap();
        let (mut products, mut refused) = (Vec::new(), Vec::new());
        for row in rows {
            let row = FileRow::decode(&row.bytes).unwrap();
            match product_of_row(&columns, &row).and_then(|product| product.to_draft()) {
                Ok(draft) => products.push(draft.validate().unwrap()),
                Err(row) => refused.push((row.line, row.reason)),
            }
        }
        Ok((products, refused))
    }

    /// A row of cells of text.
    fn header(names: &[&str]) -> String {
        let cells =
            names.iter().map(|name| format!(r#"<c t="inlineStr"><is><t>{name}</t></is></c>"#));
        format!(r#"<row r="2">{}</row>"#, cells.collect::<String>())
    }

    #[test]
    fn numbers_dates_and_empty_rows_are_read() {
        let names = ["sku", "title", "category", "price", "barcode", "sale_price", "sale_end"];
        let rows = header(&names)
            + r#"<row r="4"><c r="A4" t="s"><v>0</v></c><c r="B4" t="s"><v>1</v></c><c r="C4" t="s"><v>0</v></c>
                <c r="D4"><v>59.970000000000006</v></c><c r="E4"><v>6901234567892</v></c><c r="F4"><v>5.5</v></c>
                <c r="G4" s="1"><v>82800.25</v></c></row>
              <row r="5"><c r="A5"/><c r="C5" t="inlineStr"><is><t> </t></is></c></row>
              <row r="9"><c r="A9"><v>12345</v></c><c r="B9" t="s"><v>1</v></c><c r="C9" t="s"><v>0</v></c>
                <c r="D9" t="e"><v>#REF!</v></c></row>
              <row r="10"><c r="A10"><v>7</v></c><c r="D10"><v>1</v></c><c r="J10"><v>1</v></c></row>"#;
        let strings = format!(
            r#"<sst xmlns="{NAMESPACE}" uniqueCount="2"><si><t>A</t></si><si><t>杯</t></si></sst>"#
        );
        let (products, refused) = read(&workbook(&[("S", &rows)], &strings), None).unwrap();
        let variant = &products[0].variants[0];
        assert_eq!((variant.sku.as_str(), variant.price.amount()), ("A", 5_997));
        assert_eq!(variant.barcode.as_deref(), Some("6901234567892"));
        let end = variant.sale.as_ref().unwrap().ends_at.unwrap();
        assert_eq!(end.to_rfc3339(), "2126-09-10T22:00:00+00:00");
        let expected = [
            (9, "the cell in `price` has the error #REF! of the spreadsheet".to_owned()),
            (10, "the row has 10 cells, the header 7".to_owned()),
        ];
        assert_eq!((products.len(), refused), (1, expected.to_vec()));
    }

    #[test]
    fn sheet_is_chosen_by_name() {
        let rows = |sku: &str| {
            header(&["sku", "title", "category", "price"])
                + &format!(
                    r#"<row r="3"><c t="inlineStr"><is><t>{sku}</t></is></c><c t="inlineStr"><is><t>T</t></is></c>
                    <c t="inlineStr"><is><t>a</t></is></c><c><v>1</v></c></row>"#
                )
        };
        let (first, second) = (rows("ONE"), rows("TWO"));
        let bytes = workbook(&[("商品", &first), ("More", &second)], &no_strings());
        let sku = |sheet| read(&bytes, sheet).unwrap().0[0].variants[0].sku.to_string();
        assert_eq!((sku(None), sku(Some("More"))), ("ONE".to_owned(), "TWO".to_owned()));
        let names = vec!["商品".to_owned(), "More".to_owned()];
        let unknown = InvalidFile::UnknownSheet("Less".to_owned(), names);
        assert_eq!(read(&bytes, Some("Less")).unwrap_err(), unknown);
    }

    #[test]
    fn what_is_no_workbook_is_refused() {
        let empty = workbook(&[("S", "")], &no_strings());
        assert_eq!(read(&empty, None).unwrap_err(), InvalidFile::Empty);
        assert_eq!(read(b"", None).unwrap_err(), InvalidFile::Empty);
        for bytes in [b"sku,title\nA,B\n".as_slice(), b"PK\x03\x04 broken", &empty[..100]] {
            assert!(matches!(read(bytes, None), Err(InvalidFile::NotText(_))));
        }
        let far = r#"<row r="1"><c r="ZZZZ1"><v>1</v></c></row>"#;
        let far = workbook(&[("S", far)], &no_strings());
        assert!(matches!(read(&far, None), Err(InvalidFile::NotText(_))));
    }

    #[test]
    fn archives_that_would_fill_the_memory_are_refused() {
        let zeros = " ".repeat(65 * 1024 * 1024);
        let bomb = workbook(&[("S", "")], &zeros);
        assert!(bomb.len() < 1024 * 1024);
        assert!(matches!(read(&bomb, None), Err(InvalidFile::TooLarge(_))));
        for count in ["99999999999", "99999999999999999999999"] {
            let strings = format!(r#"<sst xmlns="{NAMESPACE}" uniqueCount = "{count}"></sst>"#);
            let announced = workbook(&[("S", "")], &strings);
            assert!(matches!(read(&announced, None), Err(InvalidFile::NotText(_))));
        }
        let mut large = Workbook::new(None, ImportSettings::default());
        let piece = vec![0; 1024 * 1024];
        let pieces = (0..65).map(|_| large.push(&piece));
        assert!(matches!(pieces.last(), Some(Err(InvalidFile::TooLarge(_)))));
    }

    #[test]
    fn numbers_have_no_exponent() {
        for (number, text) in [
            (6_901_234_567_892.0, "6901234567892"),
            (0.1 + 0.2, "0.3"),
            (1e20, "100000000000000000000"),
            (129.0, "129"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }
}
