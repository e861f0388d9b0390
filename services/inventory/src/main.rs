//! The inventory process.

use std::process::ExitCode;

use inventory::InventoryService;

fn main() -> ExitCode {
    runtime::host::run::<InventoryService>()
}
