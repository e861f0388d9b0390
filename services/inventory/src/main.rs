//! The inventory process.

use std::process::ExitCode;

use inventory::Inventory;

fn main() -> ExitCode {
    runtime::host::run::<Inventory>()
}
