//! Prints the roles of the databases as SQL.

use suite::{SERVICES, output};

/// Prints a script for psql, without passwords.
pub(crate) fn run() {
    let script = database_roles::script(&SERVICES.map(|service| service.name), |_| None);
    output::line(script.trim_end());
}
