//! Divides the text of a file into records.
//!
//! Well-formed files are read as RFC 4180 describes. The reader does not use the `csv` crate, because that
//! accepts any quotation mark: `"wireless" mouse` or a mark that is never closed would swallow the following
//! rows. Here a quotation mark that breaks the rules is a character, or its line is refused.

use std::collections::VecDeque;

use crate::domain::{MAX_ROW, RefusedRow};

/// The delimiters that are looked for; the first one wins if a header has the same number of each.
const DELIMITERS: [char; 3] = [',', ';', '\t'];

/// The cells of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The line on which the record begins, counted from 1.
    pub(super) line: i64,
    pub(super) cells: Vec<String>,
}

/// What is known of the rows of a file. It decides whether a quotation mark was meant as one.
pub(super) trait RowShape {
    /// Whether a row has the right number of cells.
    fn fits(&self, cells: &[String]) -> bool;
    /// Whether the cells are, beyond doubt, a row by themselves.
    fn is_row(&self, cells: &[String]) -> bool;
}

/// The header may have any form.
pub(super) struct HeaderShape;

impl RowShape for HeaderShape {
    fn fits(&self, _: &[String]) -> bool {
        true
    }

    fn is_row(&self, _: &[String]) -> bool {
        false
    }
}

/// One line of the text.
#[derive(Debug, Default)]
struct Line {
    number: i64,
    text: String,
    end: &'static str,
    /// Whether the line is longer than [`MAX_ROW`]; the rest was dropped.
    is_cut: bool,
}

/// How far the record at the front has been read.
#[derive(Debug, Default)]
struct Scan {
    cells: Vec<String>,
    /// The content of the quoted cell that is still open.
    open: Option<String>,
    lines: usize,
    bytes: usize,
}

/// The state of a record after one more line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanStep {
    Complete,
    /// A quoted cell continues on the next line.
    Open,
    /// A character follows the closing quotation mark of a cell.
    Malformed,
}

/// Reads records from text that arrives in pieces.
#[derive(Debug)]
pub(super) struct RecordReader {
    prefers_tabs: bool,
    delimiter: Option<char>,
    line: Line,
    /// Whether the last piece ended with CR; the next one may continue with LF.
    after_cr: bool,
    lines: VecDeque<Line>,
    scan: Scan,
}

impl RecordReader {
    /// `prefers_tabs`: the client says that tabs divide the cells.
    pub(super) fn new(prefers_tabs: bool) -> Self {
        let line = Line { number: 1, ..Line::default() };
        let (lines, scan) = (VecDeque::new(), Scan::default());
        Self { prefers_tabs, delimiter: None, line, after_cr: false, lines, scan }
    }

    /// The delimiter; a comma before the header has arrived.
    pub(super) fn delimiter(&self) -> char {
        self.delimiter.unwrap_or(',')
    }

