//! The behavior-analytics process.

use std::process::ExitCode;

use behavior_analytics::BehaviorAnalytics;

fn main() -> ExitCode {
    runtime::host::run::<BehaviorAnalytics>()
}
