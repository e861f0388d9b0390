//! One pass over all invariants, and the audit of a suite that may have traffic.

use std::time::{Duration, Instant};

use crate::{
    copies, error::Error, findings::Findings, messages, orders, sessions::Sessions, stock,
    suite::Suite, user_events,
};

/// The shortest pause between two passes.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// Checks every invariant once.
pub async fn run(suite: Suite<'_>) -> Result<Findings, Error> {
    let mut sessions = Sessions::new(suite.databases);
    let findings = check(suite, &mut sessions).await;
    sessions.close().await;
    findings
}

async fn check(suite: Suite<'_>, sessions: &mut Sessions<'_>) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    orders::check_orders(sessions, &mut findings).await?;
    stock::check_stock(sessions, &mut findings).await?;
    stock::check_reservations(sessions, &mut findings).await?;
    stock::check_held_pieces(sessions, &mut findings).await?;
    copies::check_copies(sessions, &mut findings).await?;
    copies::check_search_settings(sessions, &mut findings).await?;
    for url in suite.search {
        copies::check_index(url, suite, &mut findings).await?;
    }
    messages::check_messaging(sessions, &mut findings).await?;
    if let Some(broker) = suite.broker {
        let queues = broker.management.queues(broker.vhost).await?;
        messages::check_queues(&queues, &mut findings);
        user_events::check_streams(sessions, broker, &queues, &mut findings).await?;
    }
    user_events::check_user_events(sessions, &mut findings).await?;
    Ok(findings)
}

/// What a running audit has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The number of passes that have ended.
    pub pass: u32,
    /// How many differences all of these passes have found.
    pub differences: usize,
    /// Since the start of the audit.
    pub elapsed: Duration,
}

/// An audit of a suite that may have traffic.
#[derive(Debug, Clone)]
pub struct Settled {
    /// What every pass has found.
    pub violations: Findings,
    /// How many other differences the last pass has found.
    pub in_flight: usize,
}

/// Checks every invariant, and again until all differences have settled or `bound` has passed. Calls `progress` after each
/// pass.
///
/// A difference is in flight if it is gone or has changed at a later pass.
pub async fn run_until_settled(
    suite: Suite<'_>,
    bound: Duration,
    mut progress: impl FnMut(Progress),
) -> Result<Settled, Error> {
    let started = Instant::now();
    let mut violations = run(suite).await?;
    let mut took = started.elapsed();
    let (mut pass, mut found) = (1, violations.count());
    loop {
        let (differences, elapsed) = (violations.count(), started.elapsed());
        progress(Progress { pass, differences, elapsed });
        if violations.is_clean() || elapsed >= bound {
            return Ok(Settled { in_flight: found - differences, violations });
        }
        tokio::time::sleep(took.max(MIN_PAUSE)).await;
        let began = Instant::now();
        let later = run(suite).await?;
        took = began.elapsed();
        violations.keep_persistent(&later);
        (pass, found) = (pass + 1, later.count());
    }
}
