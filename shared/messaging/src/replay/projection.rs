//! What a replay has to know of the tables that it builds again.

/// A projection: tables that are written by the handlers of some subscriptions, or of a stream, and could be built again from
/// what those were told. Everything here is SQL of the service's own code, never of a request.
#[derive(Debug, Clone)]
pub struct Projection {
    pub(super) name: &'static str,
    pub(super) tables: Vec<Table>,
    pub(super) scratch: Vec<&'static str>,
    pub(super) tidy: Option<&'static str>,
    pub(super) turn: Option<&'static str>,
}

impl Projection {
    /// A projection of this name, which is a part of an SQL name: small letters, digits and underscores.
    pub const fn of(name: &'static str) -> Self {
        Self { name, tables: Vec::new(), scratch: Vec::new(), tidy: None, turn: None }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// One more table. Tables that others refer to come before those.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// A table that the handlers write to as well, but that no replay can build again, such as counts of what came. The shadow has
    /// it, so that the live one is left alone; it is neither compared nor swapped.
    #[must_use]
    pub fn scratch(mut self, table: &'static str) -> Self {
        self.scratch.push(table);
        self
    }

    /// A statement that is run in the shadow right before it is compared, while nobody writes into the live tables: it takes out
    /// what was written before a deletion that does not come by events.
    #[must_use]
    pub const fn tidy(mut self, statement: &'static str) -> Self {
        self.tidy = Some(statement);
        self
    }

    /// A statement that is run before the live tables are locked: it takes what their writers take first.
    #[must_use]
    pub const fn turn(mut self, statement: &'static str) -> Self {
        self.turn = Some(statement);
        self
    }
}

/// A table of a projection, in the schema `public`, with a primary key.
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) name: &'static str,
    pub(super) numbered: Vec<&'static str>,
    pub(super) ignored: Vec<&'static str>,
    pub(super) since: Option<&'static str>,
    pub(super) outlives: Option<&'static str>,
}

impl Table {
    /// The table of this name. All its columns are compared unless said otherwise; identity columns count as
    /// [`numbered`](Self::numbered).
    pub const fn of(name: &'static str) -> Self {
        Self { name, numbered: Vec::new(), ignored: Vec::new(), since: None, outlives: None }
    }

    /// A column with the number of the row's last change, which others follow. It is not compared; a row that is put right draws a
    /// new number by the column's default, so that whoever follows the numbers takes the row once more.
    #[must_use]
    pub fn numbered(mut self, column: &'static str) -> Self {
        self.numbered.push(column);
        self
    }

    /// A column that may differ, such as the time of writing. A row that is put right keeps what it has.
    #[must_use]
    pub fn ignoring(mut self, column: &'static str) -> Self {
        self.ignored.push(column);
        self
    }

    /// A column of type `timestamptz` by which rows that are older than the source are told: those are neither compared nor swapped. A
    /// stream that has forgotten its beginning can be replayed only into tables that have one.
    #[must_use]
    pub const fn since(mut self, column: &'static str) -> Self {
        self.since = Some(column);
        self
    }

    /// A condition on rows which may stand in the live table alone: history that the owner's state does not tell any more.
    #[must_use]
    pub const fn outliving(mut self, condition: &'static str) -> Self {
        self.outlives = Some(condition);
        self
    }
}
