//! Everything that must hold before a change lands.

use std::process::Stdio;
use std::time::Instant;

use testkit::{Postgres, RabbitMq};
use tokio::process::Command;

use crate::failure::Failure;
use crate::{command, install, say, workspace};

/// Runs every check. The first that fails ends the run.
pub(crate) async fn run() -> Result<(), Failure> {
    let began = Instant::now();
    install::servers(true, true).await?;
    // The servers start while the checks compile: RabbitMQ 3.10 loses what very young quorum queues hold when it is killed,
    // and an older server is a calmer one.
    let (servers, ()) = tokio::try_join!(Servers::start(), checks())?;
    let tested = tests(&servers).await;
    servers.stop().await?;
    tested?;
    say::line(format!("── everything holds: {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// What needs no servers.
async fn checks() -> Result<(), Failure> {
    command::timed(command::cargo(["fmt", "--all", "--check"])).await?;
    let lints = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    command::timed(command::cargo(lints)).await?;
    let mut documentation =
        command::cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    documentation.env("RUSTDOCFLAGS", "--deny warnings");
    command::timed(documentation).await
}

/// All tests, against one pair of servers.
async fn tests(servers: &Servers) -> Result<(), Failure> {
    let runner: &[&str] = if has_nextest().await {
        &["nextest", "run", "--workspace"]
    } else {
        say::line("cargo-nextest is not installed; `cargo test` runs the tests instead.");
        &["test", "--workspace", "--lib", "--bins", "--tests"]
    };
    for arguments in [runner, &["test", "--workspace", "--doc"]] {
        let mut cargo = command::cargo(arguments);
        servers.tell(&mut cargo);
        command::timed(cargo).await?;
    }
    Ok(())
}

/// Whether each test can have a process of its own.
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
    async fn start() -> Result<Self, Failure> {
        let began = Instant::now();
        let (postgres, rabbitmq) = tokio::try_join!(Postgres::start(), RabbitMq::start())?;
        say::line(format!(
            "── PostgreSQL and RabbitMQ run: {:.1} s",
            began.elapsed().as_secs_f64()
        ));
        Ok(Self { postgres, rabbitmq })
    }

    /// Tells a command where the servers are.
    fn tell(&self, command: &mut Command) {
        command
            .env("TESTKIT_POSTGRES_URL", self.postgres.url())
            .env("TESTKIT_AMQP_URL", self.rabbitmq.url())
            .env("TESTKIT_RABBITMQ_MANAGEMENT_URL", self.rabbitmq.management().url());
    }

    async fn stop(mut self) -> Result<(), Failure> {
        let (postgres, rabbitmq) = tokio::join!(self.postgres.stop(), self.rabbitmq.stop());
        postgres?;
        rabbitmq?;
        Ok(())
    }
}
