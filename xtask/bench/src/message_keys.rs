//! Keys for messages, generated for one run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use runtime::auth::SigningKey;
use suite::Error as SuiteError;

use crate::error::Error;

/// The folder of the public keys, in the folder of the keys.
pub(crate) const PUBLIC_KEYS: &str = "message-public";

/// Writes a pair of keys for a service, and returns the file of the private one.
pub(crate) fn write_keys(folder: &Path, service: &str) -> Result<PathBuf, Error> {
    let public = folder.join(PUBLIC_KEYS).join(service);
    fs::create_dir_all(&public).map_err(SuiteError::file(&public))?;
    let private = folder.join(format!("{service}.message.key"));
    SigningKey::generate()?.write_pair(&private, public.join("first.pub"))?;
    Ok(private)
}
