//! The suite as it runs on this machine: its services, its state on disk, its keys, and what its programs
//! share.

pub mod command;
mod error;
mod figures;
mod folder;
mod http;
pub mod import;
pub mod install;
mod interrupt;
mod keys;
pub mod output;
mod services;
mod state;

pub use crate::{
    error::Error,
    figures::{Figures, Target, median_ms, percentile_ms},
    folder::make_folder,
    http::{Answer, Http, answer},
    interrupt::Interrupt,
    keys::Keys,
    services::{CONSOLE, Ports, SEARCH_SYNC, SERVICES, Service, databases, with_database},
    state::{DEFAULT_LIMITS, Phase, State, Supervisor, data_folder_name},
};
