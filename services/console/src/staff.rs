//! The command `staff`: creates accounts from the command line, the first owner above all.

use std::path::PathBuf;

use runtime::{auth::Role, database::DatabaseError};
use sqlx::{Connection as _, PgConnection};

use crate::{
    app::{
        AccountChange, ChangeAccountError, CreateAccountError, NewAccount, change_account,
        create_account,
    },
    config::RequiredDatabase,
    database::pool_at,
    domain::{Email, InvalidEmail, InvalidPassword, Password},
    passwords::{self, PasswordError},
    secret_files::new_password,
    storage::staff,
};

/// The subject of what the command line does.
const SUBJECT: &str = "command line";

/// What to do with staff accounts.
#[derive(Debug, clap::Args)]
pub struct StaffCommand {
    #[command(flatten)]
    database: RequiredDatabase,
    #[command(subcommand)]
    action: StaffAction,
}

#[derive(Debug, clap::Subcommand)]
enum StaffAction {
    /// Create an account, and print its password.
    Add {
        /// owner, merchandiser, warehouse, support, operator or analyst.
        #[arg(long)]
        role: Role,
        /// A file with the password; without it, one is made and printed.
        #[arg(long)]
        password_file: Option<PathBuf>,
        /// The e-mail address, with which the person signs in.
        email: String,
    },
    /// Make a new password for an account, print it, remove the second factor and end all sessions.
    Reset {
        /// The e-mail address of the account.
        email: String,
    },
    /// List the accounts.
    List,
}

/// Why the command fails.
#[derive(Debug, thiserror::Error)]
pub enum StaffError {
    #[error("`{0}` is no e-mail address")]
    Email(String, #[source] InvalidEmail),
    #[error("no account has the e-mail address {0}")]
    Unknown(String),
    #[error("the file {} cannot be read", .0.display())]
    PasswordFile(PathBuf, #[source] std::io::Error),
    #[error("the password cannot be used")]
    Password(#[source] InvalidPassword),
    #[error("the password cannot be hashed")]
    Hash(#[source] PasswordError),
    #[error("the account cannot be created")]
    Create(#[from] CreateAccountError),
    #[error("the account cannot be changed")]
    Change(#[source] ChangeAccountError),
    #[error("the database of the console cannot be used; `console migrate` prepares it")]
    Database(#[from] sqlx::Error),
    #[error("the database of the console cannot be used")]
    Address(#[from] DatabaseError),
}

impl StaffCommand {
    /// Runs the command. Returns the lines to print.
    pub async fn run(self) -> Result<Vec<String>, StaffError> {
        let pool = pool_at(&self.database.url, &self.database.tls)?;
        let mut connection = pool.acquire().await?;
        match self.action {
            StaffAction::Add { role, password_file, email } => {
                let (password, is_new) = match password_file {
                    Some(file) => (read_password(&file)?, false),
                    None => (new_password(), true),
                };
                let email = parse(&email)?;
                let line = format!("{} is {role}", email.as_str());
                let password_hash = passwords::hash(&password).map_err(StaffError::Hash)?;
                let mut tx = connection.begin().await?;
                create_account(&mut tx, NewAccount { email, role, password_hash }, SUBJECT).await?;
                tx.commit().await?;
                Ok(std::iter::once(line).chain(is_new.then_some(password)).collect())
            }
            StaffAction::Reset { email } => reset(&mut connection, &email).await,
            StaffAction::List => {
                let accounts = staff::list(&mut connection, i64::MAX).await?;
                let lines = accounts.into_iter().map(|account| {
                    let state = if account.disabled_at.is_some() { ", disabled" } else { "" };
                    let totp = if account.totp.is_some() { ", with a second factor" } else { "" };
                    format!("{} is {}{totp}{state}", account.email, account.role)
                });
                Ok(lines.collect())
            }
        }
    }
}

async fn reset(connection: &mut PgConnection, email: &str) -> Result<Vec<String>, StaffError> {
    let address = parse(email)?;
    // Before the transaction, which must not wait for it.
    let password = new_password();
    let password_hash = passwords::hash(&password).map_err(StaffError::Hash)?;
    let mut tx = connection.begin().await?;
    let account = staff::find_by_email(&mut tx, &address).await?;
    let account = account.ok_or_else(|| StaffError::Unknown(email.to_owned()))?;
    let change = AccountChange {
        removes_totp: true,
        password_hash: Some(password_hash),
        ..AccountChange::default()
    };
    change_account(&mut tx, account.id, &change, SUBJECT).await.map_err(StaffError::Change)?;
    tx.commit().await?;
    Ok(vec![format!("{} has a new password", account.email), password])
}

fn parse(email: &str) -> Result<Email, StaffError> {
    email.parse().map_err(|error| StaffError::Email(email.to_owned(), error))
}

fn read_password(file: &PathBuf) -> Result<String, StaffError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| StaffError::PasswordFile(file.clone(), error))?;
    let password: Password =
        text.trim_end_matches(['\n', '\r']).parse().map_err(StaffError::Password)?;
    Ok(password.expose().to_owned())
}
