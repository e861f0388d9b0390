//! Mints tokens for the running suite.

use runtime::auth::Scope;
use suite::{Error, Keys, output};
use xtask::arguments::Token;

/// Prints a token.
pub(crate) fn run(arguments: &Token) -> Result<(), Error> {
    let parse = |scope: &String| scope.parse().map_err(|_| Error::Scope(scope.clone()));
    let scopes: Vec<Scope> = arguments.scope.iter().map(parse).collect::<Result<_, _>>()?;
    output::line(Keys::in_suite().token(&arguments.subject, &scopes)?);
    Ok(())
}
