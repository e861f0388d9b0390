//! Creates the keys of a new installation. Existing files stay as they are, but for certificates that end soon.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use runtime::auth::{KeyError, SigningKey};
use tls::authority::AuthorityError;

use crate::{
    broker_users::{self, BrokerUsersError},
    certificates::Certificates,
    config::SERVICES,
    database_passwords,
    secret_files::SecretFileError,
};

/// The files of the keys.
#[derive(Debug, Clone, clap::Args)]
pub struct Files {
    /// File of the private key that signs tokens (Ed25519, PKCS#8, DER).
    #[arg(long, env = "TOKEN_KEY_FILE")]
    pub token_key_file: PathBuf,
    /// File of the public key that verifies tokens (SPKI, DER).
    #[arg(long, env = "TOKEN_PUBLIC_KEY_FILE")]
    pub token_public_key_file: PathBuf,
    /// Sign tokens with a new key from now on. The file of the public key becomes a key set with the former key, so that its tokens stay
    /// valid. Restart the console afterwards.
    #[arg(long)]
    pub rotate_token_key: bool,
    /// File of the secret that signs webhooks: 64 hexadecimal digits.
    #[arg(long, env = "WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
    /// File of the key that signs visitor ids: 64 hexadecimal digits.
    #[arg(long, env = "VISITOR_KEY_FILE")]
    pub visitor_key_file: Option<PathBuf>,
    /// Folder of the secrets, with a folder per program: `message.key`, which signs the messages of a service (Ed25519, PKCS#8, DER),
    /// `amqp.url`, the address of the broker, and `database.url`. `<service>-migrate` is for the migrations of a service.
    #[arg(long, env = "SECRETS", requires = "message_public_keys")]
    pub secrets: Option<PathBuf>,
    /// Folder of the public keys that verify messages (SPKI, DER): `<service>/<name>.pub`.
    #[arg(long, env = "MESSAGE_PUBLIC_KEYS")]
    pub message_public_keys: Option<PathBuf>,
    /// Host and port of the broker, for the addresses with a user per program.
    #[arg(long, env = "BROKER_ADDRESS", requires_all = ["broker_definitions", "secrets"])]
    pub broker_address: Option<String>,
    /// File of the definitions that the broker loads when it starts: users, permissions, exchanges, queues and bindings.
    #[arg(long, env = "BROKER_DEFINITIONS")]
    pub broker_definitions: Option<PathBuf>,
    /// Host and port of the database server, for the addresses with a role per program.
    #[arg(long, env = "DATABASE_ADDRESS", requires_all = ["database_folder", "secrets"])]
    pub database_address: Option<String>,
    /// Folder of the database server: `roles.sql`, which creates roles and databases in an empty server, and `superuser.password`.
    #[arg(long, env = "DATABASE_FOLDER")]
    pub database_folder: Option<PathBuf>,
    #[command(flatten)]
    pub certificates: Certificates,
}

