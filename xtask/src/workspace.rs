//! Where things are in this checkout.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The root of the checkout that this program was built from.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// What belongs to the running suite: its state, its keys, its logs.
pub(crate) fn suite() -> PathBuf {
    target().join("suite")
}

/// The optimised program of a service.
pub(crate) fn program(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// The logs of the running suite.
pub(crate) fn logs() -> PathBuf {
    suite().join("logs")
}

/// Makes a folder, with those above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(Failure::file(path))
}
