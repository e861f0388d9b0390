//! The process of the order service.

use std::process::ExitCode;

use order::OrderService;
use runtime::host;

fn main() -> ExitCode {
    host::run::<OrderService>()
}
