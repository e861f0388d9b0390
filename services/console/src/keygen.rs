//! Creates the keys of a new installation. Existing files stay as they are.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use runtime::auth::{KeyError, SigningKey};

/// The files of the keys.
#[derive(Debug, Clone, clap::Args)]
pub struct Files {
    /// File of the private key that signs tokens (Ed25519, PKCS#8, DER).
    #[arg(long, env = "TOKEN_KEY_FILE")]
    pub token_key_file: PathBuf,
    /// File of the public key that verifies tokens (SPKI, DER).
    #[arg(long, env = "TOKEN_PUBLIC_KEY_FILE")]
    pub token_public_key_file: PathBuf,
    /// File of the secret that signs webhooks: 64 hexadecimal digits.
    #[arg(long, env = "WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
}

/// Why a key cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum KeygenError {
    #[error("cannot create the token keys")]
    Keys(#[from] KeyError),
    #[error("cannot write the webhook secret {}", .0.display())]
    Secret(PathBuf, #[source] io::Error),
    #[error("cannot create the folder of {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
}

/// Creates missing files. The public key always belongs to the private key.
pub fn run(files: &Files) -> Result<(), KeygenError> {
    let Files { token_key_file, token_public_key_file, webhook_secret_file } = files;
    for file in [Some(token_key_file), Some(token_public_key_file), webhook_secret_file.as_ref()] {
        if let Some(file) = file
            && let Some(folder) = file.parent()
        {
            fs::create_dir_all(folder).map_err(|error| KeygenError::Folder(file.clone(), error))?;
        }
    }
    if !token_key_file.exists() {
        SigningKey::generate()?.write_pair(token_key_file, token_public_key_file)?;
        tracing::info!(file = %token_key_file.display(), "created a key pair");
    } else if !token_public_key_file.exists() {
        SigningKey::read(token_key_file)?.write_pair(token_key_file, token_public_key_file)?;
        tracing::info!(file = %token_public_key_file.display(), "restored the public key");
    }
    if let Some(file) = webhook_secret_file {
        write_secret(file).map_err(|error| KeygenError::Secret(file.clone(), error))?;
    }
    Ok(())
}

/// Writes two random UUIDs: 244 random bits.
fn write_secret(file: &Path) -> io::Result<()> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(file) {
        Ok(mut created) => {
            let halves = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
            created.write_all(halves.map(|half| half.simple().to_string()).concat().as_bytes())?;
            created.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::auth::{Scope, SigningKey, Verifier, mint};

    use super::{Files, run};

    #[test]
    fn missing_files_are_created_and_existing_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            token_key_file: folder.path().join("keys/token.der"),
            token_public_key_file: folder.path().join("keys/token.pub.der"),
            webhook_secret_file: Some(folder.path().join("keys/webhook")),
        };
        run(&files).unwrap();
        let read = || {
            [
                std::fs::read(&files.token_key_file).unwrap(),
                std::fs::read(&files.token_public_key_file).unwrap(),
                std::fs::read(files.webhook_secret_file.as_ref().unwrap()).unwrap(),
            ]
        };
        let before = read();
        assert_eq!(before[2].len(), 64);
        std::fs::remove_file(&files.token_public_key_file).unwrap();
        run(&files).unwrap();
        assert_eq!(read(), before);
        let key = SigningKey::read(&files.token_key_file).unwrap();
        let token = mint(&key, "operator", &[Scope::Ops], Duration::from_mins(1)).unwrap();
        let verifier = Verifier::read(&files.token_public_key_file).unwrap();
        assert!(verifier.verify(&token).unwrap().has(Scope::Ops));
    }
}
