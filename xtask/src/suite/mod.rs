//! The suite as it runs on this machine: its services, its state on the disk, its keys.

mod back_off;
mod http;
mod keys;
mod services;
mod state;

pub(crate) use back_off::BackOff;
pub(crate) use http::{Answer, Http, answer};
pub(crate) use keys::Keys;
pub(crate) use services::{CONSOLE, Ports, SEARCH_SYNC, SERVICES, Service};
pub(crate) use state::{Phase, State, Supervisor, data_folder_name};
