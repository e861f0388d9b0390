//! The console over real HTTP, with a real broker and upstream servers of each test's own.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod audits;
mod keys;
mod limits;
mod ops;
mod pages;
mod proxy;
mod roles;
mod seed;
mod session;
mod staff;
mod suite;
