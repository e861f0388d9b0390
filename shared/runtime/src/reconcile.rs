//! The command that reconciles a service whose database went back to an earlier state with its subscribers.

use std::{
    fmt,
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use ::messaging::{
    Outbox, Topology,
    reconcile::{Comparison, LostCommits, ReconcileError, Reconciler, Subscriber},
};
use serde::Serialize;
use sqlx::migrate::Migrator;

use crate::{
    config,
    database::{self, DatabaseError},
    service::Service,
};

/// The most keys that are printed; the file has all.
const PRINTED_KEYS: usize = 20;

/// The timeout of a statement in the database of a subscriber, which reads all of its cursors.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);

/// With whom the service is compared.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Reconcile {
    #[command(flatten)]
    pub servers: config::Servers,

    /// The database of a service that subscribes to this one, `name=postgres://user:password@host:port/name`, or `file:` and the path
    /// of a file with all of them, separated by commas. Name all of them: what only another one has seen is not found. The role
    /// `reconcile` may read what is needed. Secret.
    #[arg(
        id = "subscriber_databases",
        long = "subscriber",
        env = "SUBSCRIBER_DATABASES",
        value_name = "SUBSCRIBER_DATABASES",
        value_delimiter = ',',
        required = true,
        hide_env_values = true,
        value_parser = config::secret
    )]
    pub subscribers: Vec<config::Secret>,

    /// List the lost commits, and change nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Write the whole list to this new file, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The names of the services other than `own`, and the addresses of their databases, which have passwords.
fn names_and_urls<'a>(
    own: &str,
    subscribers: &'a [config::Secret],
) -> Option<Vec<(&'a str, &'a str)>> {
    let entries = subscribers.iter().flat_map(|subscriber| subscriber.expose().split(','));
    let pairs = entries.map(|entry| {
        let (name, url) = entry.trim().split_once('=')?;
        let is_valid = !name.is_empty() && !name.contains(':') && !url.is_empty();
        is_valid.then_some((name, url))
    });
    let pairs: Option<Vec<_>> = pairs.collect();
    Some(pairs?.into_iter().filter(|(name, _)| *name != own).collect())
}

/// Why the service was not reconciled. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileCommandError {
    /// It is not repeated, because it has a password.
    #[error(
        "SUBSCRIBER_DATABASES or --subscriber is not a name and an address, such as inventory=postgres://user:password@host:port/name"
    )]
    InvalidSubscriber,
    /// The database of the service cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the database of {name} cannot be used")]
    Subscriber {
        name: String,
        #[source]
        source: DatabaseError,
    },
    #[error("the service cannot be compared with its subscribers")]
    Compare(#[from] ReconcileError),
    #[error("the service could not be reconciled")]
    Apply(#[from] ::messaging::Error),
    #[error("{} cannot be written", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the list cannot be written as JSON")]
    Encode(#[from] serde_json::Error),
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report<'a> {
    service: &'a str,
    dry_run: bool,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// Lists the commits that the service has lost. Unless it is a dry run, then raises its sequence numbers, with the repairs of the
/// service in the same transaction.
pub(crate) async fn run(
    service: &Service,
    arguments: &Reconcile,
    migrators: &[&Migrator],
    topology: &Topology,
    repair: impl AsyncFnOnce(
        &mut ::messaging::Transaction,
        &[LostCommits],
    ) -> Result<(), ::messaging::Error>,
) -> Result<ExitCode, ReconcileCommandError> {
    let Reconcile { servers, subscribers, dry_run, json } = arguments;
    let servers = servers.clone().with_tls_files();
    let pool = database::connect(service, &servers.database).await?;
    database::check_schema(&pool, migrators).await?;
    let outbox = Outbox::new(pool);
    let subscribers = names_and_urls(service.name, subscribers)
        .ok_or(ReconcileCommandError::InvalidSubscriber)?;
    let mut databases = Vec::with_capacity(subscribers.len());
    for (name, url) in subscribers {
        let url = servers.tls.database_url(&config::Secret::from(url));
        let config =
            config::Database { statement_timeout: STATEMENT_TIMEOUT, ..config::Database::at(url) };
        let pool = database::connect(service, &config).await;
        let pool = pool.map_err(|source| ReconcileCommandError::Subscriber {
            name: name.to_owned(),
            source,
        })?;
        databases.push(Subscriber { name: name.to_owned(), pool });
    }
    let reconciler = Reconciler::new(outbox.clone(), servers.broker.url.expose(), topology);
    let comparison = reconciler.compare(&databases).await?;
    let report = Report { service: service.name, dry_run: *dry_run, comparison: &comparison };
    // The list is written first: a second run would not find them again.
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        let failed = |source| ReconcileCommandError::File { path: path.clone(), source };
        // The list of an earlier run is not overwritten.
        let mut file = File::create_new(path).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
    }
    if !dry_run {
        let mut tx = outbox.begin().await?;
        comparison.apply(&mut tx).await?;
        repair(&mut tx, &comparison.lost_commits).await?;
        tx.commit().await?;
    }
    print(&report);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "printing is what this command is for")]
fn print(report: &Report<'_>) {
    println!("{report}");
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { compared, lost_commits, .. } = self.comparison;
        let service = self.service;
        for seen in compared {
            writeln!(f, "{} has seen {} keys of {service}", seen.subscriber, seen.keys)?;
        }
        if lost_commits.is_empty() {
            return write!(f, "{service} has lost no commit that a subscriber has seen");
        }
        writeln!(f, "{service} has lost commits of {} keys:", lost_commits.len())?;
        for LostCommits { aggregate, key, last, seen, subscriber } in
            lost_commits.iter().take(PRINTED_KEYS)
        {
            writeln!(f, "  {aggregate} {key}: knows {last}, {subscriber} has seen {seen}")?;
        }
        if lost_commits.len() > PRINTED_KEYS {
            let more = lost_commits.len() - PRINTED_KEYS;
            writeln!(f, "  … and {more} more; --json FILE or GET /v1/lost-commits has them")?;
        }
        f.write_str(if self.dry_run {
            "nothing was changed"
        } else {
            "the sequence numbers were raised; the service may start"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::names_and_urls;

    #[test]
    fn a_subscriber_has_a_name_and_a_database() {
        let valid = ["inventory=postgres://u:p@h/i?a=b".into()];
        let one = vec![("inventory", "postgres://u:p@h/i?a=b")];
        assert_eq!(names_and_urls("order", &valid), Some(one));
        let of_file = ["order=postgres://h/o, inventory=postgres://h/i".into()];
        let others = vec![("inventory", "postgres://h/i")];
        assert_eq!(names_and_urls("order", &of_file), Some(others));
        for text in ["", "inventory", "=postgres://h/i", "inventory=", "postgres://h/i?a=b"] {
            assert_eq!(names_and_urls("order", &[text.into()]), None, "{text}");
        }
    }
}
