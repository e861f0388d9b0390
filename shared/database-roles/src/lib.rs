#![doc = include_str!("../README.md")]

mod names;
mod scram;
mod sql;

pub use crate::{
    names::{AUDIT, BACKUP, READERS, RECONCILE, all_roles, owner_of},
    scram::scram_verifier,
    sql::{GRANTS_ON_TABLES, create_roles, grant, script},
};
