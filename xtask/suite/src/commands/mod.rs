//! The commands, one file each.

mod back_off;
mod continued;
mod declared;
mod readiness;
mod sample;

pub(crate) mod audit;
pub(crate) mod dead_letters;
pub(crate) mod down;
pub(crate) mod import;
pub(crate) mod reconcile;
pub(crate) mod replay;
pub(crate) mod republish;
pub(crate) mod roles;
pub(crate) mod sqlx_prepare;
pub(crate) mod staff;
pub(crate) mod supervise;
pub(crate) mod test;
pub(crate) mod token;
pub(crate) mod topology;
pub(crate) mod up;
