//! Use cases.

mod change_account;
mod create_account;
mod renew;
mod sign_in;
mod staff;
mod totp;

pub(crate) use change_account::{
    AccountChange, ChangeAccountError, ChangePasswordError, change_account, change_password,
    revoke_sessions,
};
pub(crate) use create_account::{CreateAccountError, NewAccount, create_account};
pub(crate) use renew::{RenewError, renew, renew_shopper, sign_out};
pub(crate) use sign_in::{Credentials, SignInError, sign_in};
pub(crate) use staff::{Staff, StaffTokens};
pub(crate) use totp::{ConfirmTotpError, confirm_totp, enrol_totp, remove_totp};
