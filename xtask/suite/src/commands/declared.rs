//! What the services declare on the broker.

use std::{path::Path, process::Stdio};

use messaging::declarations::Declarations;
use serde_json::Value;
use suite::{CONSOLE, Error, SERVICES};
use tokio::process::Command;
use xtask::{
    cargo,
    programs::{self, Profile},
};

/// The vhost of the suite.
const VHOST: &str = "/";

/// What a broker needs so that each service works with a user of its own. The console only looks.
pub(super) fn definitions(declared: &[Declarations]) -> Value {
    messaging::definitions::definitions(declared, &[CONSOLE.name], VHOST)
}

/// What the services declare, as their programs print it.
pub(super) async fn declared() -> Result<Vec<Declarations>, Error> {
    let mut all = Vec::new();
    for service in SERVICES {
        let program = programs::path(service.name, Profile::Release);
        all.push(declared_by(&program).await?);
    }
    Ok(all)
}

async fn declared_by(program: &Path) -> Result<Declarations, Error> {
    let mut command = Command::new(program);
    command.arg("topology").stdin(Stdio::null()).stderr(Stdio::inherit());
    let shown = cargo::shown(command.as_std());
    let printed = command.output().await;
    let printed = printed.map_err(|source| Error::Start { command: shown.clone(), source })?;
    if !printed.status.success() {
        return Err(Error::Command { command: shown, status: printed.status });
    }
    serde_json::from_slice(&printed.stdout)
        .map_err(|source| Error::Content { path: program.to_owned(), source })
}
