//! The catalogue as its clients and the other services see it: a real database, a real broker.

// What stands beside the tests is test code too.
#![cfg(test)]

mod access;
mod changes;
mod imports;
mod pressure;
mod products;
mod snapshot;
mod suite;
