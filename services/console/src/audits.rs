//! Audits of the whole suite: one runs at a time, and the last ones are kept in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use audit::{Broker, Databases, DatabasesError, INVARIANTS, Progress, Settled, Suite};
use chrono::{DateTime, Utc};
use lapin::uri::AMQPUri;
use rabbitmq_management::ManagementClient;
use runtime::{Lifecycle, clock, config::Secret};
use tls::{ClientTls, TlsError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::config::{Config, join_path};

/// How many audits are kept.
pub(crate) const KEPT: usize = 10;
/// How many violations of an invariant are kept.
pub(crate) const LISTED: usize = 100;

/// Why the settings do not allow an audit. They may contain passwords, so no text repeats them.
#[derive(Debug, thiserror::Error)]
pub enum AuditSettingsError {
    #[error("AUDIT_DATABASE_URLS is invalid")]
    Databases(#[source] DatabasesError),
    #[error("RABBITMQ_MANAGEMENT_URL is invalid")]
    Management(#[source] rabbitmq_management::Error),
    #[error("AMQP_URL is invalid")]
    Broker,
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
}

/// Starts audits and keeps their results. Clones share them.
#[derive(Clone)]
pub(crate) struct Audits(Arc<Inner>);

struct Inner {
    target: Option<Arc<Target>>,
    lifecycle: Lifecycle,
    /// The newest first.
    audits: Mutex<VecDeque<Audit>>,
}

/// The suite that is audited.
struct Target {
    databases: Databases,
    broker: Option<BrokerTarget>,
    search_url: String,
    tls: Option<ClientTls>,
}

struct BrokerTarget {
    management: ManagementClient,
    vhost: String,
    amqp_url: Secret,
}

/// The console has no access to the databases.
#[derive(Debug)]
pub(crate) struct AuditsOff;

/// An audit and what it has found so far.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    pub(crate) id: Uuid,
    pub(crate) settle: Duration,
    pub(crate) started_at: DateTime<Utc>,
    began: Instant,
    pub(crate) passes: u32,
    /// How many differences all passes have found so far.
    pub(crate) differences: usize,
    pub(crate) ending: Option<Ending>,
}

/// How an audit ended.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) at: DateTime<Utc>,
    pub(crate) elapsed: Duration,
    /// The findings, or why there are none.
    pub(crate) result: Result<Arc<Findings>, String>,
}

/// What an audit has found, bounded.
#[derive(Debug)]
pub(crate) struct Findings {
    /// One for each invariant, in their order.
    pub(crate) invariants: Vec<Invariant>,
    pub(crate) in_flight: usize,
    /// How many items were checked, by name.
    pub(crate) checked: BTreeMap<&'static str, i64>,
}

/// The violations of an invariant.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub(crate) number: u8,
    pub(crate) violations: usize,
    /// The first [`LISTED`] of them.
    pub(crate) texts: Vec<String>,
}

impl Audit {
    fn new(settle: Duration) -> Audit {
        Audit {
            id: Uuid::now_v7(),
            settle,
            started_at: clock::now(),
            began: Instant::now(),
            passes: 0,
            differences: 0,
            ending: None,
        }
    }

    /// How long it has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.ending.as_ref().map_or_else(|| self.began.elapsed(), |ending| ending.elapsed)
    }
}

impl Audits {
    pub(crate) fn new(
        config: &Config,
        lifecycle: &Lifecycle,
    ) -> Result<Audits, AuditSettingsError> {
        let target = Target::of(config)?.map(Arc::new);
        if target.is_none() {
            tracing::info!("AUDIT_DATABASE_URLS is not set: audits are off");
        }
        let (lifecycle, audits) = (lifecycle.clone(), Mutex::default());
        Ok(Audits(Arc::new(Inner { target, lifecycle, audits })))
    }

    /// Starts an audit, unless one runs. Returns the running one. `token` is sent to search-sync.
    pub(crate) fn start(&self, settle: Duration, token: &str) -> Result<Audit, AuditsOff> {
        let target = self.0.target.clone().ok_or(AuditsOff)?;
        let audit = {
            let mut audits = self.lock();
            if let Some(newest) = audits.front().filter(|audit| audit.ending.is_none()) {
                return Ok(newest.clone());
            }
            audits.push_front(Audit::new(settle));
            audits.truncate(KEPT);
            audits[0].clone()
        };
        let (audits, id, token) = (self.clone(), audit.id, token.to_owned());
        let soft = self.0.lifecycle.soft();
        self.0.lifecycle.spawn("audit", async move {
            let progress = |progress| audits.note(id, progress);
            let run = target.run(settle, &token, progress);
            let result = match soft.run_until_cancelled(run).await {
                Some(Ok(settled)) => Ok(Arc::new(Findings::from(settled))),
                Some(Err(error)) => Err(problem::chain(&error)),
                None => Err("the console is stopping".to_owned()),
            };
            audits.end(id, result);
            Ok::<(), std::convert::Infallible>(())
        });
        Ok(audit)
    }

