//! The private key of a service, read again when its file changes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use ed25519_dalek::{Signer as _, SigningKey, pkcs8::DecodePrivateKey as _};

use super::{
    MessageSignature, id_of_private,
    public_keys::{PublicKeys, SignatureKeyError},
};
use crate::error::causes;

/// How often the file is looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Signs the messages of a service.
#[derive(Debug)]
pub(super) struct Signer {
    service: &'static str,
    file: PathBuf,
    /// The keys that subscribers have, if they are known here.
    keys: Option<Arc<PublicKeys>>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    key: SigningKey,
    id: String,
    /// When the file was last changed, as far as it was read.
    modified: Option<SystemTime>,
    checked_at: Instant,
}

impl Signer {
    pub(super) fn open(
        service: &'static str,
        file: &Path,
        keys: Option<Arc<PublicKeys>>,
    ) -> Result<Self, SignatureKeyError> {
        let modified = modified(file);
        let (key, id) = read(service, file, keys.as_deref())?;
        let current = Current { key, id, modified, checked_at: Instant::now() };
        Ok(Self { service, file: file.to_owned(), keys, current: Mutex::new(current) })
    }

    /// Signs with the key of this moment. Each message names its key, so keys may change between two messages of a round.
    pub(super) fn sign(&self, bytes: &[u8]) -> MessageSignature {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.checked_at.elapsed() >= CHECK_INTERVAL {
            self.refresh(&mut current);
        }
        MessageSignature::new(&current.id, &current.key.sign(bytes))
    }

    /// Takes another key if there is one. One that cannot be used, such as a file that is being written, changes nothing: what is
    /// accepted must be published.
    fn refresh(&self, current: &mut Current) {
        current.checked_at = Instant::now();
        let modified = modified(&self.file);
        if modified.is_none() || modified == current.modified {
            return;
        }
        match read(self.service, &self.file, self.keys.as_deref()) {
            Ok((key, id)) => {
                if id != current.id {
                    tracing::info!(id, former = current.id, "messages are signed with another key");
                }
                (current.key, current.id, current.modified) = (key, id, modified);
            }
            Err(error) => {
                metrics::counter!("messaging_signing_key_errors_total").increment(1);
                tracing::error!(causes = ?causes(&error), "the new key is not used; messages are signed with the former one");
            }
        }
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// Reads the key and its id. Subscribers must be able to know it.
fn read(
    service: &'static str,
    file: &Path,
    keys: Option<&PublicKeys>,
) -> Result<(SigningKey, String), SignatureKeyError> {
    let der = fs::read(file).map_err(|error| SignatureKeyError::Read(file.to_owned(), error))?;
    let key = SigningKey::from_pkcs8_der(&der)
        .map_err(|error| SignatureKeyError::NotPrivate(file.to_owned(), error))?;
    let id = id_of_private(&key);
    match keys {
        Some(keys) if keys.find(service, &id).is_none() => {
            let folder = keys.folder().to_owned();
            Err(SignatureKeyError::NotPublished { folder, service, id })
        }
        _ => Ok((key, id)),
    }
}
