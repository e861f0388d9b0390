//! Checks what must always hold, across the databases of the running suite.

use std::{collections::BTreeMap, fs, path::PathBuf};

use runtime::auth::Scope;
use system_tests::audit::{self, INVARIANTS};
use testkit::ManagementClient;

use crate::failure::Failure;
use crate::say;
use crate::suite::{Keys, State};

/// How to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write what was found to this file, as one flat JSON object: violations by invariant, and how much was looked at.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Checks once, and fails if anything does not hold.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let state = State::running()?.ok_or(Failure::NotRunning)?;
    let databases = audit::Databases::on(state.postgres_url.as_deref().unwrap_or_default());
    // A broker that is not ours may have no management API, or not for us.
    let management = state.management_url.as_deref().map(ManagementClient::new).transpose()?;
    let token = Keys::in_suite().token("audit", &[Scope::Ops])?;
    let amqp_url = state.amqp_url.as_deref().unwrap_or_default();
    let broker = |management| audit::Broker { management, vhost: "/", amqp_url };
    let suite = audit::Suite {
        databases: &databases,
        broker: management.as_ref().map(broker),
        search: &[&state.ports.url_of("search-sync")],
        token: &token,
    };
    let findings = audit::run(suite).await?;
    let mut figures: BTreeMap<String, i64> = BTreeMap::new();
    for invariant in 1..=INVARIANTS {
        let violations = i64::try_from(findings.of(invariant).len()).unwrap_or(i64::MAX);
        let verdict = if violations == 0 { "holds" } else { "does not hold" };
        say::line(format!("  invariant {invariant} {verdict}"));
        figures.insert(format!("invariant_{invariant}_violations"), violations);
    }
    for (name, count) in findings.looked_at() {
        say::line(format!("  looked at {name}: {count}"));
        figures.insert((*name).to_owned(), *count);
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&figures)
            .map_err(|source| Failure::Content { path: path.clone(), source })?;
        fs::write(path, text + "\n").map_err(Failure::file(path))?;
    }
    if findings.is_sound() { Ok(()) } else { Err(Failure::Unsound(findings.to_string())) }
}
