//! Errors of key files.

use std::{io, path::PathBuf};

/// A key could not be created, read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the system has no randomness for a new key")]
    Randomness(#[source] rand::rand_core::OsError),
    #[error("the key file {} cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("the key file {} cannot be written", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("{} holds no Ed25519 private key (PKCS#8, DER)", .0.display())]
    NotPrivate(PathBuf, #[source] ed25519_dalek::pkcs8::Error),
    #[error("{} holds no Ed25519 public key (SPKI, DER)", .0.display())]
    NotPublic(PathBuf, #[source] ed25519_dalek::pkcs8::spki::Error),
    #[error("the key cannot be encoded")]
    Encode(#[source] ed25519_dalek::pkcs8::Error),
}
