//! The process of the search service.

use std::process::ExitCode;

use search_sync::SearchSync;

fn main() -> ExitCode {
    runtime::host::run::<SearchSync>()
}
