//! The console as a browser meets it: real HTTP, a real broker, upstreams on ports of their own.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod keys;
mod ops;
mod pages;
mod proxy;
mod seed;
mod session;
mod suite;
