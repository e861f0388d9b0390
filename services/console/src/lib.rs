#![doc = include_str!("../README.md")]

pub mod config;

pub mod pages;
pub mod proxy;
pub mod session;

pub mod dead_letters;
pub mod ops;
pub mod queues;
pub mod service_health;
pub mod tap;

pub mod app;

pub mod cli;
pub mod keygen;
pub mod seed;
pub mod token;

use runtime::Service;

/// What this program is.
pub const SERVICE: Service = Service {
    name: "console",
    about: "The face of the suite: the shop, the live operations page, and the proxy to every service.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8080",
};
