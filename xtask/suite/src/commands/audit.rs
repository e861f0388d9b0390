//! Checks the invariants across the databases of the running suite.

use std::{collections::BTreeMap, fs, time::Duration};

use audit::{INVARIANTS, Progress};
use rabbitmq_management::ManagementClient;
use runtime::auth::Scope;
use suite::{Error, Keys, State, output};
use xtask::arguments::Audit;

/// Checks until all differences have settled; fails if an invariant does not hold.
pub(crate) async fn run(arguments: &Audit) -> Result<(), Error> {
    let state = State::running()?.ok_or(Error::NotRunning)?;
    let databases = state.databases()?;
    // An external broker may have no management API, or give us no access.
    let management = state.management_url.as_deref().map(ManagementClient::new).transpose()?;
    let token = Keys::in_suite().token("audit", &[Scope::Ops])?;
    let amqp_url = state.amqp_url.as_deref().unwrap_or_default();
    let broker = |management| audit::Broker { management, vhost: "/", amqp_url };
    let suite = audit::Suite {
        databases: &databases,
        broker: management.as_ref().map(broker),
        search: &[&state.ports.url_of("search-sync")],
        tls: None,
        token: &token,
    };
    let progress = |Progress { pass, differences, elapsed }: Progress| {
        let elapsed = elapsed.as_secs();
        output::line(format!("  {elapsed:>3} s: {differences} differences after pass {pass}"));
    };
    let bound = Duration::from_secs(arguments.settle);
    let audit::Settled { violations: findings, in_flight } =
        audit::run_until_settled(suite, bound, progress).await?;
    let mut figures: BTreeMap<String, i64> = BTreeMap::new();
    for invariant in 1..=INVARIANTS {
        let violations = i64::try_from(findings.of(invariant).len()).unwrap_or(i64::MAX);
        let verdict = if violations == 0 { "holds" } else { "does not hold" };
        output::line(format!("  invariant {invariant} {verdict}"));
        figures.insert(format!("invariant_{invariant}_violations"), violations);
    }
    let in_flight = i64::try_from(in_flight).unwrap_or(i64::MAX);
    output::line(format!("  in flight, no violations: {in_flight}"));
    figures.insert("in_flight".to_owned(), in_flight);
    for (name, count) in findings.checked() {
        output::line(format!("  checked {name}: {count}"));
        figures.insert((*name).to_owned(), *count);
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&figures)
            .map_err(|source| Error::Content { path: path.clone(), source })?;
        fs::write(path, text + "\n").map_err(Error::file(path))?;
    }
    if findings.is_clean() { Ok(()) } else { Err(Error::Violations(findings.to_string())) }
}
