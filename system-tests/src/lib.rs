#![doc = include_str!("../README.md")]

mod call;
mod error;
mod programs;
mod roles;
mod shop;

pub use audit::SERVICES;

pub use crate::{
    call::Answer,
    error::Error,
    programs::programs_folder,
    shop::{CONSOLE, Servers, Shop, second},
};
