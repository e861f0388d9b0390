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
    let (server, amqp_url) = match (server, amqp_url) {
        (Some(server), Some(amqp_url)) => (server, amqp_url),
        (server, amqp_url) => {
            let State { postgres_url, amqp_url: running, .. } =
                State::running()?.ok_or(Error::NotRunning)?;
            let server = server.or(postgres_url).ok_or(Error::NotRunning)?;
            (server, amqp_url.or(running).ok_or(Error::NotRunning)?)
        }
    };
    let others = SERVICES.into_iter().map(|other| other.name).filter(|other| *other != service);
    let subscribers: Vec<String> =
        others.map(|other| format!("{other}={}", database_url(&server, other))).collect();
    let mut program = Command::new(programs::path(&service, Profile::Release));
    program
        .arg("reconcile")
        .args(dry_run.then_some("--dry-run"))
        .env("DATABASE_URL", database_url(&server, &service))
        .env("AMQP_URL", amqp_url)
        // Not as arguments: other users of the machine can read them.
        .env("SUBSCRIBER_DATABASES", subscribers.join(","));
    if let Some(path) = json {
        program.arg("--json").arg(path);
    }
    command::run(program).await
}
