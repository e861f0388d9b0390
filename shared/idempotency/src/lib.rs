#![doc = include_str!("../README.md")]

mod request;

mod batch;
mod claim;

use sqlx::migrate::Migrator;

pub use crate::{
    batch::{find_all, store_all},
    claim::{AcquiredKey, Claim, claim, delete_expired},
    request::{Request, StoredResponse},
};

/// Migrations of the schema `idempotency` in the service's database, which stores requests and their responses.
pub static MIGRATOR: Migrator = sqlx::migrate!();
