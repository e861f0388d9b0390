#![doc = include_str!("../README.md")]

mod request;

mod batch;
mod claim;
mod execute;

use sqlx::migrate::Migrator;

pub use crate::{
    batch::{find_all, store_all},
    claim::delete_expired,
    execute::{Executed, execute},
    request::{Request, StoredResponse, request_body},
};

/// Migrations of the schema `idempotency` in the service's database, which stores requests and their responses.
pub static MIGRATOR: Migrator = sqlx::migrate!();
