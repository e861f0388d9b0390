//! The index as its users see it: a small shop of Chinese and English products, searched in every way that shoppers type.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod catalogue;
mod finding;
mod narrowing;
mod suggesting;
mod writing;
