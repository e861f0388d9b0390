//! Signatures of visitor ids: a client cannot invent an id that has one.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::identity::VisitorId;

/// The fewest characters of a key.
const MIN_KEY_CHARS: usize = 32;

/// What is signed begins with it, so that a signature of something else is not one of a visitor.
const CONTEXT: &[u8] = b"visitor:";

/// The keys that sign and verify. Clones share them.
#[derive(Clone)]
pub(crate) struct VisitorKeys(Arc<[Hmac<Sha256>]>);

/// The text has no key, or one that is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("each line must have a key of at least {MIN_KEY_CHARS} characters")]
pub(crate) struct WeakKey;

impl VisitorKeys {
    /// No keys: no signature is valid.
    pub(crate) fn none() -> Self {
        Self(Arc::new([]))
    }

    /// Reads one key per line. The first one signs, and all verify, so that a key can be replaced.
    pub(crate) fn parse(text: &str) -> Result<Self, WeakKey> {
        let keys = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Vec<Hmac<Sha256>> = keys
            .map(|key| match key.len() {
                ..MIN_KEY_CHARS => Err(WeakKey),
                _ => Hmac::new_from_slice(key.as_bytes()).map_err(|_| WeakKey),
            })
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(WeakKey) } else { Ok(Self(keys.into())) }
    }

    /// The signature of an id; `None` without keys.
    pub(crate) fn sign(&self, visitor: &VisitorId) -> Option<String> {
        let mac = self.0.first()?;
        Some(URL_SAFE_NO_PAD.encode(of_visitor(mac, visitor).finalize().into_bytes()))
    }

    /// Whether one of the keys signed the id.
    pub(crate) fn is_valid(&self, visitor: &VisitorId, signature: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        self.0.iter().any(|mac| of_visitor(mac, visitor).verify_slice(&signature).is_ok())
    }
}

fn of_visitor(mac: &Hmac<Sha256>, visitor: &VisitorId) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    mac.update(CONTEXT);
    mac.update(visitor.as_str().as_bytes());
    mac
}

impl fmt::Debug for VisitorKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old key of at least 32 characters";
    const NEW: &str = "a new key of at least 32 characters.";

    fn visitor(id: &str) -> VisitorId {
        VisitorId::parse(id).unwrap()
    }

    #[test]
    fn only_a_signature_of_the_same_id_is_valid() {
        let keys = VisitorKeys::parse(OLD).unwrap();
        let signature = keys.sign(&visitor("v1")).unwrap();
        assert_eq!(signature.len(), 43);
        assert!(keys.is_valid(&visitor("v1"), &signature));
        assert!(!keys.is_valid(&visitor("v2"), &signature));
        for wrong in ["", "?", &signature[1..], "AAAA"] {
            assert!(!keys.is_valid(&visitor("v1"), wrong), "{wrong}");
        }
        let none = VisitorKeys::none();
        assert!(none.sign(&visitor("v1")).is_none());
        assert!(!none.is_valid(&visitor("v1"), &signature));
    }

    #[test]
    fn a_replaced_key_still_verifies() {
        let old = VisitorKeys::parse(OLD).unwrap();
        let both = VisitorKeys::parse(&format!("{NEW}\n\n{OLD}\n")).unwrap();
        let new = VisitorKeys::parse(NEW).unwrap();
        let signed_before = old.sign(&visitor("v1")).unwrap();
        assert!(both.is_valid(&visitor("v1"), &signed_before));
        assert!(!new.is_valid(&visitor("v1"), &signed_before));
        assert_eq!(both.sign(&visitor("v1")), new.sign(&visitor("v1")));
    }

    #[test]
    fn keys_are_long() {
        for weak in ["", "\n \n", "short", &format!("{OLD}\nshort")] {
            assert_eq!(VisitorKeys::parse(weak).unwrap_err(), WeakKey, "{weak:?}");
        }
    }
}
