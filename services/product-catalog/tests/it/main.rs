//! The catalogue as clients and other services see it, on a real database and a real broker.

// Makes lints treat helpers as test code.
#![cfg(test)]

mod access;
mod changes;
mod imports;
mod imports_of_files;
mod operations;
mod pressure;
mod products;
mod sales;
mod search_settings;
mod snapshot;
mod suite;
