//! Everything that must pass before a change lands.

use std::{process::Stdio, time::Instant};

use suite::{Error, command, install, output};
use testkit::{Postgres, RabbitMq};
use tokio::process::Command;
use xtask::workspace;

/// Runs every check; the first failure ends the run.
pub(crate) async fn run() -> Result<(), Error> {
    let began = Instant::now();
    install::servers(true, true).await?;
    // The servers start while the checks compile. By the time of the tests, RabbitMQ has finished its
    // start-up work.
    let (servers, ()) = tokio::try_join!(Servers::start(), checks())?;
    let tested = tests(&servers).await;
    servers.stop().await?;
    tested?;
    output::line(format!("── all checks passed: {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// The checks that need no servers.
async fn checks() -> Result<(), Error> {
    command::timed(command::cargo(["fmt", "--all", "--check"])).await?;
    let lints = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    command::timed(command::cargo(lints)).await?;
    let mut documentation =
        command::cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    documentation.env("RUSTDOCFLAGS", "--deny warnings");
    command::timed(documentation).await
}

/// All tests, with one pair of servers.
async fn tests(servers: &Servers) -> Result<(), Error> {
    let runner: &[&str] = if has_nextest().await {
        &["nextest", "run", "--workspace"]
    } else {
        output::line("cargo-nextest is not installed; `cargo test` runs the tests instead.");
        &["test", "--workspace", "--lib", "--bins", "--tests"]
    };
    for arguments in [runner, &["test", "--workspace", "--doc"]] {
        let mut cargo = command::cargo(arguments);
        servers.set_environment(&mut cargo);
        command::timed(cargo).await?;
    }
    Ok(())
}

/// Whether cargo-nextest is installed, which gives every test a process of its own.
async fn has_nextest() -> bool {
    let mut nextest = Command::new("cargo-nextest");
    nextest.arg("--version").current_dir(workspace::root());
    nextest.stdout(Stdio::null()).stderr(Stdio::null());
    nextest.status().await.is_ok_and(|status| status.success())
}

/// The servers that all tests share.
struct Servers {
    postgres: Postgres,
    rabbitmq: RabbitMq,
}

impl Servers {
    async fn start() -> Result<Self, Error> {
        let began = Instant::now();
        let (postgres, rabbitmq) = tokio::try_join!(Postgres::start(), RabbitMq::start())?;
        output::line(format!(
            "── PostgreSQL and RabbitMQ have started: {:.1} s",
            began.elapsed().as_secs_f64()
        ));
        Ok(Self { postgres, rabbitmq })
    }

    /// Passes the addresses of the servers to a command.
    fn set_environment(&self, command: &mut Command) {
        command
            .env("TESTKIT_POSTGRES_URL", self.postgres.url())
            .env("TESTKIT_AMQP_URL", self.rabbitmq.url())
            .env("TESTKIT_RABBITMQ_MANAGEMENT_URL", self.rabbitmq.management().url());
    }

    async fn stop(mut self) -> Result<(), Error> {
        let (postgres, rabbitmq) = tokio::join!(self.postgres.stop(), self.rabbitmq.stop());
        postgres?;
        rabbitmq?;
        Ok(())
    }
}
