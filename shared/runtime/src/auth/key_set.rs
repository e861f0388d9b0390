//! Public keys of an issuer: a JSON Web Key Set (RFC 7517), or one key in a file.

use std::{fs, path::Path};

use ed25519_dalek::{VerifyingKey, pkcs8::DecodePublicKey as _};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{
        AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
        ThumbprintHash,
    },
};
use serde_json::{Value, json};

use super::key_error::KeyError;

/// The largest number of keys that are used; issuers have two or three.
const MAX_KEYS: usize = 32;

/// The length of an RSA modulus of 2,048 bits in base64. Shorter ones are not safe.
const MIN_RSA_MODULUS: usize = 342;

const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// The public keys with which tokens of an issuer are verified.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<PublicKey>,
    /// The usable keys as a JSON Web Key Set.
    document: Value,
}

#[derive(Debug)]
struct PublicKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// One key of the suite itself.
    pub(super) fn of_one(key: &VerifyingKey) -> KeySet {
        KeySet::of(vec![own_key(key)])
    }

    /// The usable keys among `keys`; all others are ignored.
    pub(super) fn of(keys: Vec<Value>) -> KeySet {
        let usable = keys.into_iter().filter_map(|jwk| Some((PublicKey::of(&jwk)?, jwk)));
        let (keys, document): (Vec<_>, Vec<_>) = usable.take(MAX_KEYS).unzip();
        KeySet { keys, document: json!({ "keys": document }) }
    }

    /// Reads a key set; `None` if it is not one.
    pub(super) fn parse(document: &[u8]) -> Option<KeySet> {
        let mut document: Value = serde_json::from_slice(document).ok()?;
        match document.get_mut("keys").map(Value::take) {
            Some(Value::Array(keys)) => Some(KeySet::of(keys)),
            Some(_) | None => None,
        }
    }

    /// Reads a file with a public key (SPKI, DER) or a key set (JSON).
    pub(super) fn read(path: &Path) -> Result<KeySet, KeyError> {
        let bytes = fs::read(path).map_err(|error| KeyError::Read(path.to_owned(), error))?;
        if bytes.trim_ascii_start().first() == Some(&b'{') {
            let keys = KeySet::parse(&bytes).filter(|keys| !keys.keys.is_empty());
            return keys.ok_or_else(|| KeyError::NoKeys(path.to_owned()));
        }
        VerifyingKey::from_public_key_der(&bytes)
            .map(|key| KeySet::of_one(&key))
            .map_err(|error| KeyError::NotPublic(path.to_owned(), error))
    }

    /// The keys that may have signed a token with this header.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let suits = move |key: &&PublicKey| {
            (id.is_none() || key.id.as_deref() == id) && key.algorithms.contains(&algorithm)
        };
        self.keys.iter().filter(suits).map(|key| &key.key)
    }

    /// The usable keys, one by one.
    pub(super) fn into_keys(mut self) -> Vec<Value> {
        if let Value::Array(keys) = self.document["keys"].take() { keys } else { Vec::new() }
    }

    /// The usable keys as a JSON Web Key Set.
    pub(super) fn document(&self) -> &Value {
        &self.document
    }
}

impl PublicKey {
    /// `None` if the key does not verify signatures, or is of an unknown kind.
    fn of(jwk: &Value) -> Option<PublicKey> {
        let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        let verifies = jwk.common.key_operations.as_ref();
        let verifies = verifies.is_none_or(|known| known.contains(&KeyOperations::Verify));
        let is_for_signatures = jwk.common.public_key_use.as_ref();
        let is_for_signatures =
            is_for_signatures.is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        if !verifies || !is_for_signatures {
            return None;
        }
        // Above all no shared secrets.
        #[expect(clippy::wildcard_enum_match_arm, reason = "unknown kinds of keys are not used")]
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(key) if key.n.len() >= MIN_RSA_MODULUS => RSA.to_vec(),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                vec![Algorithm::ES256]
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                vec![Algorithm::ES384]
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                vec![Algorithm::EdDSA]
            }
            _ => return None,
        };
        if let Some(stated) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == stated);
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(PublicKey { id: jwk.common.key_id, algorithms, key })
    }
}

/// The id of a key of the suite: its thumbprint (RFC 7638).
pub(super) fn id_of(key: &VerifyingKey) -> Option<String> {
    let key = DecodingKey::from_ed_der(key.as_bytes());
    let jwk = Jwk::from_decoding_key(&key, Some(Algorithm::EdDSA)).ok()?;
    jwk.thumbprint(ThumbprintHash::SHA256).ok()
}

/// A key of the suite as a JSON Web Key.
fn own_key(key: &VerifyingKey) -> Value {
    let public = DecodingKey::from_ed_der(key.as_bytes());
    let jwk = Jwk::from_decoding_key(&public, Some(Algorithm::EdDSA)).map(|mut jwk| {
        jwk.common.key_id = id_of(key);
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        serde_json::to_value(jwk)
    });
    jwk.ok().and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{SigningKey, VerifyingKey};
    use jsonwebtoken::Algorithm;
    use serde_json::{Value, json};

    use super::{KeySet, id_of};

    /// The key of RFC 8037, appendix A.
    fn example() -> VerifyingKey {
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        SigningKey::from_bytes(&seed).verifying_key()
    }

    #[test]
    fn the_id_is_the_thumbprint_of_the_standard() {
        assert_eq!(
            id_of(&example()).as_deref(),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        );
    }

    #[test]
    fn a_key_set_is_written_as_it_is_read() {
        let written = KeySet::of_one(&example());
        let document = serde_json::to_vec(written.document()).unwrap();
        let read = KeySet::parse(&document).unwrap();
        assert_eq!(read.document(), written.document());
        let id = id_of(&example());
        assert_eq!(read.candidates(id.as_deref(), Algorithm::EdDSA).count(), 1);
        assert_eq!(read.candidates(None, Algorithm::EdDSA).count(), 1);
        assert_eq!(read.candidates(Some("other"), Algorithm::EdDSA).count(), 0);
        assert_eq!(read.candidates(id.as_deref(), Algorithm::HS256).count(), 0);
    }

    #[test]
    fn only_safe_public_keys_for_signatures_are_used() {
        let (x, modulus) = ("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "A".repeat(342));
        let usable = |jwk: Value| KeySet::of(vec![jwk]).keys.len() == 1;
        assert!(usable(json!({"kty": "OKP", "crv": "Ed25519", "x": x})));
        assert!(usable(json!({"kty": "RSA", "n": modulus, "e": "AQAB", "use": "sig"})));
        for bad in [
            json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "RSA", "n": modulus, "e": "AQAB", "use": "enc"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": x, "key_ops": ["sign"]}),
            json!({"kty": "new"}),
            json!("text"),
        ] {
            assert!(!usable(bad.clone()), "{bad}");
        }
        let stated = json!({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS256"});
        let keys = KeySet::of(vec![stated]);
        assert_eq!(keys.candidates(None, Algorithm::RS256).count(), 0);
        assert_eq!(keys.candidates(None, Algorithm::PS256).count(), 1);
    }
}
