//! The secrets of the suite, generated once and stored in `target/suite/keys/`.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rand::{Rng as _, distr::Alphanumeric};
use runtime::auth::{Scope, SigningKey, mint};
use xtask::workspace;

use crate::{error::Error, folder::make_folder, services::SERVICES};

/// The lifetime of a minted token: a working day.
const LIFETIME: Duration = Duration::from_hours(12);

/// The files of the secrets.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs tokens.
    pub token_key: PathBuf,
    /// Verifies tokens.
    pub token_public_key: PathBuf,
    /// Signs the webhooks of payment providers and carriers.
    pub webhook_secret: PathBuf,
    /// Signs visitor ids.
    pub visitor_key: PathBuf,
    /// The public keys of all services, which verify messages.
    pub message_public_keys: PathBuf,
    /// The folder of the private keys that sign messages.
    private_folder: PathBuf,
    /// The folder of the passwords of the broker's users.
    broker_passwords: PathBuf,
    /// The folder of the passwords of the database roles.
    database_passwords: PathBuf,
}

impl Keys {
    /// The names of the files, whether they exist or not.
    pub fn in_suite() -> Self {
        let folder = workspace::suite().join("keys");
        Self {
            token_key: folder.join("token.key"),
            token_public_key: folder.join("token.pub"),
            webhook_secret: folder.join("webhook.secret"),
            visitor_key: folder.join("visitor.key"),
            message_public_keys: folder.join("message-public"),
            private_folder: folder.join("message"),
            broker_passwords: folder.join("broker"),
            database_passwords: folder.join("database"),
        }
    }

    /// The private key with which a service signs its messages.
    pub fn message_key(&self, service: &str) -> PathBuf {
        self.private_folder.join(format!("{service}.key"))
    }

    /// The password of a program's user of the broker. It is generated when it is first needed.
    pub fn broker_password(&self, program: &str) -> Result<String, Error> {
        password(&self.broker_passwords, program)
    }

    /// The password of a database role. It is generated when it is first needed.
    pub fn database_password(&self, role: &str) -> Result<String, Error> {
        password(&self.database_passwords, role)
    }

    /// Generates the missing ones.
    pub fn make(&self) -> Result<(), Error> {
        if let Some(folder) = self.token_key.parent() {
            make_folder(folder)?;
        }
        // The public key is written last: if it exists, the pair is complete.
        if !self.token_public_key.exists() {
            SigningKey::generate()?.write_pair(&self.token_key, &self.token_public_key)?;
        }
        for secret in [&self.webhook_secret, &self.visitor_key] {
            if !secret.exists() {
                write_secret(secret)?;
            }
        }
        self.make_message_keys()
    }

    /// Generates the missing pairs of keys for messages.
    fn make_message_keys(&self) -> Result<(), Error> {
        make_folder(&self.private_folder)?;
        for service in SERVICES {
            let folder = self.message_public_keys.join(service.name);
            make_folder(&folder)?;
            let public_key = folder.join("first.pub");
            if !public_key.exists() {
                let private_key = self.message_key(service.name);
                SigningKey::generate()?.write_pair(&private_key, &public_key)?;
            }
        }
        Ok(())
    }

    /// Mints a token for `subject` with `scopes`.
    pub fn token(&self, subject: &str, scopes: &[Scope]) -> Result<String, Error> {
        if !self.token_key.exists() {
            return Err(Error::NotRunning);
        }
        Ok(mint(&SigningKey::read(&self.token_key)?, subject, scopes, LIFETIME)?)
    }
}

/// The password in the file with this name. It is generated when it is first needed.
fn password(folder: &Path, name: &str) -> Result<String, Error> {
    let path = folder.join(name);
    if !path.exists() {
        make_folder(folder)?;
        write_secret(&path)?;
    }
    fs::read_to_string(&path).map_err(Error::file(&path))
}

/// Writes a random text of at least 256 bits, completely or not at all.
fn write_secret(path: &Path) -> Result<(), Error> {
    let text: String = rand::rng().sample_iter(Alphanumeric).take(48).map(char::from).collect();
    let fresh = path.with_extension("new");
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::file(&fresh))?;
    fs::rename(&fresh, path).map_err(Error::file(path))
}
