//! The stored form of a row: the records of one product.
//!
//! Records are stored as CSV with the line as first cell, so two parts of a product are joined by writing one
//! after the other.

use super::record_reader::Record;
use crate::domain::RefusedRow;

/// The first cell of a record that cannot be read.
const REFUSED: &str = "!";

/// One record of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Record(Record),
    /// A record that cannot be read, and its cells if they are known; its product is refused.
    Refused(RefusedRow, Vec<String>),
}

/// The records of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileRow {
    pub(super) entries: Vec<Entry>,
}

impl FileRow {
    /// Reads records of `width` cells as they came, which an earlier version of the service stored.
    pub(crate) fn decode_raw(line: i64, bytes: &[u8], width: usize) -> Result<Self, csv::Error> {
        let entries = records(bytes).map(|record| {
            let cells: Vec<String> = record?.iter().map(str::to_owned).collect();
            if cells.len() == width {
                return Ok(Entry::Record(Record { line, cells }));
            }
            let reason = format!("the row has {} cells, the header {width}", cells.len());
            Ok(Entry::Refused(RefusedRow::new(line, reason), cells))
        });
        Ok(Self { entries: entries.collect::<Result<_, csv::Error>>()? })
    }

    /// Reads the stored form.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, csv::Error> {
        let entries = records(bytes).map(|record| {
            let mut cells = record?.iter().map(str::to_owned).collect::<Vec<_>>().into_iter();
            let first = cells.next().unwrap_or_default();
            if first == REFUSED {
                let line = cells.next().and_then(|line| line.parse().ok()).unwrap_or_default();
                let refused = RefusedRow::new(line, cells.next().unwrap_or_default());
                return Ok(Entry::Refused(refused, cells.collect()));
            }
            let line = first.parse().unwrap_or_default();
            Ok(Entry::Record(Record { line, cells: cells.collect() }))
        });
        Ok(Self { entries: entries.collect::<Result<_, csv::Error>>()? })
    }
}

fn records(bytes: &[u8]) -> csv::StringRecordsIntoIter<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(bytes.len().max(1))
        .from_reader(bytes)
        .into_records()
}

impl Entry {
    /// The stored form.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let line = |line: i64| line.to_string();
        // Writing to memory does not fail.
        let written = match self {
            Self::Record(Record { line: number, cells }) => {
                let number = line(*number);
                writer.write_record(std::iter::once(&number).chain(cells))
            }
            Self::Refused(row, cells) => {
                let first = [REFUSED.to_owned(), line(row.line), row.reason.clone()];
                writer.write_record(first.iter().chain(cells))
            }
        };
        written.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default()
    }
}

/// Encodes the names of the columns.
pub(super) fn encode_names(names: &[String]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(names);
    written.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default()
}

/// Decodes the names of the columns.
pub(super) fn decode_names(bytes: &[u8]) -> Vec<String> {
    let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let names = reader.into_records().next().and_then(Result::ok);
    names.map(|names| names.iter().map(str::to_owned).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{Entry, FileRow, Record, RefusedRow};

    #[test]
    fn raw_rows_of_an_earlier_version_are_read() {
        let record = |cells: [&str; 2]| Record { line: 7, cells: cells.map(str::to_owned).into() };
        let row = FileRow::decode_raw(7, b"A,\"x\ny\"\nB,z", 2).unwrap();
        let expected = [record(["A", "x\ny"]), record(["B", "z"])].map(Entry::Record);
        assert_eq!(row.entries, expected);
        let row = FileRow::decode_raw(7, b"A", 2).unwrap();
        assert!(matches!(&row.entries[..], [Entry::Refused(row, _)] if row.line == 7));
    }

    proptest! {
        #[test]
        fn stored_rows_are_read_back(cells in vec(vec("[a,\"!\n\r中]{0,4}", 0..4), 1..4)) {
            let records = (1_i64..).zip(cells);
            let records = records.map(|(line, cells)| Entry::Record(Record { line, cells }));
            let refused = Entry::Refused(
                RefusedRow::new(7, "a \"mark\",\nopen".to_owned()),
                vec![String::new(), "x".to_owned()],
            );
            let entries: Vec<Entry> = records.chain([refused]).collect();
            let bytes: Vec<u8> = entries.iter().flat_map(Entry::encode).collect();
            prop_assert_eq!(FileRow::decode(&bytes).unwrap().entries, entries);
        }
    }
}
