#![doc = include_str!("../README.md")]

pub mod audit;
mod call;
mod error;
mod programs;
mod shop;
mod streams;

pub use crate::{
    call::Answer,
    error::Error,
    programs::{SERVICES, programs_folder},
    shop::{Servers, Shop, second},
};