    /// Adds text. Lines end with LF, CRLF or CR.
    pub(super) fn push(&mut self, mut text: &str) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.after_cr) {
            let after = text.strip_prefix('\n');
            self.end_line(if after.is_some() { "\r\n" } else { "\r" });
            text = after.unwrap_or(text);
        }
        while let Some(at) = text.find(['\r', '\n']) {
            self.append(&text[..at]);
            let end = &text[at..];
            if end == "\r" {
                self.after_cr = true;
                return;
            }
            let ends = [("\r\n", "\r\n"), ("\r", "\r"), ("\n", "\n")];
            let found = ends
                .into_iter()
                .find_map(|(prefix, name)| end.strip_prefix(prefix).map(|rest| (name, rest)));
            let (name, rest) = found.unwrap_or(("\n", ""));
            self.end_line(name);
            text = rest;
        }
        self.append(text);
    }

    /// Ends the text. The last line may have no line end.
    pub(super) fn finish(&mut self) {
        let end = if std::mem::take(&mut self.after_cr) { "\r" } else { "" };
        self.end_line(end);
    }

    fn append(&mut self, part: &str) {
        let room = (MAX_ROW + 1).saturating_sub(self.line.text.len());
        let kept = part.floor_char_boundary(room);
        self.line.is_cut |= kept < part.len();
        self.line.text.push_str(&part[..kept]);
    }

    fn end_line(&mut self, end: &'static str) {
        let next = Line { number: self.line.number + 1, ..Line::default() };
        let line = std::mem::replace(&mut self.line, next);
        self.lines.push_back(Line { end, ..line });
    }

    /// Reads the next record; none if its lines have not arrived. Blank lines and lines of empty cells are
    /// passed over. One record may be refused as several lines.
    pub(super) fn next(
        &mut self,
        at_end: bool,
        shape: &impl RowShape,
        refused: &mut Vec<RefusedRow>,
    ) -> Option<Record> {
        loop {
            if self.scan.lines == 0 {
                self.pass_blank_lines();
            }
            self.lines.front()?;
            let delimiter = self.delimiter();
            let step = loop {
                if self.scan.bytes > MAX_ROW {
                    break ScanStep::Malformed;
                }
                match self.lines.get(self.scan.lines) {
                    Some(line) => match self.scan.read(line, delimiter) {
                        ScanStep::Open => {}
                        step @ (ScanStep::Complete | ScanStep::Malformed) => break step,
                    },
                    None if at_end => break ScanStep::Malformed,
                    None => return None,
                }
            };
            let scan = std::mem::take(&mut self.scan);
            let record = if step == ScanStep::Complete && scan.bytes <= MAX_ROW {
                self.complete(scan, shape, refused)
            } else {
                self.recover(shape, refused)
            };
            if record.is_some() {
                return record;
            }
        }
    }

    /// Passes over blank lines, and reads the delimiter off the first other line.
    fn pass_blank_lines(&mut self) {
        while let Some(line) = self.lines.front() {
            if self.delimiter.is_none() {
                let text = line.text.trim();
                if let Some(delimiter) = excel_separator(text) {
                    self.delimiter = Some(delimiter);
                    self.lines.pop_front();
                    continue;
                }
                if !text.is_empty() {
                    self.delimiter = Some(delimiter_of(&line.text, self.prefers_tabs));
                }
            }
            if !is_blank(&line.text, self.delimiter()) {
                return;
            }
            self.lines.pop_front();
        }
    }

    /// A record whose quotation marks are well-formed.
    fn complete(
        &mut self,
        scan: Scan,
        shape: &impl RowShape,
        refused: &mut Vec<RefusedRow>,
    ) -> Option<Record> {
        let first = self.lines.front()?;
        let line = first.number;
        let alone = |line: &Line| lenient_cells(&line.text, self.delimiter());
        let contains_row =
            self.lines.iter().take(scan.lines).skip(1).any(|line| shape.is_row(&alone(line)));
        let fits = shape.fits(&scan.cells);
        let is_literal = scan.lines > 1 && !fits && (contains_row || shape.fits(&alone(first)));
        if is_literal {
            return self.recover(shape, refused);
        }
        let lines = self.lines.drain(..scan.lines).filter(|line| !line.text.trim().is_empty());
        if contains_row {
            // Both readings are possible, and one of them would lose rows.
            let reason = format!(
                "a quotation mark in line {line} opens a cell that contains rows; write it twice if it is no opening mark"
            );
            refused.extend(lines.map(|line| RefusedRow::new(line.number, reason.clone())));
            return None;
        }
        drop(lines);
        let record = Record { line, cells: scan.cells };
        (!record.cells.iter().all(|cell| cell.trim().is_empty())).then_some(record)
    }

    /// Takes the first line alone, and its misplaced quotation marks literally.
    fn recover(&mut self, shape: &impl RowShape, refused: &mut Vec<RefusedRow>) -> Option<Record> {
        let line = self.lines.pop_front()?;
        if line.is_cut || line.text.len() > MAX_ROW {
            let reason = format!("is longer than {MAX_ROW} bytes");
            refused.push(RefusedRow::new(line.number, reason));
            return None;
        }
        let cells = lenient_cells(&line.text, self.delimiter());
        if !shape.fits(&cells) {
            let reason = "a quotation mark opens a cell that is not closed; write the mark twice";
            refused.push(RefusedRow::new(line.number, reason.to_owned()));
            return None;
        }
        Some(Record { line: line.number, cells })
    }
}

impl Scan {
    /// Reads one more line.
    fn read(&mut self, line: &Line, delimiter: char) -> ScanStep {
        self.lines += 1;
        self.bytes += line.text.len() + line.end.len() + usize::from(line.is_cut);
        let mut rest = line.text.as_str();
        loop {
            if let Some(open) = &mut self.open {
                let Some((content, after)) = rest.split_once('"') else {
                    open.push_str(rest);
                    open.push_str(line.end);
                    return ScanStep::Open;
                };
                open.push_str(content);
                if let Some(after) = after.strip_prefix('"') {
                    open.push('"');
                    rest = after;
                    continue;
                }
                self.cells.extend(self.open.take());
                let after = after.trim_start_matches(' ');
                if after.is_empty() {
                    return ScanStep::Complete;
                }
                let Some(next) = after.strip_prefix(delimiter) else { return ScanStep::Malformed };
                rest = next;
            } else if let Some(after) = rest.strip_prefix('"') {
                self.open = Some(String::new());
                rest = after;
            } else if let Some((cell, next)) = rest.split_once(delimiter) {
                self.cells.push(cell.to_owned());
                rest = next;
            } else {
                self.cells.push(rest.to_owned());
                return ScanStep::Complete;
            }
        }
    }
}

