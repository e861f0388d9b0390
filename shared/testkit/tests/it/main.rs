//! Tests of the testkit with its own servers.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod isolation;
mod postgres;
mod process;
mod proxy;
mod rabbitmq;
mod wait;
