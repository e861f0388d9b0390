//! The programs of the suite in the target folder.

use std::path::PathBuf;

use crate::error::Error;

/// The folder of the programs that were built with this test.
pub fn programs_folder() -> Result<PathBuf, Error> {
    // …/target/debug/deps/it-0123 or …/target/release/chaos
    let mut folder = std::env::current_exe()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    Ok(folder)
}
