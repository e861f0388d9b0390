#![doc = include_str!("../README.md")]

pub mod behavior;
pub mod catalog;
pub mod inventory;
pub mod order;
pub mod receipts;
pub mod schema;
