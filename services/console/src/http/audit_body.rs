//! An audit as the routes show it.

use std::{collections::BTreeMap, time::Duration};

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use problem::Problem;
use serde::Serialize;
use uuid::Uuid;

use crate::audits::{Audit, AuditsOff, Ending, Invariant};

/// An audit of the whole suite.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AuditBody {
    id: Uuid,
    state: AuditState,
    /// For how long differences may settle before they are violations.
    settle_seconds: u64,
    started_at: DateTime<Utc>,
    /// Null while it runs.
    ended_at: Option<DateTime<Utc>>,
    /// Milliseconds since the start, or until the end.
    elapsed_ms: u64,
    /// The number of passes that have ended.
    passes: u32,
    /// How many differences all passes have found so far. Those that are left at the end are violations.
    differences: usize,
    /// How many differences of the last pass were in flight, so no violations. Null until it has ended.
    in_flight: Option<usize>,
    /// Empty until it has ended.
    invariants: Vec<InvariantBody>,
    /// The numbers of checked items by name, such as `orders`; empty until it has ended. Without `queues`, queues and streams were
    /// not checked: the console has no address of the management API.
    checked: BTreeMap<&'static str, i64>,
    /// Why it failed, only in the state `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What an audit has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum AuditState {
    Running,
    /// All invariants hold.
    Clean,
    /// At least one invariant does not hold.
    Violated,
    /// It could not read everything; `reason` says why.
    Failed,
}

/// An invariant and its violations.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct InvariantBody {
    /// Its number in ARCHITECTURE.md, 1 to 6.
    #[schema(minimum = 1, maximum = 6)]
    invariant: u8,
    holds: bool,
    violations: usize,
    /// The first 100 violations, for people.
    #[schema(max_items = 100)]
    texts: Vec<String>,
}

impl From<Audit> for AuditBody {
    fn from(audit: Audit) -> AuditBody {
        let mut body = AuditBody {
            id: audit.id,
            state: AuditState::Running,
            settle_seconds: audit.settle.as_secs(),
            started_at: audit.started_at,
            ended_at: None,
            elapsed_ms: milliseconds(audit.elapsed()),
            passes: audit.passes,
            differences: audit.differences,
            in_flight: None,
            invariants: Vec::new(),
            checked: BTreeMap::new(),
            reason: None,
        };
        let Some(Ending { at, result, .. }) = audit.ending else { return body };
        body.ended_at = Some(at);
        match result {
            Ok(findings) => {
                body.state =
                    if findings.is_clean() { AuditState::Clean } else { AuditState::Violated };
                body.in_flight = Some(findings.in_flight);
                body.invariants = findings.invariants.iter().map(InvariantBody::from).collect();
                body.checked = findings.checked.clone();
            }
            Err(reason) => {
                body.state = AuditState::Failed;
                body.reason = Some(reason);
            }
        }
        body
    }
}

impl From<&Invariant> for InvariantBody {
    fn from(invariant: &Invariant) -> InvariantBody {
        let Invariant { number, violations, texts } = invariant;
        InvariantBody {
            invariant: *number,
            holds: *violations == 0,
            violations: *violations,
            texts: texts.clone(),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<AuditsOff> for Problem {
    fn from(_: AuditsOff) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "audits_off", "Audits are switched off")
            .detail("The console was started without AUDIT_DATABASE_URLS.")
    }
}
