//! Brings the servers that a bare machine lacks.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use testkit::{Postgres, RabbitMq};
use tokio::process::Command;

use crate::command;
use crate::failure::Failure;
use crate::say;

/// What Debian's package scripts ask before they start a service. Its exit status 101 means "no".
const POLICY: &str = "/usr/sbin/policy-rc.d";

const ADVICE: &str = "as root on Debian or Ubuntu this command installs it; elsewhere install PostgreSQL 15 to 17 and RabbitMQ 3.10 \
     or later (on Debian: `apt-get install postgresql rabbitmq-server`), or name running servers in DATABASE_URL and AMQP_URL";

/// Installs PostgreSQL and RabbitMQ, those of them that are needed and missing.
pub(crate) async fn servers(needs_postgres: bool, needs_rabbitmq: bool) -> Result<(), Failure> {
    let mut packages = Vec::new();
    if needs_postgres && !Postgres::is_installed() {
        packages.push("postgresql");
    }
    if needs_rabbitmq && !RabbitMq::is_installed() {
        packages.push("rabbitmq-server");
    }
    if packages.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Err(Failure::Missing { missing: packages.join(" and "), advice: ADVICE });
    }
    say::line(format!("Installing {} …", packages.join(" and ")));
    let _policy = StartNothing::begin()?;
    command::timed(apt_get(&["update"])).await?;
    let mut install = apt_get(&["install", "--yes", "--no-install-recommends"]);
    install.args(packages);
    command::timed(install).await
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Keeps Debian's packages from starting what they install, as long as this value lives: ours are private servers, and those
/// on the standard ports are nobody's business. A policy that the machine has already is left as it is.
struct StartNothing {
    ours: bool,
}

impl StartNothing {
    fn begin() -> Result<Self, Failure> {
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY)
            .and_then(|mut file| file.write_all(b"#!/bin/sh\nexit 101\n"));
        match written {
            Ok(()) => Ok(Self { ours: true }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Ok(Self { ours: false })
            }
            Err(source) => Err(Failure::File { path: POLICY.into(), source }),
        }
    }
}

impl Drop for StartNothing {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            say::line(format!("{POLICY} stays behind ({error}); remove it by hand"));
        }
    }
}