/// The cells of a line. A cell is quoted if its quotation marks are well-formed within the line; otherwise its
/// marks are characters.
fn lenient_cells(line: &str, delimiter: char) -> Vec<String> {
    let (mut cells, mut rest) = (Vec::new(), Some(line));
    while let Some(text) = rest {
        let (cell, next) = quoted_cell(text, delimiter).unwrap_or_else(|| {
            let split = text.split_once(delimiter);
            (split.map_or(text, |(cell, _)| cell).to_owned(), split.map(|(_, next)| next))
        });
        cells.push(cell);
        rest = next;
    }
    cells
}

/// A well-formed quoted cell at the start of `text`, with the text after its delimiter.
fn quoted_cell(text: &str, delimiter: char) -> Option<(String, Option<&str>)> {
    let (mut rest, mut cell) = (text.strip_prefix('"')?, String::new());
    loop {
        let (content, after) = rest.split_once('"')?;
        cell.push_str(content);
        if let Some(after) = after.strip_prefix('"') {
            cell.push('"');
            rest = after;
            continue;
        }
        let after = after.trim_start_matches(' ');
        if after.is_empty() {
            return Some((cell, None));
        }
        return after.strip_prefix(delimiter).map(|next| (cell, Some(next)));
    }
}

/// Whether a line has no content but delimiters and blanks.
fn is_blank(line: &str, delimiter: char) -> bool {
    line.chars().all(|c| c == delimiter || c.is_whitespace())
}

/// The delimiter in a line `sep=;`, which Excel understands and some programs write.
fn excel_separator(line: &str) -> Option<char> {
    let mut rest = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?.chars();
    let delimiter = rest.next()?;
    (rest.next().is_none() && DELIMITERS.contains(&delimiter)).then_some(delimiter)
}

/// The delimiter that occurs most outside of quotation marks.
fn delimiter_of(header: &str, prefers_tabs: bool) -> char {
    if prefers_tabs && header.contains('\t') {
        return '\t';
    }
    let count = |delimiter: char| {
        let outside = header.split('"').step_by(2);
        outside.map(|part| part.matches(delimiter).count()).sum::<usize>()
    };
    let mut found = (0, ',');
    for delimiter in DELIMITERS {
        if count(delimiter) > found.0 {
            found = (count(delimiter), delimiter);
        }
    }
    found.1
}

#[cfg(test)]
mod tests {
    use csv::{ByteRecord, QuoteStyle, Terminator, WriterBuilder};
    use proptest::{collection::vec, prelude::*};

    use super::{HeaderShape, MAX_ROW, Record, RecordReader, RefusedRow, RowShape};

    /// Rows of `0` cells; a row by itself has a digit in its last cell.
    struct Width(usize);

    impl RowShape for Width {
        fn fits(&self, cells: &[String]) -> bool {
            cells.len() == self.0
        }

        fn is_row(&self, cells: &[String]) -> bool {
            self.fits(cells) && cells[self.0 - 1].starts_with(|c: char| c.is_ascii_digit())
        }
    }

    type Read = (Vec<(i64, Vec<String>)>, Vec<i64>);

    fn read(text: &str, piece: usize, shape: &impl RowShape) -> Read {
        let mut reader = RecordReader::new(false);
        let (mut records, mut refused) = (Vec::new(), Vec::<RefusedRow>::new());
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(piece) {
            reader.push(&piece.iter().collect::<String>());
            while let Some(Record { line, cells }) = reader.next(false, shape, &mut refused) {
                records.push((line, cells));
            }
        }
        reader.finish();
        while let Some(Record { line, cells }) = reader.next(true, shape, &mut refused) {
            records.push((line, cells));
        }
        (records, refused.iter().map(|row| row.line).collect())
    }

    fn rows(expected: &[(i64, &[&str])]) -> Vec<(i64, Vec<String>)> {
        let cells = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        expected.iter().map(|(line, row)| (*line, cells(row))).collect()
    }

