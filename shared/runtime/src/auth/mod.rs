//! Authentication and authorisation by bearer tokens: JSON Web Tokens signed with Ed25519.

mod caller;
mod claims;
mod extractor;
mod key;
mod key_error;
mod scope;
mod token;
mod verifier;

pub use caller::Caller;
pub use claims::{ISSUER, TokenError};
pub(crate) use extractor::bearer_token;
pub use key::SigningKey;
pub use key_error::KeyError;
pub use scope::{Scope, UnknownScope};
pub use token::mint;
pub use verifier::Verifier;
