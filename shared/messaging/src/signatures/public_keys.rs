//! The public keys of all publishers, read again from their folder.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ed25519_dalek::{VerifyingKey, pkcs8::DecodePublicKey as _};

use super::key_id;
use crate::error::causes;

/// How often the folder is read at most: messages with invented key ids must not make it a load. Shorter than the time in which a
/// publisher notices a new key of its own: otherwise two rotations in a row would be refused.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// How long keys are used before the folder is read again: a removed key ends then.
const MAX_AGE: Duration = Duration::from_mins(1);

/// How the files of public keys end.
const EXTENSION: &str = "pub";

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignatureKeyError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file is not a private key.
    #[error("{} holds no Ed25519 private key (PKCS#8, DER)", .0.display())]
    NotPrivate(PathBuf, #[source] ed25519_dalek::pkcs8::Error),
    /// A file is not a public key.
    #[error("{} holds no Ed25519 public key (SPKI, DER)", .0.display())]
    NotPublic(PathBuf, #[source] ed25519_dalek::pkcs8::spki::Error),
    /// Subscribers would refuse everything that is signed with this key.
    #[error(
        "{} has no public key of {service} with the id {id}; add it before {service} signs with it", .folder.display()
    )]
    NotPublished { folder: PathBuf, service: &'static str, id: String },
}

/// The keys of each publisher by their ids.
type Keys = HashMap<String, HashMap<String, VerifyingKey>>;

#[derive(Debug)]
pub(super) struct PublicKeys {
    folder: PathBuf,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    keys: Keys,
    read_at: Instant,
}

impl PublicKeys {
    pub(super) fn open(folder: &Path) -> Result<Self, SignatureKeyError> {
        let loaded = Loaded { keys: read(folder)?, read_at: Instant::now() };
        Ok(Self { folder: folder.to_owned(), loaded: Mutex::new(loaded) })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A key of a publisher. If it is not known, or the keys are old, the folder is read again.
    pub(super) fn find(&self, publisher: &str, id: &str) -> Option<VerifyingKey> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let age = loaded.read_at.elapsed();
        let found = loaded.find(publisher, id);
        if age < RETRY_INTERVAL || (found.is_some() && age < MAX_AGE) {
            return found;
        }
        loaded.read_at = Instant::now();
        match read(&self.folder) {
            Ok(keys) => loaded.keys = keys,
            Err(error) => {
                tracing::error!(causes = ?causes(&error), "the public keys cannot be read again; those of before are used");
            }
        }
        loaded.find(publisher, id)
    }

    /// Makes the keys as old as if they had to be read again.
    #[cfg(test)]
    pub(super) fn expire(&self) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = loaded.read_at.checked_sub(MAX_AGE) {
            loaded.read_at = earlier;
        }
    }
}

impl Loaded {
    fn find(&self, publisher: &str, id: &str) -> Option<VerifyingKey> {
        self.keys.get(publisher)?.get(id).copied()
    }
}

fn read(folder: &Path) -> Result<Keys, SignatureKeyError> {
    let mut keys = Keys::new();
    for publisher in entries(folder)? {
        let Some(name) = publisher.file_name().and_then(|name| name.to_str()) else { continue };
        if !publisher.is_dir() {
            continue;
        }
        let of_publisher = keys.entry(name.to_owned()).or_default();
        for file in entries(&publisher)? {
            if file.extension().is_some_and(|extension| extension == EXTENSION) {
                let key = read_key(&file)?;
                of_publisher.insert(key_id(&key), key);
            }
        }
    }
    Ok(keys)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, SignatureKeyError> {
    let failed = |error| SignatureKeyError::Read(folder.to_owned(), error);
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn read_key(file: &Path) -> Result<VerifyingKey, SignatureKeyError> {
    let der = fs::read(file).map_err(|error| SignatureKeyError::Read(file.to_owned(), error))?;
    VerifyingKey::from_public_key_der(&der)
        .map_err(|error| SignatureKeyError::NotPublic(file.to_owned(), error))
}
