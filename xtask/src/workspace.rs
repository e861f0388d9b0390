//! The paths of this checkout.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The root of the checkout that this program was built from.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The folder of the running suite: its state, its keys, its logs.
pub fn suite() -> PathBuf {
    target().join("suite")
}

/// The logs of the running suite.
pub fn logs() -> PathBuf {
    suite().join("logs")
}
