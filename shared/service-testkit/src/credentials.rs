//! The signing key of a test, and what is made of it.

use std::{path::PathBuf, time::Duration};

use runtime::{
    auth::{Scope, SigningKey, mint},
    clients::ClientLimits,
    config::{
        Broker, Common, Database, Http, MessageLog, Oidc, Outbox, Shutdown, Signatures, Tls, Tokens,
    },
};
use tempfile::TempDir;

/// A signing key, and a folder for it and for other files of the test.
pub struct Credentials {
    key: SigningKey,
    folder: TempDir,
}

impl Default for Credentials {
    fn default() -> Self {
        Self::new()
    }
}

impl Credentials {
    /// Generates a key and writes its pair of files.
    pub fn new() -> Self {
        let (key, folder) = (SigningKey::generate().unwrap(), tempfile::tempdir().unwrap());
        let credentials = Self { key, folder };
        let private = credentials.file("private.der");
        credentials.key.write_pair(private, credentials.file("public.der")).unwrap();
        credentials
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A token for `subject` with `scopes`, valid for an hour.
    pub fn token(&self, subject: &str, scopes: &[Scope]) -> String {
        mint(&self.key, subject, scopes, Duration::from_hours(1)).unwrap()
    }

    /// The common configuration of a service on a free port of the loopback interface, without bounds per client: tests send
    /// many requests from one address.
    pub fn common(&self, database_url: &str, amqp_url: &str) -> Common {
        Common {
            database: Database::at(database_url),
            broker: Broker::at(amqp_url),
            outbox: Outbox::default(),
            message_log: MessageLog::default(),
            signatures: Signatures::default(),
            http: Http { client_limits: ClientLimits::OFF, ..Http::at(([127, 0, 0, 1], 0).into()) },
            tls: Tls::default(),
            tokens: Tokens { public_key_file: self.file("public.der"), oidc: Oidc::default() },
            shutdown: Shutdown::default(),
        }
    }
}
