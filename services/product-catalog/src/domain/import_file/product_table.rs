//! The part of a product file below its header: records become rows, each with the records of one product.

use super::{
    columns::{Columns, InvalidHeader},
    file_row::{Entry, encode_names},
    import_settings::ImportSettings,
    product_file::{FileLayout, InvalidFile},
    record_reader::{Record, RowShape as _},
    refused_file::{REASON, unguard},
    row_grouper::RowGrouper,
    text_decoder::UNDECODABLE,
};
use crate::domain::{MAX_ROW, RefusedRow, Row};

/// Begins a cell of a workbook that has an error instead of a value. It is a code point that no text may
/// contain.
pub(super) const CELL_ERROR: char = '\u{FDD1}';

/// Divides the records of a file into products.
pub(super) struct ProductTable {
    settings: ImportSettings,
    delimiter: char,
    header: Vec<String>,
    columns: Columns,
    grouper: RowGrouper,
    /// Which columns without a place in the catalogue have values.
    has_values: Vec<bool>,
    is_empty: bool,
    /// Whether it is a corrected file of refused rows, whose cells are guarded.
    is_refused_file: bool,
}

impl ProductTable {
    /// Reads the header.
    pub(super) fn new(
        mut header: Vec<String>,
        settings: ImportSettings,
        delimiter: char,
        encoding: &'static str,
    ) -> Result<Self, InvalidFile> {
        if header.iter().any(|name| name.contains('\0')) {
            return Err(InvalidFile::NotText("the file is binary".to_owned()));
        }
        if header.iter().any(|name| name.contains(UNDECODABLE)) {
            return Err(InvalidHeader::Undecodable(encoding).into());
        }
        // Spreadsheets pad a header with empty cells.
        while header.last().is_some_and(|name| name.trim().is_empty()) && header.len() > 1_000 {
            header.pop();
        }
        let columns = Columns::read(&header, &settings, delimiter)?;
        columns.require()?;
        let grouper = RowGrouper::new(columns.can_group());
        let is_refused_file = header.iter().any(|name| name.trim() == REASON);
        let (has_values, is_empty) = (Vec::new(), true);
        Ok(Self {
            settings,
            delimiter,
            header,
            columns,
            grouper,
            has_values,
            is_empty,
            is_refused_file,
        })
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Adds a record. Complete products are added to `rows`.
    pub(super) fn push(&mut self, record: Record, rows: &mut Vec<Row>) -> Result<(), InvalidFile> {
        self.is_empty = false;
        let Record { line, mut cells } = record;
        if self.is_refused_file {
            cells.iter_mut().for_each(unguard);
        }
        let keys = self.columns.keys_of(&cells);
        let entry = if let Some(reason) = self.fault(&cells) {
            Entry::Refused(RefusedRow::new(line, reason), cells)
        } else {
            cells.truncate(self.columns.len());
            self.columns.note_values(&cells, &mut self.has_values);
            Entry::Record(Record { line, cells })
        };
        Ok(self.grouper.push(keys, &entry, rows)?)
    }

    /// Adds a record that cannot be read.
    pub(super) fn refuse(
        &mut self,
        refused: RefusedRow,
        rows: &mut Vec<Row>,
    ) -> Result<(), InvalidFile> {
        self.is_empty = false;
        Ok(self.grouper.push(Vec::new(), &Entry::Refused(refused, Vec::new()), rows)?)
    }

    /// Ends the file. Returns its layout, and warnings about its columns.
    pub(super) fn finish(
        self,
        encoding: &str,
        rows: &mut Vec<Row>,
    ) -> Result<(FileLayout, Vec<String>), InvalidFile> {
        if self.is_empty {
            return Err(InvalidFile::Empty);
        }
        let warnings = self.columns.warnings(&self.has_values);
        self.grouper.finish(rows);
        let layout = FileLayout {
            header: encode_names(&self.header),
            delimiter: self.delimiter,
            settings: self.settings,
            encoding: encoding.to_owned(),
            is_raw: false,
        };
        Ok((layout, warnings))
    }

    /// Why a record is refused.
    fn fault(&self, cells: &[String]) -> Option<String> {
        let (width, name) = (self.columns.len(), |index| self.columns.name(index));
        if !self.columns.fits(cells) {
            return Some(format!("the row has {} cells, the header {width}", cells.len()));
        }
        if let Some(index) = cells.iter().position(|cell| cell.contains(UNDECODABLE)) {
            let name = name(index);
            return Some(format!("the cell in `{name}` is not valid in the encoding of the file"));
        }
        let mut errors = cells.iter().enumerate();
        if let Some((index, error)) =
            errors.find_map(|(index, cell)| Some((index, cell.strip_prefix(CELL_ERROR)?)))
        {
            let name = name(index);
            return Some(format!("the cell in `{name}` has the error {error} of the spreadsheet"));
        }
        if cells.iter().map(String::len).sum::<usize>() > MAX_ROW {
            return Some(format!("the row is longer than {MAX_ROW} bytes"));
        }
        let number = self.columns.unnamed_value(cells)?;
        Some(format!("column {number} has a value, but no name in the header"))
    }
}
