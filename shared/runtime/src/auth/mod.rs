//! Authentication and authorisation by bearer tokens: JSON Web Tokens signed with Ed25519.

mod caller;
mod key;
mod scope;
mod token;

pub use caller::Caller;
pub use key::{KeyError, SigningKey};
pub use scope::{Scope, UnknownScope};
pub use token::{ISSUER, TokenError, Verifier, mint};
