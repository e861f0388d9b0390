//! The file of refused rows, to correct and to send again.

use super::file_row::{Entry, FileRow};
use crate::domain::RefusedRow;

/// The names of the columns before those of the original file.
const LINE: &str = "refused_line";
pub(super) const REASON: &str = "refused_reason";

/// The refused rows as CSV: line, reason, and the cells under `header`. A body of NDJSON has no header; its
/// lines are one cell.
pub(crate) fn refused_file(header: Option<&[String]>, rows: &[RefusedRow]) -> Vec<u8> {
    // A byte order mark makes spreadsheets read UTF-8.
    let mut file = "\u{feff}".as_bytes().to_vec();
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(&mut file);
    let lines = [String::from("row")];
    let names = header.unwrap_or(&lines);
    // Writing to memory does not fail.
    let mut write = |line: &str, reason: &str, cells: &[String]| {
        let first = [line.to_owned(), reason.to_owned()];
        let _ = writer.write_record(first.into_iter().chain(cells.iter().cloned()).map(guarded));
    };
    write(LINE, REASON, names);
    for row in rows {
        let line = row.line.to_string();
        if header.is_none() {
            let text = String::from_utf8_lossy(&row.source).into_owned();
            write(&line, &row.reason, &[text]);
            continue;
        }
        let entries = FileRow::decode(&row.source).map(|row| row.entries).unwrap_or_default();
        if entries.is_empty() {
            write(&line, &row.reason, &[]);
        }
        for entry in entries {
            let (own_line, cells) = match entry {
                Entry::Record(record) => (record.line, record.cells),
                Entry::Refused(refused, cells) => (refused.line, cells),
            };
            let is_it = own_line == row.line;
            let reason =
                if is_it { row.reason.clone() } else { format!("line {line}: {}", row.reason) };
            write(&own_line.to_string(), &reason, &cells);
        }
    }
    drop(writer);
    file
}

/// Whether a spreadsheet would read a cell as a formula, or would if it had no apostrophes before.
fn is_formula(cell: &str) -> bool {
    let marks = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    cell.trim_start_matches('\'').starts_with(marks)
}

/// A cell that no spreadsheet reads as a formula. An apostrophe of the cell itself gets another one, so that
/// [`unguard`] gives the cell back.
fn guarded(cell: String) -> String {
    if is_formula(&cell) { format!("'{cell}") } else { cell }
}

/// The inverse of [`guarded`].
pub(super) fn unguard(cell: &mut String) {
    if cell.starts_with('\'') && is_formula(cell) {
        cell.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::{RefusedRow, guarded, refused_file, unguard};
    use crate::domain::import_file::{file_row::Entry, record_reader::Record};

    #[test]
    fn refused_rows_have_their_cells_and_no_formulas() {
        let record = |line: i64, cells: &[&str]| {
            let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
            Entry::Record(Record { line, cells }).encode()
        };
        let source = [record(2, &["A", "=1+1"]), record(3, &["B", "x, y"])].concat();
        let rows = [
            RefusedRow { line: 3, reason: "price: is required".to_owned(), source },
            RefusedRow::new(9, "is longer than 5 bytes".to_owned()),
        ];
        let header = ["sku", "title"].map(str::to_owned);
        let text = String::from_utf8(refused_file(Some(&header), &rows)).unwrap();
        let expected = "\u{feff}refused_line,refused_reason,sku,title\n\
            2,line 3: price: is required,A,'=1+1\n\
            3,price: is required,B,\"x, y\"\n9,is longer than 5 bytes\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn guarded_cells_are_given_back() {
        for (cell, written) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("\t=1", "'\t=1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("5\"", "5\""),
            ("", ""),
        ] {
            let mut guarded = guarded(cell.to_owned());
            assert_eq!(guarded, written);
            unguard(&mut guarded);
            assert_eq!(guarded, cell);
        }
    }
}
