//! Reconciles a service whose database went back with its subscribers.

use suite::{Error, SERVICES, State, command};
use testkit::database_url;
use tokio::process::Command;
use xtask::{
    arguments::Reconcile,
    programs::{self, Profile},
};

/// Runs the command of the service with the databases of all others: those that do not subscribe to it have seen nothing.
pub(crate) async fn run(arguments: Reconcile) -> Result<(), Error> {
    let Reconcile { service, dry_run, json, database_url: server, amqp_url } = arguments;
    let running = State::running()?;
    let amqp_url = match (amqp_url, &running) {
        (Some(url), _) => url,
        (None, Some(state)) => state.amqp_url.clone().ok_or(Error::NotRunning)?,
        (None, None) => return Err(Error::NotRunning),
    };
    let url = |database: &str, role: &str| match (&server, &running) {
        (Some(server), _) => Ok(database_url(server, database)),
        (None, Some(state)) => state.database_url(database, role),
        (None, None) => Err(Error::NotRunning),
    };
    let others = SERVICES.into_iter().map(|other| other.name).filter(|other| *other != service);
    let subscribers = others
        .map(|other| Ok(format!("{other}={}", url(other, database_roles::RECONCILE)?)))
        .collect::<Result<Vec<String>, Error>>()?;
    let mut program = Command::new(programs::path(&service, Profile::Release));
    program
        .arg("reconcile")
        .args(dry_run.then_some("--dry-run"))
        .env("DATABASE_URL", url(&service, &service)?)
        .env("AMQP_URL", amqp_url)
        // Not as arguments: other users of the machine can read them.
        .env("SUBSCRIBER_DATABASES", subscribers.join(","));
    if let Some(path) = json {
        program.arg("--json").arg(path);
    }
    command::run(program).await
}
