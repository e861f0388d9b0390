//! The command line of `cargo xtask`, and how it runs cargo.
//!
//! `xtask` itself depends on little, so that `cargo xtask token` compiles little. The commands live in
//! programs of their own, which parse the same command line again: `suite` (up, down, test, token …), `bench`
//! and `chaos`.

pub mod arguments;
pub mod cargo;
pub mod programs;
pub mod workspace;

pub use crate::arguments::{Arguments, Command};
