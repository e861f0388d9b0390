//! Mints tokens for the running suite.

use runtime::auth::Scope;

use crate::failure::Failure;
use crate::say;
use crate::suite::Keys;

/// What a token is for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whom the token speaks for: the customer's id for `orders:read` and `orders:write`.
    #[arg(long, default_value = "operator")]
    subject: String,

    /// What it allows, such as `catalog:write` or `orders:admin`.
    #[arg(required = true)]
    scope: Vec<Scope>,
}

/// Prints a token.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    say::line(Keys::in_suite().token(&arguments.subject, &arguments.scope)?);
    Ok(())
}
