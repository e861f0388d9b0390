//! Tests of the testkit against servers of their own.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod guards;
mod postgres;
mod process;
mod proxy;
mod rabbitmq;
mod wait;
