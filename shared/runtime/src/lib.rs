#![doc = include_str!("../README.md")]

pub mod auth;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod config;
pub mod database;
pub mod health;
pub mod host;
pub mod http;
pub mod lifecycle;
pub mod messaging;
pub mod operations;
pub mod product_receipts;
pub mod reconcile;
pub mod replay;
pub mod schema_compatibility;
mod service;
pub mod telemetry;
pub mod watchers;

pub use lifecycle::Lifecycle;
pub use service::Service;
