//! The second factor: codes of an authenticator app (RFC 6238).

use chrono::{DateTime, Utc};
use totp_rs::{Algorithm, TOTP};

/// The seconds for which a code is shown.
const STEP: u64 = 30;

/// The digits of a code.
const DIGITS: usize = 6;

/// The secret that an authenticator app shares: 160 bits, as RFC 4226 recommends.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// From random bytes.
    pub(crate) fn new(bytes: [u8; 20]) -> TotpSecret {
        TotpSecret(bytes.to_vec())
    }

    /// From the stored bytes.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> TotpSecret {
        TotpSecret(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret in the form that a person types.
    pub(crate) fn to_base32(&self) -> String {
        self.generator().get_secret_base32()
    }

    /// The address that an authenticator app reads from a QR code.
    pub(crate) fn to_url(&self, email: &str) -> String {
        let account: String =
            percent_encoding::utf8_percent_encode(email, percent_encoding::NON_ALPHANUMERIC)
                .collect();
        let secret = self.to_base32();
        format!("otpauth://totp/Shop:{account}?secret={secret}&issuer=Shop")
    }

    /// The time step for which `code` is right: the current one, or its neighbour, for clocks differ. `None` if the code is wrong, or
    /// not newer than the step `used`.
    pub(crate) fn step_of_code(&self, code: &str, used: i64, now: DateTime<Utc>) -> Option<i64> {
        let current = step_of(now);
        let generator = self.generator();
        // All three are compared, so that the time tells nothing.
        let right = [current - 1, current, current + 1].map(|step| {
            let start = u64::try_from(step).unwrap_or_default() * STEP;
            (step > used && generator.generate(start) == code).then_some(step)
        });
        right.into_iter().flatten().next()
    }

    fn generator(&self) -> TOTP {
        TOTP::new_unchecked(Algorithm::SHA1, DIGITS, 0, STEP, self.0.clone())
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// The time step of an instant.
fn step_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(STEP.cast_signed())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{TotpSecret, step_of};

    /// The secret of RFC 6238, appendix B.
    fn example() -> TotpSecret {
        TotpSecret::new(*b"12345678901234567890")
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
            assert_eq!(example().step_of_code(code, 0, now), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_counts_once_and_for_a_minute_and_a_half() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_234_567_890);
        let (code, step) = ("005924", step_of(now));
        for (shift, expected) in [(-60, None), (-30, Some(step)), (30, Some(step)), (60, None)] {
            let at = now + TimeDelta::seconds(shift);
            assert_eq!(example().step_of_code(code, 0, at), expected, "{shift}");
        }
        assert_eq!(example().step_of_code(code, step, now), None, "it was used");
        assert_eq!(example().step_of_code("005925", 0, now), None);
        assert_eq!(example().step_of_code("", 0, now), None);
    }

    #[test]
    fn an_app_reads_the_secret() {
        assert_eq!(
            example().to_url("ann@shop.example"),
            "otpauth://totp/Shop:ann%40shop%2Eexample?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Shop"
        );
    }
}
