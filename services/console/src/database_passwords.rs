//! The passwords of the database roles: random ones, each in the folder of the program that needs it, and what the server loads when
//! its data directory is created.
//!
//! The roles are those of `cargo xtask roles`.

use std::path::Path;

use crate::{
    config::{DATABASES, SERVICES},
    names::SERVICE,
    secret_files::{self, SecretFileError, kept_password, migrate_folder, new_password},
};

/// Where the passwords are written.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// Host and port of the server.
    pub(crate) address: &'a str,
    /// Whether connections are encrypted, and the server has a certificate of the suite.
    pub(crate) is_encrypted: bool,
    /// Folder of the secrets, with a folder per program.
    pub(crate) secrets: &'a Path,
    /// Folder of the server: SQL with the roles, and the password of the superuser.
    pub(crate) server: &'a Path,
}

/// Creates missing passwords, and writes the addresses with them and the SQL with their verifiers. Existing passwords stay.
pub(crate) fn create(target: &Target<'_>) -> Result<(), SecretFileError> {
    let mut passwords = Vec::new();
    for service in DATABASES {
        let owner = database_roles::owner_of(service);
        for (folder, role) in [(service.to_owned(), service), (migrate_folder(service), &owner)] {
            let file = target.secrets.join(folder).join("database.url");
            let password = kept_password(&file)?;
            let url = target.url(role, &password, service);
            secret_files::write(&file, 0o600, &url)?;
            passwords.push((role.to_owned(), password));
        }
    }
    for (role, file, databases) in [
        (database_roles::AUDIT, format!("{}/audit.databases", SERVICE.name), &SERVICES[..]),
        (database_roles::RECONCILE, "operator/subscriber.databases".to_owned(), &SERVICES),
        (database_roles::BACKUP, "operator/backup.databases".to_owned(), &DATABASES),
    ] {
        let file = target.secrets.join(file);
        let password = kept_password(&file)?;
        let url = |database: &&str| format!("{database}={}", target.url(role, &password, database));
        let databases: Vec<String> = databases.iter().map(url).collect();
        secret_files::write(&file, 0o600, &databases.join(","))?;
        passwords.push((role.to_owned(), password));
    }
    let verifier = |role: &str| {
        let password = passwords.iter().find(|(known, _)| known == role);
        password.map(|(_, password)| database_roles::scram_verifier(password))
    };
    // The server runs under another account, so all may read the verifiers. They are no passwords.
    let script = database_roles::script(&DATABASES, verifier);
    secret_files::write(&target.server.join("roles.sql"), 0o644, &script)?;
    // Read as root, before the server changes its account.
    let superuser = target.server.join("superuser.password");
    if secret_files::read(&superuser)?.is_none() {
        secret_files::write(&superuser, 0o600, &new_password())?;
    }
    Ok(())
}

impl Target<'_> {
    fn url(&self, role: &str, password: &str, database: &str) -> String {
        let mode = if self.is_encrypted { "?sslmode=verify-full" } else { "" };
        format!("postgres://{role}:{password}@{}/{database}{mode}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use audit::Databases;

    use super::{Target, create};

    #[test]
    fn each_program_has_only_its_own_passwords_and_they_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (secrets, server) = (folder.path().join("secrets"), folder.path().join("database"));
        let target = Target {
            address: "postgres:5432",
            is_encrypted: true,
            secrets: &secrets,
            server: &server,
        };
        create(&target).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let files = [
            "secrets/order/database.url",
            "secrets/order-migrate/database.url",
            "secrets/console/audit.databases",
            "secrets/console/database.url",
            "secrets/console-migrate/database.url",
            "secrets/operator/subscriber.databases",
            "secrets/operator/backup.databases",
            "database/superuser.password",
        ];
        let first = files.map(read);
        assert!(first[0].starts_with("postgres://order:"), "{}", first[0]);
        assert!(first[0].ends_with("@postgres:5432/order?sslmode=verify-full"), "{}", first[0]);
        assert!(first[1].starts_with("postgres://order-owner:"), "{}", first[1]);
        assert!(first[2].parse::<Databases>().is_ok());
        for file in files {
            let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let roles = read("database/roles.sql");
        for password in first[..2].iter().map(|url| url.split([':', '@']).nth(2).unwrap()) {
            assert!(!roles.contains(password), "the server gets verifiers alone");
        }
        create(&target).unwrap();
        assert_eq!(files.map(read), first);
    }
}
