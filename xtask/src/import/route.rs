//! The catalogue's route for imports, and what search makes of them.

use std::time::{Duration, Instant};

use reqwest::Body;
use serde::Deserialize;
use testkit::wait_for;
use tokio::time::interval;

use crate::failure::Failure;
use crate::say;
use crate::suite::{Http, SEARCH_SYNC, State};

/// How long search may take to apply an import.
const SEARCHABLE: Duration = Duration::from_mins(10);

/// How often progress is asked for.
const PROGRESS: Duration = Duration::from_millis(500);

/// How long an import may stand still before it is given up.
const STANDSTILL: Duration = Duration::from_mins(2);

/// How many refused rows are shown.
const REFUSALS_SHOWN: usize = 20;

/// `GET /v1/imports/{id}`, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Import {
    id: String,
    state: ImportState,
    /// How many products the body had.
    received: u64,
    /// How many of them have been worked off.
    processed: u64,
    accepted: Accepted,
    /// How many were refused.
    refused: u64,
    /// The first of them.
    refusals: Vec<Refusal>,
    /// Why the import failed as a whole.
    reason: Option<String>,
    /// How many of its changes each service has applied, once it is done.
    #[serde(default)]
    downstream: Vec<Applied>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ImportState {
    Running,
    Done,
    Failed,
}

/// What became of the rows that were taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Accepted {
    created: u64,
    updated: u64,
    unchanged: u64,
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Refusal {
    line: u64,
    reason: String,
}

/// How far an import's changes have come in one service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Applied {
    service: String,
    applied: u64,
}

/// Sends products in NDJSON and waits until the catalogue has taken or refused each.
pub(crate) async fn upload(
    http: &Http,
    state: &State,
    token: &str,
    body: Body,
) -> Result<Import, Failure> {
    let url = format!("{}/v1/imports", state.ports.url_of("product-catalog"));
    let answer = http.post_stream(&url, token, "application/x-ndjson", body).await?;
    let mut import: Import = answer.success()?.json()?;
    let url = address(state, &import);
    let mut ticks = interval(PROGRESS);
    let mut moved = Instant::now();
    while import.state == ImportState::Running {
        ticks.tick().await;
        let next = read(http, &url, token).await?;
        if next != import {
            moved = Instant::now();
            say::line(format!("  {}", next.progress()));
        }
        import = next;
        if moved.elapsed() > STANDSTILL {
            return Err(Failure::Import { reason: "it stands still".to_owned() });
        }
    }
    for Refusal { line, reason } in import.refusals.iter().take(REFUSALS_SHOWN) {
        say::line(format!("  line {line} was refused: {reason}"));
    }
    if import.refused > u64::try_from(REFUSALS_SHOWN).unwrap_or(u64::MAX) {
        say::line(format!("  … {} rows were refused; {url} has more", say::number(import.refused)));
    }
    match import.state {
        ImportState::Running | ImportState::Done => Ok(import),
        ImportState::Failed => {
            Err(Failure::Import { reason: import.reason.unwrap_or_else(|| "unknown".to_owned()) })
        }
    }
}

/// Waits until search has applied every change of an import.
pub(crate) async fn wait_until_applied(
    http: &Http,
    state: &State,
    token: &str,
    import: &Import,
) -> Result<(), Failure> {
    let url = address(state, import);
    let changes = import.accepted.created + import.accepted.updated;
    let what = format!("search has applied {} changes", say::number(changes));
    wait_for(&what, SEARCHABLE, async || {
        let import = read(http, &url, token).await.map_err(|failure| say::chain(&failure))?;
        let search = import.downstream.iter().find(|applied| applied.service == SEARCH_SYNC.name);
        let applied = search.map_or(0, |search| search.applied);
        if applied >= changes { Ok(()) } else { Err(say::number(applied)) }
    })
    .await?;
    Ok(())
}

async fn read(http: &Http, url: &str, token: &str) -> Result<Import, Failure> {
    http.get_as(url, token).await?.success()?.json()
}

fn address(state: &State, import: &Import) -> String {
    format!("{}/v1/imports/{}", state.ports.url_of("product-catalog"), import.id)
}

impl Import {
    fn progress(&self) -> String {
        let Accepted { created, updated, unchanged } = &self.accepted;
        format!(
            "{} of {} products: {} new, {} changed, {} unchanged, {} refused",
            say::number(self.processed),
            say::number(self.received),
            say::number(*created),
            say::number(*updated),
            say::number(*unchanged),
            say::number(self.refused)
        )
    }
}
