//! Signatures of callbacks: HMAC-SHA256 over time and body, so that neither can be changed nor an old one used again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How much the clocks of two machines may differ, and a callback be under way.
const TOLERANCE: Duration = Duration::from_mins(5);

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadSignature {
    /// The header is absent or not of the form that it must have.
    #[error("X-Signature must be `t=<seconds of Unix time>,v1=<HMAC-SHA256 in hexadecimal>`")]
    Malformed,
    /// It was made too long ago, or is from the future.
    #[error("the time of the signature is more than {} minutes off", TOLERANCE.as_secs() / 60)]
    Stale,
    /// It was made with another secret, or for another body.
    #[error("the signature is not the one of this time and body")]
    Wrong,
}

/// Whether `header`, which reads `t=…,v1=…`, signs `<t>.<body>` with `secret`. Of several `v1` one must be right, so that
/// a provider can change its secret.
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
            // Schemes that come later stand beside the one that is known.
            Some(_) => {}
            None => return Err(BadSignature::Malformed),
        }
    }
    let time = time.ok_or(BadSignature::Malformed)?;
    let made_at = time.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let made_at = made_at.filter(|_| !signatures.is_empty()).ok_or(BadSignature::Malformed)?;
    if (now - made_at).abs().to_std().is_ok_and(|off| off > TOLERANCE) {
        return Err(BadSignature::Stale);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| BadSignature::Wrong)?;
    for part in [time.as_bytes(), b".", body] {
        mac.update(part);
    }
    let right = signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok());
    if right { Ok(()) } else { Err(BadSignature::Wrong) }
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

    /// By `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`.
    const HEADER: &str =
        "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn what_another_program_signed_is_believed_for_five_minutes() {
        let made = at(1_700_000_000);
        let verify = |now| verify(b"secret", HEADER, br#"{"a":1}"#, now);
        assert_eq!(verify(made), Ok(()));
        assert_eq!(verify(made + TimeDelta::seconds(300)), Ok(()));
        assert_eq!(verify(made + TimeDelta::seconds(301)), Err(BadSignature::Stale));
        assert_eq!(verify(made - TimeDelta::seconds(301)), Err(BadSignature::Stale));
    }

    #[test]
    fn another_body_time_or_secret_is_not_believed() {
        let now = at(1_700_000_000);
        assert_eq!(verify(b"secret", HEADER, br#"{"a":2}"#, now), Err(BadSignature::Wrong));
        assert_eq!(verify(b"other", HEADER, br#"{"a":1}"#, now), Err(BadSignature::Wrong));
        let later = HEADER.replace("1700000000", "1700000001");
        assert_eq!(verify(b"secret", &later, br#"{"a":1}"#, now), Err(BadSignature::Wrong));
    }

    #[test]
    fn one_good_signature_among_several_is_enough() {
        let two = HEADER.replace(",v1=", &format!(",v1={},v0=x,v1=", "00".repeat(32)));
        assert_eq!(verify(b"secret", &two, br#"{"a":1}"#, at(1_700_000_000)), Ok(()));
    }

    #[test]
    fn what_is_no_signature_is_told_so() {
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
