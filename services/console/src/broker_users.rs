//! The users of the broker: one per program, with a random password, and what each may do.
//!
//! The definitions are those of `cargo xtask topology definitions`. The broker loads them when it starts.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    config::SERVICES,
    names::SERVICE,
    secret_files::{SecretFileError, kept_password, migrate_folder, write},
};

/// Exchanges, queues, bindings and permissions, without users.
const DEFINITIONS: &str = include_str!("../../../deploy/rabbitmq/definitions.json");

/// The scheme of AMQP, and the scheme and port of the management API.
const PLAIN: (&str, &str, u16) = ("amqp", "http", 15_672);
const ENCRYPTED: (&str, &str, u16) = ("amqps", "https", 15_671);

/// Where the users are written.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The broker's host, with the port of AMQP.
    pub(crate) address: &'a str,
    /// Whether connections are encrypted.
    pub(crate) is_encrypted: bool,
    /// Folder of the secrets, with a folder per program.
    pub(crate) secrets: &'a Path,
    /// The file that the broker loads.
    pub(crate) definitions: &'a Path,
}

/// Why the users cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum BrokerUsersError {
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("the definitions of the broker cannot be decoded")]
    Definitions(#[from] serde_json::Error),
}

/// Creates missing passwords, and writes the addresses with them and the definitions. Existing passwords stay.
pub(crate) fn create(target: &Target<'_>) -> Result<(), BrokerUsersError> {
    let (amqp, http, management_port) = if target.is_encrypted { ENCRYPTED } else { PLAIN };
    let mut definitions: Value = serde_json::from_str(DEFINITIONS)?;
    let mut users = Vec::new();
    for program in SERVICES.into_iter().chain([SERVICE.name]) {
        let folder = target.secrets.join(program);
        let file = folder.join("amqp.url");
        let password = kept_password(&file)?;
        let url = format!("{amqp}://{program}:{password}@{}/%2f", target.address);
        write(&file, 0o600, &url)?;
        if program == SERVICE.name {
            let host = target.address.split(':').next().unwrap_or_default();
            let management = format!("{http}://{program}:{password}@{host}:{management_port}");
            write(&folder.join("management.url"), 0o600, &management)?;
        } else {
            // The migrations of a service declare its queues, and see no other secret of the service.
            write(&target.secrets.join(migrate_folder(program)).join("amqp.url"), 0o600, &url)?;
        }
        // The console reads the statistics of the queues.
        let tags = if program == SERVICE.name { "monitoring" } else { "" };
        users.push(json!({
            "name": program,
            "password_hash": hash(&password, rand::random()),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": tags,
        }));
    }
    definitions["users"] = Value::Array(users);
    Ok(write(target.definitions, 0o644, &serde_json::to_string_pretty(&definitions)?)?)
}

/// The hash of a password as RabbitMQ stores it.
fn hash(password: &str, salt: [u8; 4]) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(password).finalize();
    STANDARD.encode([salt.as_slice(), &digest].concat())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::{Target, create, hash};

    #[test]
    fn passwords_stay_and_each_program_has_a_user_and_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (secrets, definitions) =
            (folder.path().join("secrets"), folder.path().join("broker/definitions.json"));
        let target = Target {
            address: "rabbitmq:5672",
            is_encrypted: false,
            secrets: &secrets,
            definitions: &definitions,
        };
        create(&target).unwrap();
        let url = || fs::read_to_string(secrets.join("order/amqp.url")).unwrap();
        let first = url();
        assert!(first.starts_with("amqp://order:") && first.ends_with("@rabbitmq:5672/%2f"));
        create(&target).unwrap();
        assert_eq!(url(), first);

        let written: Value =
            serde_json::from_str(&fs::read_to_string(&definitions).unwrap()).unwrap();
        let names = |list: &str, key: &str| {
            let mut names: Vec<String> = written[list]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one[key].as_str().unwrap().to_owned())
                .collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names("users", "name"), names("permissions", "user"));
        assert!(!written.to_string().contains(first.split(':').nth(2).unwrap()));
    }

    /// From the documentation of RabbitMQ.
    #[test]
    fn passwords_are_hashed_as_rabbitmq_does() {
        let hashed = hash("test12", [0x90, 0x8d, 0xc6, 0x0a]);
        assert_eq!(hashed, "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
    }
}
