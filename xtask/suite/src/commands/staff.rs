//! Staff accounts of the running suite.

use suite::{CONSOLE, Error, State, command};
use xtask::{
    arguments::Staff,
    programs::{self, Profile},
};

/// Runs `console staff` with the database of the suite.
pub(crate) async fn run(arguments: Staff) -> Result<(), Error> {
    let state = State::running()?.ok_or(Error::NotRunning)?;
    let mut console = std::process::Command::new(programs::path(CONSOLE.name, Profile::Release));
    console
        .arg("staff")
        .args(arguments.arguments)
        .env("DATABASE_URL", state.database_url(CONSOLE.name, CONSOLE.name)?)
        .env("RUST_LOG", "warn");
    command::run(console.into()).await
}
