//! Everything that must pass before a change lands.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::Stdio,
    time::Instant,
};

use suite::{Error, command, install, output};
use testkit::{Postgres, RabbitMq};
use tokio::{
    process::Command,
    sync::oneshot::{self, Receiver, Sender},
};
use xtask::workspace;

/// What clippy denies.
const LINTS: [&str; 2] = ["--deny", "warnings"];

/// Runs every check; the first failure ends the run.
pub(crate) async fn run() -> Result<(), Error> {
    let began = Instant::now();
    install::servers(true, true).await?;
    command::timed(command::cargo(["fmt", "--all", "--check"])).await?;
    let runner = Runner::installed().await;
    // The servers start while the tests compile. By the time of the tests, RabbitMQ has finished its
    // start-up work.
    let (servers, ()) = tokio::try_join!(Servers::start(), runner.compile())?;
    let (started, start) = oneshot::channel();
    let tested = tokio::try_join!(runner.run(&servers, started), idle_checks(&servers, start));
    servers.stop().await?;
    tested?;
    output::line(format!("── all checks passed: {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// What runs the tests.
#[derive(Debug, Clone, Copy)]
enum Runner {
    /// Every test has a process of its own.
    Nextest,
    CargoTest,
}

impl Runner {
    async fn installed() -> Self {
        let mut nextest = Command::new("cargo-nextest");
        nextest.arg("--version").current_dir(workspace::root());
        nextest.stdout(Stdio::null()).stderr(Stdio::null());
        if nextest.status().await.is_ok_and(|status| status.success()) {
            return Self::Nextest;
        }
        output::line("cargo-nextest is not installed; `cargo test` runs the tests instead.");
        Self::CargoTest
    }

    /// The command for all tests but those of the documentation.
    fn command(self) -> Command {
        match self {
            Self::Nextest => command::cargo(["nextest", "run", "--workspace"]),
            Self::CargoTest => {
                command::cargo(["test", "--workspace", "--lib", "--bins", "--tests"])
            }
        }
    }

    async fn compile(self) -> Result<(), Error> {
        let mut cargo = self.command();
        cargo.arg("--no-run");
        command::timed(cargo).await
    }

    /// Runs the tests. `started` is sent when the first one starts.
    async fn run(self, servers: &Servers, started: Sender<()>) -> Result<(), Error> {
        let mut cargo = self.command();
        servers.set_environment(&mut cargo);
        match self {
            Self::Nextest => {
                if io::stderr().is_terminal() {
                    cargo.args(["--color", "always"]);
                }
                command::timed_until_line(cargo, "Starting", started).await
            }
            // `started` is dropped at the end, and the other checks follow.
            Self::CargoTest => command::timed(cargo).await,
        }
    }
}

/// Lints, the documentation and its tests, once the other tests have started. Those mostly wait for their servers: at the lowest
/// priority, this takes the idle time of the processors.
async fn idle_checks(servers: &Servers, start: Receiver<()>) -> Result<(), Error> {
    // An error means that there was no such moment, and that the other tests have ended.
    let _ended = start.await;
    let mut clippy = command::niced_cargo(["clippy", "--workspace", "--all-targets", "--"]);
    clippy.args(LINTS);
    command::timed_quietly(clippy).await?;
    let mut doc =
        command::niced_cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", LINTS.join(" "));
    if let Some(driver) = clippy_driver().await {
        // As `cargo clippy` sets them: then rustdoc reads the metadata that clippy has written, and nothing is
        // checked a second time.
        doc.env("RUSTC_WORKSPACE_WRAPPER", driver);
        doc.env("CLIPPY_ARGS", LINTS.map(|lint| format!("{lint}__CLIPPY_HACKERY__")).concat());
    }
    command::timed_quietly(doc).await?;
    let mut tests = command::niced_cargo(["test", "--workspace", "--doc"]);
    servers.set_environment(&mut tests);
    command::timed_quietly(tests).await
}

/// The program that `cargo clippy` runs instead of rustc.
async fn clippy_driver() -> Option<PathBuf> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(workspace::root());
    let output = rustc.output().await.ok()?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    let driver = PathBuf::from(sysroot.trim()).join("bin/clippy-driver");
    driver.exists().then_some(driver)
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
