//! A key pair per test, and tokens signed with it.

use std::{path::PathBuf, time::Duration};

use console::config::Keys;
use runtime::{
    auth::{Scope, SigningKey, Verifier, mint},
    config::Oidc,
};
use tempfile::TempDir;

pub struct Keyring {
    private: PathBuf,
    public: PathBuf,
    pub signing: SigningKey,
}

impl Keyring {
    /// Writes a new key pair. The console reads it at start-up; `folder` may be deleted afterwards.
    pub fn write(folder: &TempDir) -> Keyring {
        let (private, public) =
            (folder.path().join("token.der"), folder.path().join("token.pub.der"));
        let signing = SigningKey::generate().unwrap();
        signing.write_pair(&private, &public).unwrap();
        Keyring { private, public, signing }
    }

    pub fn files(&self) -> Keys {
        Keys {
            token_key_file: Some(self.private.clone()),
            token_public_key_file: Some(self.public.clone()),
            oidc: Oidc::default(),
        }
    }

    pub fn token(&self, scopes: &[Scope]) -> String {
        mint(&self.signing, "tester", scopes, Duration::from_mins(1)).unwrap()
    }

    pub fn verifier(&self) -> Verifier {
        self.signing.verifier()
    }
}
