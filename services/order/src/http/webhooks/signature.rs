//! Webhook signatures: HMAC-SHA256 of time and body. The time limits how long a captured webhook can be replayed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The allowed difference between the time of a signature and our clock, in both directions.
const TOLERANCE: Duration = Duration::from_mins(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadSignature {
    /// The header is absent or has another form.
    #[error("X-Signature must be `t=<seconds of Unix time>,v1=<HMAC-SHA256 in hexadecimal>`")]
    Malformed,
    #[error("the time of the signature differs by more than {} minutes", TOLERANCE.as_secs() / 60)]
    Stale,
    /// It was made with another secret, for another time or for another body.
    #[error("the signature does not match the time and the body")]
    Mismatch,
}

/// Verifies that `header`, in the form `t=…,v1=…`, signs `<t>.<body>` with `secret`. One of several `v1` must match, so
/// that a provider can rotate its secret.
pub(super) fn verify(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), BadSignature> {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", seconds)) => time = Some(seconds),
            Some(("v1", hex)) => signatures.push(from_hex(hex).ok_or(BadSignature::Malformed)?),
            // Unknown signature schemes are ignored.
            Some(_) => {}
            None => return Err(BadSignature::Malformed),
        }
    }
    let time = time.ok_or(BadSignature::Malformed)?;
    let signed_at = time.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let signed_at = signed_at.filter(|_| !signatures.is_empty()).ok_or(BadSignature::Malformed)?;
    if (now - signed_at).abs().to_std().is_ok_and(|difference| difference > TOLERANCE) {
        return Err(BadSignature::Stale);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| BadSignature::Mismatch)?;
    for part in [time.as_bytes(), b".", body] {
        mac.update(part);
    }
    let matches = signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok());
    if matches { Ok(()) } else { Err(BadSignature::Mismatch) }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{BadSignature, verify};

    /// Made with `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`.
    const HEADER: &str =
        "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_signature_by_openssl_is_valid_for_five_minutes() {
        let signed = at(1_700_000_000);
        let verify = |now| verify(b"secret", HEADER, br#"{"a":1}"#, now);
        assert_eq!(verify(signed), Ok(()));
        assert_eq!(verify(signed + TimeDelta::seconds(300)), Ok(()));
        assert_eq!(verify(signed + TimeDelta::seconds(301)), Err(BadSignature::Stale));
        assert_eq!(verify(signed - TimeDelta::seconds(301)), Err(BadSignature::Stale));
    }

    #[test]
    fn another_body_time_or_secret_is_refused() {
        let now = at(1_700_000_000);
        assert_eq!(verify(b"secret", HEADER, br#"{"a":2}"#, now), Err(BadSignature::Mismatch));
        assert_eq!(verify(b"other", HEADER, br#"{"a":1}"#, now), Err(BadSignature::Mismatch));
        let later = HEADER.replace("1700000000", "1700000001");
        assert_eq!(verify(b"secret", &later, br#"{"a":1}"#, now), Err(BadSignature::Mismatch));
    }

    #[test]
    fn one_good_signature_among_several_is_enough() {
        let two = HEADER.replace(",v1=", &format!(",v1={},v0=x,v1=", "00".repeat(32)));
        assert_eq!(verify(b"secret", &two, br#"{"a":1}"#, at(1_700_000_000)), Ok(()));
    }

    #[test]
    fn malformed_signatures_are_refused() {
        for bad in [
            "",
            "t=1",
            "v1=00",
            "t=x,v1=00",
            "t=1,v1=0",
            "t=1,v1=é",
            "t=99999999999999999,v1=00",
            "nonsense",
        ] {
            assert_eq!(verify(b"s", bad, b"", at(1)), Err(BadSignature::Malformed), "{bad}");
        }
    }
}
