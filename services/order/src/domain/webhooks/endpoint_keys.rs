//! The keys with which the messages to an endpoint are signed.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::signing_key::SigningKey;

/// How long the key before a rotation signs as well, so that the receiver has time to change.
const OVERLAP: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointKeys {
    pub(crate) current: SigningKey,
    /// The key before the last rotation, and when it expires.
    pub(crate) previous: Option<(SigningKey, DateTime<Utc>)>,
}

impl EndpointKeys {
    /// The keys that sign at `now`, the current one first.
    pub(crate) fn at(&self, now: DateTime<Utc>) -> Vec<&SigningKey> {
        let previous = self.previous.iter().filter(|(_, expires_at)| *expires_at > now);
        std::iter::once(&self.current).chain(previous.map(|(key, _)| key)).collect()
    }

    /// Replaces the current key.
    pub(crate) fn rotated(self, key: SigningKey, now: DateTime<Utc>) -> Self {
        Self { current: key, previous: Some((self.current, now + OVERLAP)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::EndpointKeys;
    use crate::domain::webhooks::SigningKey;

    #[test]
    fn after_a_rotation_both_keys_sign_for_a_day() {
        let (first, second) = (SigningKey::new(vec![1; 32]), SigningKey::new(vec![2; 32]));
        let (third, noon) = (SigningKey::new(vec![3; 32]), DateTime::UNIX_EPOCH);
        let day = Duration::from_hours(24);
        let keys = EndpointKeys { current: first.clone(), previous: None };
        assert_eq!(keys.at(noon), [&first]);
        let keys = keys.rotated(second.clone(), noon);
        assert_eq!(keys.at(noon + day - Duration::from_secs(1)), [&second, &first]);
        assert_eq!(keys.at(noon + day), [&second]);
        assert_eq!(keys.rotated(third.clone(), noon).at(noon), [&third, &second]);
    }
}
