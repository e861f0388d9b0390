//! Splits an NDJSON body, a stream of bytes, into rows.

/// The maximum size of a row or of a group of rows that form one product, in bytes; equal to the body limit
/// of a `POST`.
pub(crate) const MAX_ROW: usize = 256 * 1024;

/// One row of an import: one product, as a line of NDJSON or as the stored records of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line on which the row begins, counted from 1.
    pub(crate) line: i64,
    /// Without the line break. A longer row is truncated to [`MAX_ROW`] + 1 bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Splits a body that arrives in pieces into rows. Blank lines are skipped, but counted.
#[derive(Debug)]
pub(crate) struct RowSplitter {
    line: i64,
    row: Row,
}

impl RowSplitter {
    /// Starts before the first byte.
    pub(crate) fn new() -> Self {
        Self { line: 1, row: Row { line: 1, bytes: Vec::new() } }
    }

    /// Reads the next piece, and adds the rows that end in it to `rows`.
    pub(crate) fn push(&mut self, mut piece: &[u8], rows: &mut Vec<Row>) {
        while !piece.is_empty() {
            let end = piece.iter().position(|byte| *byte == b'\n');
            let part = &piece[..end.unwrap_or(piece.len())];
            piece = end.map_or(&[], |end| &piece[end + 1..]);
            self.append(part);
            if end.is_some() {
                self.line += 1;
                self.end_row(rows);
            }
        }
    }

    /// Ends the body. The last row may lack a line break.
    pub(crate) fn finish(mut self, rows: &mut Vec<Row>) {
        self.end_row(rows);
    }

    fn append(&mut self, part: &[u8]) {
        let room = (MAX_ROW + 1).saturating_sub(self.row.bytes.len());
        self.row.bytes.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_row(&mut self, rows: &mut Vec<Row>) {
        let mut row = std::mem::replace(&mut self.row, Row { line: self.line, bytes: Vec::new() });
        // Some programs write a byte order mark at the start of a file.
        if row.line == 1 && row.bytes.starts_with(b"\xEF\xBB\xBF") {
            row.bytes.drain(..3);
        }
        if row.bytes.last() == Some(&b'\r') {
            row.bytes.pop();
        }
        if !row.bytes.trim_ascii().is_empty() {
            rows.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ROW, RowSplitter};

    fn rows(body: &[u8], piece: usize) -> Vec<(i64, String)> {
        let (mut splitter, mut rows) = (RowSplitter::new(), Vec::new());
        body.chunks(piece).for_each(|piece| splitter.push(piece, &mut rows));
        splitter.finish(&mut rows);
        rows.into_iter().map(|row| (row.line, String::from_utf8(row.bytes).unwrap())).collect()
    }

    #[test]
    fn rows_do_not_depend_on_the_pieces() {
        let body = "\u{feff}{1}\r\n\n  \n{2}\n{三}".as_bytes();
        let expected =
            [(1, "{1}"), (4, "{2}"), (5, "{三}")].map(|(line, row)| (line, row.to_owned()));
        for piece in 1..=body.len() {
            assert_eq!(rows(body, piece), expected);
        }
    }

    #[test]
    fn memory_of_an_endless_row_is_bounded() {
        let body = [vec![b'x'; MAX_ROW * 3], b"\ny".to_vec()].concat();
        let rows = rows(&body, 1000);
        assert_eq!((rows.len(), rows[0].1.len(), rows[1].1.as_str()), (2, MAX_ROW + 1, "y"));
    }
}
