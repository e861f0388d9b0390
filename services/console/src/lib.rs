#![doc = include_str!("../README.md")]

pub mod http;
mod workers;

mod audits;
mod broker;
mod broker_users;
mod certificates;
mod database_passwords;
mod dead_letters;
mod event_batch;
mod open_requests;
pub mod proxy;
mod queues;
mod secret_files;
mod service_client;
mod sessions;
mod status;
mod viewers;

pub mod config;
pub mod server;
mod state;

pub mod cli;
pub mod keygen;
mod names;
pub mod seed;
pub mod token;

pub use crate::names::SERVICE;
