#![doc = include_str!("../README.md")]

pub mod audit;
mod call;
mod error;
mod programs;
mod shop;
mod streams;

pub use call::Answer;
pub use error::Error;
pub use programs::{SERVICES, programs_folder};
pub use shop::{Servers, Shop, second};
