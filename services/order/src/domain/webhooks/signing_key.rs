//! Signatures of the Standard Webhooks specification: HMAC-SHA256 of id, time and body.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use vocabulary::WebhookMessageId;

/// A key that an endpoint and this service share. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// A key of random bytes: 24 to 64, as the specification wants.
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that the receiver configures: `whsec_` and Base64.
    pub(crate) fn to_secret(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0))
    }
}

/// The text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is whsec_ with 24 to 64 bytes in Base64")]
pub(crate) struct InvalidSecret;

impl FromStr for SigningKey {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(InvalidSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(InvalidSecret) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// The header `webhook-signature`: `v1,<Base64>` for each key, separated by spaces. `seconds` is the header
/// `webhook-timestamp`.
pub(crate) fn sign(
    keys: &[&SigningKey],
    id: WebhookMessageId,
    seconds: i64,
    body: &[u8],
) -> String {
    let signatures = keys.iter().filter_map(|key| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{InvalidSecret, SigningKey, sign};

    #[test]
    fn a_signature_equals_that_of_openssl() {
        let key = SigningKey::new(b"0123456789abcdef0123456789abcdef".to_vec());
        let other = SigningKey::new(vec![0; 24]);
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        // printf '<id>.1700000000.{"a":1}' | openssl dgst -sha256 -binary -hmac <key> | base64
        let expected = "v1,uo1PYDjnvkcJBVE1e3G5gWrXl9D8LA3QPkdyxdtpBWs=";
        assert_eq!(sign(&[&key], id, 1_700_000_000, br#"{"a":1}"#), expected);
        let both = sign(&[&other, &key], id, 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(both.split(' ').nth(1), Some(expected));
        assert_eq!(key.to_secret(), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        assert_eq!(key.to_secret().parse(), Ok(key.clone()));
        for bad in ["", "MDEy", "whsec_MDEy", "whsec_?"] {
            assert_eq!(bad.parse::<SigningKey>(), Err(InvalidSecret), "{bad}");
        }
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
    }
}
