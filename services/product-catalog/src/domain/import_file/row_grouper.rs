//! Joins the rows of one product, wherever they stand.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
};

use super::file_row::Entry;
use crate::domain::{MAX_ROW, RefusedRow, Row};

/// The number of bytes that wait for further rows of their products. Products that began first are complete
/// first.
const MAX_HELD: usize = 16 * 1024 * 1024;
/// The maximum number of rows of one product.
const MAX_RECORDS: usize = 1_000;
/// The maximum number of complete products that are remembered, to refuse their later rows.
const MAX_COMPLETE: usize = 2_000_000;

/// Too many products for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyProducts;

/// The rows of a product so far.
struct Group {
    row: Row,
    keys: Vec<String>,
    records: usize,
}

/// Holds rows until their products are complete. It keeps the order in which products begin.
pub(super) struct RowGrouper {
    groups: BTreeMap<u64, Group>,
    /// The groups that are held, by key.
    keys: HashMap<String, u64>,
    /// Hashes of the keys of complete products.
    complete: HashSet<u64>,
    next: u64,
    held: usize,
    max_held: usize,
}

impl RowGrouper {
    /// `can_group`: rows may have keys. Otherwise no row waits.
    pub(super) fn new(can_group: bool) -> Self {
        Self::with_limit(if can_group { MAX_HELD } else { 0 })
    }

    fn with_limit(max_held: usize) -> Self {
        Self {
            groups: BTreeMap::new(),
            keys: HashMap::new(),
            complete: HashSet::new(),
            next: 0,
            held: 0,
            max_held,
        }
    }

    /// Adds a record that has these keys. Complete products are added to `rows`.
    pub(super) fn push(
        &mut self,
        keys: Vec<String>,
        entry: &Entry,
        rows: &mut Vec<Row>,
    ) -> Result<(), TooManyProducts> {
        let line = match entry {
            Entry::Record(record) => record.line,
            Entry::Refused(row, _) => row.line,
        };
        let mut joined: Vec<u64> =
            keys.iter().filter_map(|key| self.keys.get(key)).copied().collect();
        joined.sort_unstable();
        joined.dedup();
        let is_late = joined.is_empty()
            && !self.complete.is_empty()
            && keys.iter().any(|key| self.complete.contains(&hash(key)));
        let (keys, bytes) = if is_late {
            let reason = "other rows of its product are too far above; sort the file by product";
            let cells = match entry {
                Entry::Record(record) => record.cells.clone(),
                Entry::Refused(_, cells) => cells.clone(),
            };
            let refused = RefusedRow::new(line, reason.to_owned());
            (Vec::new(), Entry::Refused(refused, cells).encode())
        } else {
            (keys, entry.encode())
        };
        let first = joined.first().copied().unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        let empty = || Group { row: Row { line, bytes: Vec::new() }, keys: Vec::new(), records: 0 };
        let mut group = self.groups.remove(&first).unwrap_or_else(empty);
        for other in joined.iter().skip(1).filter_map(|other| self.groups.remove(other)) {
            group.join(other);
        }
        self.held += bytes.len();
        group.join(Group { row: Row { line, bytes }, keys, records: 1 });
        for key in &group.keys {
            self.keys.insert(key.clone(), first);
        }
        self.groups.insert(first, group);
        while self.held > self.max_held {
            self.complete_first(rows)?;
        }
        Ok(())
    }

    /// Ends the file.
    pub(super) fn finish(mut self, rows: &mut Vec<Row>) {
        let groups = std::mem::take(&mut self.groups);
        rows.extend(groups.into_values().map(Group::into_row));
    }

    fn complete_first(&mut self, rows: &mut Vec<Row>) -> Result<(), TooManyProducts> {
        let Some((_, group)) = self.groups.pop_first() else {
            self.held = 0;
            return Ok(());
        };
        self.held = self.held.saturating_sub(group.row.bytes.len());
        for key in &group.keys {
            self.keys.remove(key);
            self.complete.insert(hash(key));
        }
        rows.push(group.into_row());
        if self.complete.len() > MAX_COMPLETE { Err(TooManyProducts) } else { Ok(()) }
    }
}

impl Group {
    fn join(&mut self, other: Self) {
        self.records += other.records;
        for key in other.keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
        self.row.bytes.extend_from_slice(&other.row.bytes);
    }

    fn into_row(self) -> Row {
        let Self { row, records, .. } = self;
        if row.bytes.len() <= MAX_ROW && records <= MAX_RECORDS {
            return row;
        }
        let reason = format!("the product has more than {MAX_ROW} bytes or {MAX_RECORDS} rows");
        let bytes = Entry::Refused(RefusedRow::new(row.line, reason), Vec::new()).encode();
        Row { line: row.line, bytes }
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Entry, MAX_RECORDS, Row, RowGrouper};
    use crate::domain::import_file::{file_row::FileRow, record_reader::Record};

    fn entry(line: i64) -> Entry {
        Entry::Record(Record { line, cells: vec!["x".to_owned()] })
    }

    /// The lines of each row; a refused line is negative.
    fn lines(rows: &[Row]) -> Vec<Vec<i64>> {
        let line = |entry: &Entry| match entry {
            Entry::Record(record) => record.line,
            Entry::Refused(row, _) => -row.line,
        };
        rows.iter()
            .map(|row| FileRow::decode(&row.bytes).unwrap().entries.iter().map(line).collect())
            .collect()
    }

    fn grouped(limit: usize, keys: &[&[&str]]) -> Vec<Vec<i64>> {
        let (mut grouper, mut rows) = (RowGrouper::with_limit(limit), Vec::new());
        for (line, keys) in (1..).zip(keys) {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            grouper.push(keys, &entry(line), &mut rows).unwrap();
        }
        grouper.finish(&mut rows);
        lines(&rows)
    }

    #[test]
    fn rows_of_a_product_are_joined_wherever_they_stand() {
        let keys: [&[&str]; 5] = [&["p"], &[], &["q"], &["p"], &[]];
        assert_eq!(grouped(1_000, &keys), [vec![1, 4], vec![2], vec![3], vec![5]]);
    }

    #[test]
    fn row_with_two_keys_joins_two_groups() {
        let keys: [&[&str]; 4] = [&["id:1"], &["sku:a"], &["id:1", "sku:a"], &["sku:a"]];
        assert_eq!(grouped(1_000, &keys), [vec![1, 2, 3, 4]]);
    }

    #[test]
    fn late_row_is_refused_when_memory_is_full() {
        // A stored record has 4 bytes.
        let keys: [&[&str]; 5] = [&["p"], &["q"], &["q"], &["r"], &["p"]];
        assert_eq!(grouped(12, &keys), [vec![1], vec![2, 3], vec![4], vec![-5]]);
    }

    #[test]
    fn size_of_a_product_is_bounded() {
        let keys = vec![&["p"][..]; MAX_RECORDS + 1];
        assert_eq!(grouped(usize::MAX, &keys), [vec![-1]]);
    }
}
