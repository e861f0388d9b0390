//! Errors of key files.

use std::{io, path::PathBuf};

use tls::TlsError;

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
    #[error("{} holds no key that verifies tokens", .0.display())]
    NoKeys(PathBuf),
    #[error("the issuer of tokens is not configured correctly")]
    Oidc(#[from] OidcError),
    #[error("the key cannot be encoded")]
    Encode(#[source] ed25519_dalek::pkcs8::Error),
}

/// The settings of an issuer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error("OIDC_ISSUER needs OIDC_AUDIENCE: the audience of its tokens that are for the shop")]
    NoAudience,
    #[error("`{0}` is not an https address; http is for the loopback interface alone")]
    NotEncrypted(String),
    #[error("the certificates of the issuer's CA cannot be used")]
    Tls(#[from] TlsError),
}
