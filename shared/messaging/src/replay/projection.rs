//! Describes the tables that a replay rebuilds.

/// A projection: tables written by the handlers of subscriptions or of a stream, which can be rebuilt from
/// their events. All SQL here is a constant of the service, never part of a request.
#[derive(Debug, Clone)]
pub struct Projection {
    pub(super) name: &'static str,
    pub(super) tables: Vec<Table>,
    pub(super) scratch: Vec<&'static str>,
    pub(super) before_compare: Option<&'static str>,
    pub(super) before_lock: Option<&'static str>,
}

impl Projection {
    /// A projection with this name, which becomes part of an SQL name: lower-case letters, digits and
    /// underscores.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            tables: Vec::new(),
            scratch: Vec::new(),
            before_compare: None,
            before_lock: None,
        }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Adds a table. Referenced tables must be added first.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds a table that the handlers also write but no replay can rebuild, such as counters of received
    /// events. The shadow has a copy, which protects the live table; it is neither compared nor swapped.
    #[must_use]
    pub fn scratch(mut self, table: &'static str) -> Self {
        self.scratch.push(table);
        self
    }

    /// Sets a statement that runs in the shadow right before the comparison, while the live tables are not
    /// written. It deletes rows whose deletion in the live tables was not caused by events.
    #[must_use]
    pub const fn before_compare(mut self, statement: &'static str) -> Self {
        self.before_compare = Some(statement);
        self
    }

    /// Sets a statement that runs before the live tables are locked. It must acquire the locks that their
    /// writers acquire first.
    #[must_use]
    pub const fn before_lock(mut self, statement: &'static str) -> Self {
        self.before_lock = Some(statement);
        self
    }
}

/// A table of a projection: in the schema `public`, with a primary key.
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) name: &'static str,
    pub(super) numbered: Vec<&'static str>,
    pub(super) ignored: Vec<&'static str>,
    pub(super) since: Option<&'static str>,
    pub(super) live_only: Option<&'static str>,
}

impl Table {
    /// A table whose columns are all compared; identity columns count as [`numbered`](Self::numbered).
    pub const fn new(name: &'static str) -> Self {
        Self { name, numbered: Vec::new(), ignored: Vec::new(), since: None, live_only: None }
    }

    /// Names a column with the number of the row's last change, which readers follow. It is not compared. A
    /// corrected row gets a new number from the column's default, so readers see it again.
    #[must_use]
    pub fn numbered(mut self, column: &'static str) -> Self {
        self.numbered.push(column);
        self
    }

    /// Names a column that may differ, such as a write time. A corrected row keeps its value.
    #[must_use]
    pub fn ignoring(mut self, column: &'static str) -> Self {
        self.ignored.push(column);
        self
    }

    /// Names the column of type `timestamptz` that tells the age of a row. Rows older than the source are
    /// neither compared nor swapped. A stream whose beginning was removed can be replayed only into tables
    /// with such a column.
    #[must_use]
    pub const fn since(mut self, column: &'static str) -> Self {
        self.since = Some(column);
        self
    }

    /// Sets a condition on rows that only the live table may have: history that the publisher's state no
    /// longer contains.
    #[must_use]
    pub const fn allow_live_only(mut self, condition: &'static str) -> Self {
        self.live_only = Some(condition);
        self
    }
}