/// Why a key cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum KeygenError {
    #[error("cannot create a pair of keys")]
    Keys(#[from] KeyError),
    #[error("cannot write the secret {}", .0.display())]
    Secret(PathBuf, #[source] io::Error),
    #[error("cannot create the users of the broker")]
    BrokerUsers(#[from] BrokerUsersError),
    #[error("cannot create the certificates")]
    Certificates(#[from] AuthorityError),
    #[error("cannot create the passwords of the database")]
    DatabasePasswords(#[from] SecretFileError),
    #[error("cannot create the folder of {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
}

/// Creates missing files, and renews certificates that end soon. The public key always belongs to the private key.
pub fn run(files: &Files) -> Result<(), KeygenError> {
    let Files { token_key_file, token_public_key_file, .. } = files;
    for file in [token_key_file, token_public_key_file] {
        make_folder_of(file)?;
    }
    if !token_key_file.exists() {
        SigningKey::generate()?.write_pair(token_key_file, token_public_key_file)?;
        tracing::info!(file = %token_key_file.display(), "created a key pair");
    } else if !token_public_key_file.exists() {
        SigningKey::read(token_key_file)?.write_pair(token_key_file, token_public_key_file)?;
        tracing::info!(file = %token_public_key_file.display(), "restored the public key");
    }
    if files.rotate_token_key {
        let key = SigningKey::generate()?;
        // Services must know the key before the first token that it signs.
        key.write_rotated(token_public_key_file)?;
        key.write_private(token_key_file)?;
        tracing::info!(file = %token_key_file.display(), "rotated the key; restart the console");
    }
    for file in [&files.webhook_secret_file, &files.visitor_key_file].into_iter().flatten() {
        make_folder_of(file)?;
        write_secret(file).map_err(|error| KeygenError::Secret(file.clone(), error))?;
    }
    if let (Some(private), Some(public)) = (&files.secrets, &files.message_public_keys) {
        for service in SERVICES {
            let private = private.join(service).join("message.key");
            create_pair(&private, &public.join(service).join("first.pub"))?;
        }
    }
    if let (Some(address), Some(secrets), Some(definitions)) =
        (&files.broker_address, &files.secrets, &files.broker_definitions)
    {
        let is_encrypted = files.certificates.are_used();
        let target = broker_users::Target { address, is_encrypted, secrets, definitions };
        broker_users::create(&target)?;
    }
    if let (Some(address), Some(secrets), Some(server)) =
        (&files.database_address, &files.secrets, &files.database_folder)
    {
        let is_encrypted = files.certificates.are_used();
        let target = database_passwords::Target { address, is_encrypted, secrets, server };
        database_passwords::create(&target)?;
    }
    if let Some(secrets) = &files.secrets {
        files.certificates.renew(secrets)?;
    }
    Ok(())
}

/// Creates a pair of keys that sign messages, unless the private key exists. Then its public key may have been replaced by that of its
/// successor.
fn create_pair(private: &Path, public: &Path) -> Result<(), KeygenError> {
    make_folder_of(private)?;
    make_folder_of(public)?;
    if !private.exists() {
        SigningKey::generate()?.write_pair(private, public)?;
        tracing::info!(file = %private.display(), "created a key pair");
    }
    Ok(())
}

fn make_folder_of(file: &Path) -> Result<(), KeygenError> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| KeygenError::Folder(file.to_owned(), error))
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

    use super::{Certificates, Files, run};

    #[test]
    fn missing_files_are_created_and_existing_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            token_key_file: folder.path().join("keys/token.der"),
            token_public_key_file: folder.path().join("keys/token.pub.der"),
            rotate_token_key: false,
            webhook_secret_file: Some(folder.path().join("keys/webhook")),
            visitor_key_file: Some(folder.path().join("keys/visitor")),
            secrets: Some(folder.path().join("secrets")),
            message_public_keys: Some(folder.path().join("keys/message")),
            broker_address: None,
            broker_definitions: None,
            certificates: Certificates::default(),
            database_address: None,
            database_folder: None,
        };
        run(&files).unwrap();
        let read = || {
            [
                std::fs::read(&files.token_key_file).unwrap(),
                std::fs::read(&files.token_public_key_file).unwrap(),
                std::fs::read(files.webhook_secret_file.as_ref().unwrap()).unwrap(),
                std::fs::read(files.visitor_key_file.as_ref().unwrap()).unwrap(),
                std::fs::read(folder.path().join("secrets/order/message.key")).unwrap(),
                std::fs::read(folder.path().join("keys/message/order/first.pub")).unwrap(),
            ]
        };
        let before = read();
        assert_eq!((before[2].len(), before[3].len()), (64, 64));
        assert_ne!(before[2], before[3]);
        std::fs::remove_file(&files.token_public_key_file).unwrap();
        run(&files).unwrap();
        assert_eq!(read(), before);
        let token = || {
            let key = SigningKey::read(&files.token_key_file).unwrap();
            mint(&key, "operator", &[Scope::Ops], Duration::from_mins(1)).unwrap()
        };
        let first = token();
        let verifier = Verifier::read(&files.token_public_key_file).unwrap();
        assert!(verifier.verify(&first).unwrap().has(Scope::Ops));

        run(&Files { rotate_token_key: true, ..files.clone() }).unwrap();
        let second = token();
        assert!(verifier.verify(&second).is_err(), "it is another key");
        let verifier = Verifier::read(&files.token_public_key_file).unwrap();
        assert!(verifier.verify(&first).is_ok() && verifier.verify(&second).is_ok());
    }
}
