//! Files with secrets, and random passwords.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rand::{Rng as _, distr::Alphanumeric};

/// The letters of a password: about 190 random bits.
const PASSWORD_LENGTH: usize = 32;

/// A file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot read or write {}", path.display())]
pub struct SecretFileError {
    path: PathBuf,
    source: io::Error,
}

impl SecretFileError {
    fn of(path: &Path) -> impl FnOnce(io::Error) -> SecretFileError {
        let path = path.to_owned();
        move |source| SecretFileError { path, source }
    }
}

/// The folder of the secrets that the migrations of a service need.
pub(crate) fn migrate_folder(service: &str) -> String {
    format!("{service}-migrate")
}

/// A random password.
pub(crate) fn new_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect()
}

/// The content of a file; `None` if it does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<String>, SecretFileError> {
    match fs::read_to_string(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SecretFileError::of(path)(error)),
    }
}

/// The password in the address that a file holds; a new one if there is none.
pub(crate) fn kept_password(path: &Path) -> Result<String, SecretFileError> {
    let known = read(path)?;
    Ok(known.as_deref().and_then(password_of).unwrap_or_else(new_password))
}

/// The password in an address.
fn password_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (user, _) = rest.split_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(password.to_owned())
}

/// Writes a file, completely or not at all.
pub(crate) fn write(path: &Path, mode: u32, content: &str) -> Result<(), SecretFileError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(SecretFileError::of(folder))?;
    }
    let new = path.with_extension("new");
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(SecretFileError::of(&new))?;
    fs::rename(&new, path).map_err(SecretFileError::of(path))
}
