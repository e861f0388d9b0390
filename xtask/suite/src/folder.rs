//! Folders on disk.

use std::{fs, path::Path};

use crate::error::Error;

/// Creates a folder and its parents.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file(path))
}
