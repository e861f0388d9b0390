//! What PostgreSQL stores instead of a password (RFC 5803).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use pbkdf2::pbkdf2_hmac_array;
use sha2::{Digest as _, Sha256};

/// The default of PostgreSQL.
const ITERATIONS: u32 = 4096;

/// The SCRAM-SHA-256 verifier of a password, as `alter role … password` takes it. The password is ASCII.
///
/// So a password is in no SQL text, and in no log of the server.
pub fn scram_verifier(password: &str) -> String {
    verifier(password, rand::random())
}

fn verifier(password: &str, salt: [u8; 16]) -> String {
    let salted: [u8; 32] = pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), &salt, ITERATIONS);
    let stored = Sha256::digest(keyed(&salted, "Client Key"));
    let server = keyed(&salted, "Server Key");
    let [salt, stored, server] = [&salt[..], &stored, &server].map(|part| STANDARD.encode(part));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

/// HMAC-SHA-256, whose keys are filled up to a block with zeros.
fn keyed(key: &[u8; 32], text: &str) -> [u8; 32] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    Hmac::<Sha256>::new(&block.into()).chain_update(text).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::verifier;

    /// The example of RFC 7677, stored as PostgreSQL stores it.
    #[test]
    fn the_example_of_the_standard_is_verified() {
        let salt = [
            0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36,
            0xfa, 0x81,
        ];
        assert_eq!(
            verifier("pencil", salt),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
             $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
