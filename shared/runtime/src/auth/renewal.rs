//! Renewal tokens: with one, a client gets its next access token.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::claims::Claims;

/// What a renewal token stands for.
///
/// All renewal tokens that follow from one another are a family. Each has a higher generation than the one that it replaces. So the
/// newest generation alone has to be stored, and an older one shows that a token was used twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The family.
    pub family: Uuid,
    /// The first token of a family has the generation 0.
    pub generation: i32,
    /// For whom the next access token is.
    pub subject: String,
    /// When the renewal token expires.
    pub expires_at: DateTime<Utc>,
}

impl Renewal {
    /// `None` if the claims are not those of a renewal token.
    pub(super) fn of(claims: &Claims) -> Option<Renewal> {
        let (family, subject) = claims.sub.split_once(' ')?;
        let generation = claims.others.get("generation")?.as_i64()?;
        Some(Renewal {
            family: family.parse().ok()?,
            generation: generation.try_into().ok()?,
            subject: subject.to_owned(),
            expires_at: DateTime::from_timestamp(claims.exp(), 0)?,
        })
    }

    /// The claim `sub`. With it, the subject is not that of an access token.
    pub(super) fn subject_claim(&self) -> String {
        format!("{} {}", self.family, self.subject)
    }
}
