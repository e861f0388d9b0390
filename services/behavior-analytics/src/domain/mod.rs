//! What this service knows, as plain data that learns from events and answers questions. No I/O and no clock: the
//! time is handed in.
//!
//! In reading order: [`event`] (what comes in), [`trending`], [`funnel`] and [`sessions`] (windows over it),
//! [`recommendation`] (what goes out), [`similar`] and [`companions`] (where it comes from), [`personal`] (the blend
//! for one visitor), [`model`] (all of it).

pub mod companions;
pub mod event;
pub mod funnel;
pub mod model;
pub mod personal;
pub mod recommendation;
pub mod sessions;
pub mod similar;
mod slots;
pub mod trending;
