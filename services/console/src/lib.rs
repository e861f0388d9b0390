#![doc = include_str!("../README.md")]

pub mod http;
mod workers;

mod broker;
mod dead_letters;
mod event_batch;
pub mod proxy;
mod queues;
mod service_client;
mod sessions;
mod status;
mod viewers;

pub mod config;
pub mod server;
mod state;

pub mod cli;
pub mod keygen;
pub mod seed;
pub mod token;

use runtime::Service;

/// The name, version and default address of this program.
pub const SERVICE: Service = Service {
    name: "console",
    about: "Web front end of the suite: storefront, operations page, and a proxy to every service.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8080",
};
