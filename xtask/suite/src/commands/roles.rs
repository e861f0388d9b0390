//! Prints the roles of the databases as SQL.

use suite::{databases, output};

/// Prints a script for psql, without passwords.
pub(crate) fn run() {
    let script = database_roles::script(&databases(), |_| None);
    output::line(script.trim_end());
}
