#![doc = include_str!("../README.md")]

pub mod amqp;
pub mod authority;
mod certificate;
mod client;
mod error;
pub mod http;
mod reloaded;
mod server;

pub use certificate::Validity;
pub use client::{ClientFiles, ClientTls};
pub use error::{Refusal, TlsError, refusal};
pub use server::{CertificateState, ServerTls};