    /// The audit with this id, if it is kept.
    pub(crate) fn get(&self, id: Uuid) -> Result<Option<Audit>, AuditsOff> {
        Ok(self.list()?.into_iter().find(|audit| audit.id == id))
    }

    /// The kept audits, the newest first.
    pub(crate) fn list(&self) -> Result<Vec<Audit>, AuditsOff> {
        if self.0.target.is_none() {
            return Err(AuditsOff);
        }
        Ok(self.lock().iter().cloned().collect())
    }

    fn note(&self, id: Uuid, progress: Progress) {
        self.change(id, |audit| {
            (audit.passes, audit.differences) = (progress.pass, progress.differences);
        });
    }

    fn end(&self, id: Uuid, result: Result<Arc<Findings>, String>) {
        match &result {
            Ok(findings) if findings.is_clean() => tracing::info!(%id, "all invariants hold"),
            Ok(findings) => {
                tracing::warn!(%id, violations = findings.violations(), "invariants do not hold");
            }
            Err(error) => tracing::warn!(%id, error, "audit failed"),
        }
        self.change(id, |audit| {
            let elapsed = audit.began.elapsed();
            audit.ending = Some(Ending { at: clock::now(), elapsed, result });
        });
    }

    fn change(&self, id: Uuid, change: impl FnOnce(&mut Audit)) {
        if let Some(audit) = self.lock().iter_mut().find(|audit| audit.id == id) {
            change(audit);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Audit>> {
        self.0.audits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// `None` if the databases are not configured.
    fn of(config: &Config) -> Result<Option<Target>, AuditSettingsError> {
        let set = |setting: &Option<Secret>| {
            setting
                .as_ref()
                .map(|secret| secret.expose().to_owned())
                .filter(|text| !text.is_empty())
        };
        let Some(databases) = set(&config.audit.database_urls) else { return Ok(None) };
        let with_ca =
            |entry: &str| config.tls.database_url(&Secret::from(entry)).expose().to_owned();
        let databases = databases.split(',').map(with_ca).collect::<Vec<_>>().join(",");
        let databases = databases.parse().map_err(AuditSettingsError::Databases)?;
        let amqp_url = config.tls.broker_url(&config.broker.url);
        let tls = config.tls.client()?;
        let broker = match set(&config.audit.management_url) {
            Some(url) => {
                let management = ManagementClient::with_tls(&url, tls.clone());
                let management = management.map_err(AuditSettingsError::Management)?;
                let first = amqp_url.expose().split(',').next().unwrap_or_default();
                let uri: AMQPUri =
                    first.trim().parse().map_err(|_: String| AuditSettingsError::Broker)?;
                Some(BrokerTarget { management, vhost: uri.vhost, amqp_url })
            }
            None => None,
        };
        let search_url = join_path(&config.services.search_sync_url, "").to_string();
        let search_url = search_url.trim_end_matches('/').to_owned();
        Ok(Some(Target { databases, broker, search_url, tls }))
    }

    async fn run(
        &self,
        settle: Duration,
        token: &str,
        progress: impl FnMut(Progress),
    ) -> Result<Settled, audit::Error> {
        let broker = self.broker.as_ref().map(|broker| Broker {
            management: &broker.management,
            vhost: &broker.vhost,
            amqp_url: broker.amqp_url.expose(),
        });
        let suite = Suite {
            databases: &self.databases,
            broker,
            search: &[&self.search_url],
            tls: self.tls.as_ref(),
            token,
        };
        audit::run_until_settled(suite, settle, progress).await
    }
}

impl Findings {
    pub(crate) fn is_clean(&self) -> bool {
        self.violations() == 0
    }

    /// The number of violations of all invariants.
    pub(crate) fn violations(&self) -> usize {
        self.invariants.iter().map(|invariant| invariant.violations).sum()
    }
}

impl From<Settled> for Findings {
    fn from(settled: Settled) -> Findings {
        let invariant = |number| {
            let violations = settled.violations.of(number);
            let texts = violations.iter().take(LISTED).map(ToString::to_string).collect();
            Invariant { number, violations: violations.len(), texts }
        };
        Findings {
            invariants: (1..=INVARIANTS).map(invariant).collect(),
            in_flight: settled.in_flight,
            checked: settled.violations.checked().clone(),
        }
    }
}
