//! Tests of the whole suite through its public routes.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod audit;
mod behavior;
mod database_roles;
mod faults;
mod orders;
mod poison;
mod products;
mod replicas;
mod rest;
mod restored_publisher;
mod returns;
mod search_settings;
mod topology;
