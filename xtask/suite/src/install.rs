//! Installs the servers that a bare machine lacks.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use testkit::{Postgres, RabbitMq};
use tokio::process::Command;

use crate::{command, error::Error, output};

/// Debian's package scripts run this before they start a service. The exit status 101 forbids the start.
const POLICY: &str = "/usr/sbin/policy-rc.d";

const ADVICE: &str = "as root on Debian or Ubuntu this command installs it; elsewhere install PostgreSQL 15 to 17 and RabbitMQ 3.10 \
     or later (on Debian: `apt-get install postgresql rabbitmq-server`), or name running servers in DATABASE_URL and AMQP_URL";

/// Installs PostgreSQL and RabbitMQ if they are needed and missing.
pub async fn servers(needs_postgres: bool, needs_rabbitmq: bool) -> Result<(), Error> {
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
        return Err(Error::Missing { missing: packages.join(" and "), advice: ADVICE });
    }
    output::line(format!("Installing {} …", packages.join(" and ")));
    let _policy = NoServiceStart::begin()?;
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

/// Prevents Debian's packages from starting services while this value lives: the suite starts private
/// servers. A policy that exists already is kept.
struct NoServiceStart {
    ours: bool,
}

impl NoServiceStart {
    fn begin() -> Result<Self, Error> {
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
            Err(source) => Err(Error::File { path: POLICY.into(), source }),
        }
    }
}

impl Drop for NoServiceStart {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            output::line(format!("cannot remove {POLICY} ({error}); remove it by hand"));
        }
    }
}
