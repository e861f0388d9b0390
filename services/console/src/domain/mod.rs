//! Decisions as pure functions of data and time.

mod account;
mod renewal;
mod totp;

pub(crate) use account::{Account, Email, InvalidEmail, InvalidPassword, Password};
pub(crate) use renewal::{RenewalDecision, Session, decide};
pub(crate) use totp::TotpSecret;
