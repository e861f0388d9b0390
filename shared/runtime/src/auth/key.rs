//! The key pair that signs tokens, as DER files: the private key in PKCS#8, the public key in SPKI.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, KeypairBytes,
    SecretDocument,
};
use rand::TryRngCore as _;

use super::{
    key_error::KeyError,
    key_set::{self, KeySet},
    verifier::Verifier,
};

/// How many former keys still verify tokens after a rotation.
const KEPT_KEYS: usize = 2;

/// The private key that signs tokens.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Generates a key from the system's randomness.
    pub fn generate() -> Result<SigningKey, KeyError> {
        let mut seed = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut seed).map_err(KeyError::Randomness)?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// Reads a private key (PKCS#8, DER).
    pub fn read(path: impl AsRef<Path>) -> Result<SigningKey, KeyError> {
        let path = path.as_ref();
        let der = fs::read(path).map_err(|error| KeyError::Read(path.to_owned(), error))?;
        ed25519_dalek::SigningKey::from_pkcs8_der(&der)
            .map(SigningKey)
            .map_err(|error| KeyError::NotPrivate(path.to_owned(), error))
    }

    /// Writes the private key with mode 0600 and the public key, readable by all.
    pub fn write_pair(
        &self,
        private: impl AsRef<Path>,
        public: impl AsRef<Path>,
    ) -> Result<(), KeyError> {
        let spki = self.0.verifying_key().to_public_key_der();
        let spki = spki.map_err(|error| KeyError::Encode(error.into()))?;
        write(private.as_ref(), self.to_pkcs8()?.as_bytes(), 0o600)?;
        write(public.as_ref(), spki.as_bytes(), 0o644)
    }

    /// Writes the private key with mode 0600, in place of another one.
    pub fn write_private(&self, private: impl AsRef<Path>) -> Result<(), KeyError> {
        let path = private.as_ref();
        let new = path.with_extension("new");
        write(&new, self.to_pkcs8()?.as_bytes(), 0o600)?;
        fs::rename(&new, path).map_err(|error| KeyError::Write(path.to_owned(), error))
    }

    /// Puts the public key in front of those in the file at `public`, which becomes a key set, and keeps the two newest of them. Tokens
    /// that they have signed stay valid.
    pub fn write_rotated(&self, public: impl AsRef<Path>) -> Result<(), KeyError> {
        let path = public.as_ref();
        let known = KeySet::read(path)?;
        let mut keys = KeySet::of_one(&self.0.verifying_key()).into_keys();
        keys.extend(known.into_keys().into_iter().take(KEPT_KEYS));
        let document = KeySet::of(keys).document().to_string();
        // A reader sees the former file or the new one, and never a part of it.
        let new = path.with_extension("new");
        write(&new, document.as_bytes(), 0o644)?;
        fs::rename(&new, path).map_err(|error| KeyError::Write(path.to_owned(), error))
    }

    /// The verifier of the tokens that this key signs.
    pub fn verifier(&self) -> Verifier {
        Verifier::of_key(&self.0.verifying_key())
    }

    /// The id of the key in the headers of its tokens.
    pub(super) fn id(&self) -> Option<String> {
        key_set::id_of(&self.0.verifying_key())
    }

    /// PKCS#8 version 1, without the public key: every tool reads it.
    pub(super) fn to_pkcs8(&self) -> Result<SecretDocument, KeyError> {
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        bytes.to_pkcs8_der().map_err(KeyError::Encode)
    }
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| KeyError::Write(path.to_owned(), error))
}
