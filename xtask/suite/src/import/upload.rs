//! Uploads products to the catalogue and waits until search has applied them.

use std::time::{Duration, Instant};

use reqwest::Body;
use serde::Deserialize;
use testkit::wait_for;
use tokio::time::interval;

use super::file::NDJSON;
use crate::{error::Error, http::Http, output, services::SEARCH_SYNC, state::State};

/// Timeout until search has applied an import.
const SEARCHABLE_TIMEOUT: Duration = Duration::from_mins(10);

/// How often the progress is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Timeout of an import without progress.
const PROGRESS_TIMEOUT: Duration = Duration::from_mins(2);

/// How many refused rows are printed.
const REFUSALS_SHOWN: usize = 20;

/// The answer of `GET /v1/imports/{id}`, in part.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Import {
    id: String,
    state: ImportState,
    received: u64,
    processed: u64,
    accepted: Accepted,
    refused: u64,
    /// The first refused rows.
    refusals: Vec<Refusal>,
    /// Why the import failed as a whole.
    reason: Option<String>,
    /// The number of changes that each service has applied; set once the import is done.
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

/// The accepted rows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Accepted {
    created: u64,
    updated: u64,
    unchanged: u64,
}

/// A refused row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Refusal {
    line: u64,
    reason: String,
}

/// The number of an import's changes that one service has applied.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Applied {
    service: String,
    applied: u64,
}

/// What is sent.
#[derive(Debug)]
pub struct Upload {
    pub content_type: &'static str,
    /// Parameters such as `mode=merge`.
    pub parameters: Vec<String>,
    pub body: Body,
}

impl From<Body> for Upload {
    /// Lines of JSON.
    fn from(body: Body) -> Self {
        Self { content_type: NDJSON, parameters: Vec::new(), body }
    }
}

/// Sends products and waits until the catalogue has accepted or refused each.
pub async fn upload(
    http: &Http,
    state: &State,
    token: &str,
    upload: impl Into<Upload>,
) -> Result<Import, Error> {
    let Upload { content_type, parameters, body } = upload.into();
    let mut url = format!("{}/v1/imports", state.ports.url_of("product-catalog"));
    if !parameters.is_empty() {
        url = format!("{url}?{}", parameters.join("&"));
    }
    let answer = http.post_stream(&url, token, content_type, body).await?;
    let mut import: Import = answer.success()?.json()?;
    let url = address(state, &import);
    let mut ticks = interval(POLL_INTERVAL);
    let mut last_progress = Instant::now();
    while import.state == ImportState::Running {
        ticks.tick().await;
        let next = read(http, &url, token).await?;
        if next != import {
            last_progress = Instant::now();
            output::line(format!("  {}", next.progress()));
        }
        import = next;
        if last_progress.elapsed() > PROGRESS_TIMEOUT {
            return Err(Error::Import { reason: "no progress".to_owned() });
        }
    }
    for Refusal { line, reason } in import.refusals.iter().take(REFUSALS_SHOWN) {
        output::line(format!("  line {line} was refused: {reason}"));
    }
    if import.refused > u64::try_from(REFUSALS_SHOWN).unwrap_or(u64::MAX) {
        output::line(format!(
            "  … {} rows were refused; {url} has more",
            output::number(import.refused)
        ));
    }
    match import.state {
        ImportState::Running | ImportState::Done => Ok(import),
        ImportState::Failed => {
            Err(Error::Import { reason: import.reason.unwrap_or_else(|| "unknown".to_owned()) })
        }
    }
}

/// Waits until search has applied every change of an import.
pub async fn wait_until_applied(
    http: &Http,
    state: &State,
    token: &str,
    import: &Import,
) -> Result<(), Error> {
    let url = address(state, import);
    let changes = import.accepted.created + import.accepted.updated;
    let what = format!("search has applied {} changes", output::number(changes));
    wait_for(&what, SEARCHABLE_TIMEOUT, async || {
        let import = read(http, &url, token).await.map_err(|error| output::chain(&error))?;
        let search = import.downstream.iter().find(|applied| applied.service == SEARCH_SYNC.name);
        let applied = search.map_or(0, |search| search.applied);
        if applied >= changes { Ok(()) } else { Err(output::number(applied)) }
    })
    .await?;
    Ok(())
}

async fn read(http: &Http, url: &str, token: &str) -> Result<Import, Error> {
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
            output::number(self.processed),
            output::number(self.received),
            output::number(*created),
            output::number(*updated),
            output::number(*unchanged),
            output::number(self.refused)
        )
    }
}
