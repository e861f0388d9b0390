#![doc = include_str!("../README.md")]

mod app;
mod domain;
pub mod http;
mod storage;
mod workers;

mod audits;
mod broker;
mod broker_users;
mod certificates;
pub mod database;
mod database_passwords;
mod dead_letters;
mod event_batch;
mod open_requests;
mod passwords;
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
pub mod staff;
pub mod token;

pub use crate::names::SERVICE;
