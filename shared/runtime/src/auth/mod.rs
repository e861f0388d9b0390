//! Authentication and authorisation by bearer tokens: JSON Web Tokens of the suite, signed with Ed25519, and of another issuer
//! (OIDC).

mod caller;
mod claims;
mod extractor;
mod issuer;
mod key;
mod key_error;
mod key_set;
mod keys;
mod policy;
mod renewal;
mod role;
mod scope;
mod settings;
mod token;
mod verifier;

pub use caller::Caller;
pub use claims::{AUDIENCE, ISSUER, TokenError};
pub(crate) use extractor::bearer_token;
pub use key::SigningKey;
pub use key_error::{KeyError, OidcError};
pub use renewal::Renewal;
pub use role::{InvalidRoleMapping, Role, RoleMapping, UnknownRole};
pub use scope::{Scope, UnknownScope};
pub use settings::{Oidc, Tokens};
pub use token::{mint, mint_renewal};
pub use verifier::Verifier;
