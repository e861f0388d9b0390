//! Free space on the disk.

use std::path::Path;

use crate::error::Error;

/// The space of the file system of `folder` that this user may fill, in bytes.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let space =
        rustix::fs::statvfs(folder).map_err(|error| suite::Error::file(folder)(error.into()))?;
    Ok(space.f_bavail * space.f_frsize)
}