    #[test]
    fn bare_quotation_mark_is_a_character() {
        let text =
            "A,27\" monitor,1\nB,\"quiet\" mouse,2\nC,12'6\",3\nD,\"open,4\nE,\"a, \"\"b\"\"\",5";
        let expected = rows(&[
            (1, &["A", "27\" monitor", "1"]),
            (2, &["B", "\"quiet\" mouse", "2"]),
            (3, &["C", "12'6\"", "3"]),
            (4, &["D", "\"open", "4"]),
            (5, &["E", "a, \"b\"", "5"]),
        ]);
        for piece in 1..text.len() {
            assert_eq!(read(text, piece, &Width(3)), (expected.clone(), vec![]));
        }
    }

    #[test]
    fn mark_that_may_swallow_rows_refuses_their_lines() {
        let text = "A,\"open,1\nB,mouse,2\nC,27\",3\nD,x,4\n";
        let (records, refused) = read(text, 7, &Width(3));
        assert_eq!((records, refused), (rows(&[(4, &["D", "x", "4"])]), vec![1, 2, 3]));
    }

    #[test]
    fn quoted_cell_may_contain_lines() {
        let text = "A,\"soft, washed\r\nred, green\n\n\"\"x\"\"\",1\r\nB,y,2\r\n";
        let expected =
            rows(&[(1, &["A", "soft, washed\r\nred, green\n\n\"x\"", "1"]), (5, &["B", "y", "2"])]);
        for piece in 1..text.len() {
            assert_eq!(read(text, piece, &Width(3)), (expected.clone(), vec![]));
        }
    }

    #[test]
    fn unclosed_mark_in_a_wrong_row_refuses_one_line() {
        let (records, refused) = read("A,\"open\nB,x,2\n", 3, &Width(3));
        assert_eq!((records, refused), (rows(&[(2, &["B", "x", "2"])]), vec![1]));
    }

    #[test]
    fn lines_end_with_lf_crlf_or_cr() {
        let expected = rows(&[(1, &["a", "b"]), (3, &["c", "d"])]);
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "c,d", ",,,", " ", ""].join(end);
            for piece in 1..text.len() {
                assert_eq!(read(&text, piece, &HeaderShape), (expected.clone(), vec![]), "{end:?}");
            }
        }
    }

    #[test]
    fn delimiter_is_read_off_the_header() {
        for (text, cells) in [
            ("a;b;c\n", &["a", "b", "c"]),
            ("a\tb\tc,d\n", &["a", "b", "c,d"]),
            ("\"a;a;a\",b,c\n", &["a;a;a", "b", "c"]),
            ("sep=;\na;b,x,x;c\n", &["a", "b,x,x", "c"]),
        ] {
            assert_eq!(read(text, 1, &HeaderShape).0[0].1, cells.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn memory_of_an_endless_row_is_bounded() {
        let text = format!("{}\na,b\n\"{}", "x".repeat(MAX_ROW * 2), "y\n".repeat(MAX_ROW));
        let (records, refused) = read(&text, 1000, &Width(2));
        // The lines after the open quotation mark are records of one cell.
        assert_eq!((&records[0], records[1].1.len()), (&rows(&[(2, &["a", "b"])])[0], 1));
        assert_eq!(refused, [1, 3]);
    }

    proptest! {
        #[test]
        fn file_of_the_csv_crate_is_read_back(
            cells in vec(vec("[ab,;\" \n\r\t中]{0,5}", 3), 1..6),
            crlf in any::<bool>(),
            piece in 1_usize..20,
        ) {
            let end = if crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
            let mut writer = WriterBuilder::new()
                .terminator(end)
                .quote_style(QuoteStyle::Always)
                .from_writer(Vec::new());
            writer.write_record(["x", "y", "z"]).unwrap();
            for row in &cells {
                writer.write_byte_record(&ByteRecord::from(row.clone())).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let expected: Vec<Vec<String>> = cells
                .into_iter()
                .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()))
                .collect();
            let (records, refused) = read(&text, piece, &HeaderShape);
            let found: Vec<Vec<String>> = records.into_iter().skip(1).map(|row| row.1).collect();
            prop_assert_eq!((found, refused.len()), (expected, 0));
        }

        #[test]
        fn any_cut_of_the_text_gives_the_same_records(
            text in "[ab1,\"\n\r中]{0,60}",
            piece in 1_usize..20,
        ) {
            let whole = read(&format!("x,y,z\n{text}"), usize::MAX, &Width(3));
            prop_assert_eq!(read(&format!("x,y,z\n{text}"), piece, &Width(3)), whole);
        }
    }
}
