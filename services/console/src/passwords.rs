//! Hashes of passwords: Argon2id, a bounded number at once.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use tokio::sync::Semaphore;

/// OWASP's recommendation: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// How many passwords are hashed at once. Others wait: each takes memory and a processor.
const AT_ONCE: usize = 2;

/// A password cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("the hash of a password is not usable: {0}")]
    Stored(argon2::password_hash::Error),
    #[error("the task that hashes a password has failed")]
    Task(#[from] tokio::task::JoinError),
    #[error("no password is hashed any more")]
    Closed(#[from] tokio::sync::AcquireError),
}

/// Hashes and verifies passwords.
pub(crate) struct Passwords {
    places: Semaphore,
    /// Verified in place of that of an unknown account, so that the time does not tell which accounts exist.
    decoy: String,
}

impl Passwords {
    pub(crate) fn new() -> Result<Passwords, PasswordError> {
        let decoy = hash(&crate::secret_files::new_password())?;
        Ok(Passwords { places: Semaphore::new(AT_ONCE), decoy })
    }

    /// The hash of a password, as a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let _place = self.places.acquire().await?;
        tokio::task::spawn_blocking(move || hash(&password)).await?
    }

    /// Whether the password has this hash. Without a hash it is wrong, after the same time.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<&str>,
    ) -> Result<bool, PasswordError> {
        let _place = self.places.acquire().await?;
        let (is_known, hash) = (hash.is_some(), hash.unwrap_or(&self.decoy).to_owned());
        let verified = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&hash).map_err(PasswordError::Stored)?;
            // The parameters are those in the hash.
            match Argon2::default().verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(true),
                Err(argon2::password_hash::Error::Password) => Ok(false),
                Err(error) => Err(PasswordError::Stored(error)),
            }
        });
        Ok(verified.await?? && is_known)
    }
}

/// Blocks for some ten milliseconds.
pub(crate) fn hash(password: &str) -> Result<String, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)
        .map_err(|error| PasswordError::Hash(error.into()))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).map_err(PasswordError::Hash)?;
    let hash = argon2.hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(PasswordError::Hash)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::Passwords;

    #[tokio::test]
    async fn only_the_right_password_is_verified() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(passwords.hash("correct horse".to_owned()).await.unwrap(), hash, "salted");
        let verify = async |password: &str, hash: Option<&str>| {
            passwords.verify(password.to_owned(), hash).await.unwrap()
        };
        assert!(verify("correct horse", Some(&hash)).await);
        assert!(!verify("wrong horse", Some(&hash)).await);
        assert!(!verify("correct horse", None).await);
    }
}
