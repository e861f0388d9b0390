//! The secrets of the suite, made once and kept in `target/suite/keys/`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use runtime::auth::{Scope, SigningKey, mint};

use crate::failure::Failure;
use crate::workspace;

/// How long a minted token is good: a working day.
const LIFETIME: Duration = Duration::from_hours(12);

/// Where the secrets are.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Signs tokens.
    pub(crate) token_key: PathBuf,
    /// Verifies them.
    pub(crate) token_public_key: PathBuf,
    /// Signs what payment providers and carriers call back with.
    pub(crate) webhook_secret: PathBuf,
}

impl Keys {
    /// The names of the files, whether they are there or not.
    pub(crate) fn in_suite() -> Self {
        let folder = workspace::suite().join("keys");
        Self {
            token_key: folder.join("token.key"),
            token_public_key: folder.join("token.pub"),
            webhook_secret: folder.join("webhook.secret"),
        }
    }

    /// Makes those that are missing.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        if let Some(folder) = self.token_key.parent() {
            workspace::make_folder(folder)?;
        }
        // The public key is written last: where it is, the pair is whole.
        if !self.token_public_key.exists() {
            SigningKey::generate()?.write_pair(&self.token_key, &self.token_public_key)?;
        }
        if !self.webhook_secret.exists() {
            write_secret(&self.webhook_secret)?;
        }
        Ok(())
    }

    /// A token for `subject` that may do `scopes`.
    pub(crate) fn token(&self, subject: &str, scopes: &[Scope]) -> Result<String, Failure> {
        if !self.token_key.exists() {
            return Err(Failure::NotRunning);
        }
        Ok(mint(&SigningKey::read(&self.token_key)?, subject, scopes, LIFETIME)?)
    }
}

/// Writes a random text of 256 bits and more, whole or not at all.
fn write_secret(path: &Path) -> Result<(), Failure> {
    let text: String = rand::rng().sample_iter(Alphanumeric).take(48).map(char::from).collect();
    let fresh = path.with_extension("new");
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Failure::file(&fresh))?;
    fs::rename(&fresh, path).map_err(Failure::file(path))
}
