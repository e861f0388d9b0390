//! The keys of an issuer: where they come from, and when they are read again.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use super::{issuer::IssuerKeys, key_set::KeySet};

/// The shortest time between two attempts. Tokens with invented key ids must not cause a request each.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// Keys that are older are read again, so that a key that its issuer has removed is forgotten.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The keys of an issuer. If they cannot be read again, the known ones stay.
pub(super) struct Keys {
    source: Source,
    current: RwLock<Arc<KeySet>>,
    reads: Mutex<Reads>,
}

/// Where keys come from.
pub(super) enum Source {
    /// The program knows them.
    Fixed,
    File(PathBuf),
    Issuer(Box<IssuerKeys>),
}

struct Reads {
    attempted: Option<Instant>,
    succeeded: Option<Instant>,
}

impl Keys {
    /// The `known` keys, and where newer ones come from.
    pub(super) fn new(source: Source, known: KeySet) -> Keys {
        let succeeded = (!matches!(source, Source::Issuer(_))).then(Instant::now);
        let reads = Mutex::new(Reads { attempted: None, succeeded });
        Keys { source, current: RwLock::new(Arc::new(known)), reads }
    }

    pub(super) fn current(&self) -> Arc<KeySet> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys again because one is missing, unless that was tried a moment ago. Returns whether other keys are known now.
    pub(super) async fn refresh(&self) -> bool {
        if matches!(self.source, Source::Fixed) {
            return false;
        }
        let before = self.current();
        // Requests that wait here find the keys that the first one has read.
        let reads = self.reads.lock().await;
        self.read_again(reads, MIN_INTERVAL).await;
        !Arc::ptr_eq(&before, &self.current())
    }

    /// Reads the keys again if they are old. One request waits for it; all others use the known keys. Returns whether other keys are
    /// known now.
    pub(super) async fn refresh_if_old(&self) -> bool {
        if matches!(self.source, Source::Fixed) {
            return false;
        }
        let Ok(reads) = self.reads.try_lock() else { return false };
        if reads.succeeded.is_none_or(|at| at.elapsed() < MAX_AGE) {
            return false;
        }
        // An issuer that is away is not asked for each token.
        self.read_again(reads, MAX_AGE / 10).await
    }

    /// Returns whether there are other keys.
    async fn read_again(&self, mut reads: MutexGuard<'_, Reads>, interval: Duration) -> bool {
        if reads.attempted.is_some_and(|at| at.elapsed() < interval) {
            return false;
        }
        reads.attempted = Some(Instant::now());
        let read = match &self.source {
            Source::Fixed => return false,
            Source::File(path) => KeySet::read(path).map_err(|error| problem::chain(&error)),
            Source::Issuer(issuer) => issuer.fetch().await.map_err(|error| problem::chain(&error)),
        };
        let outcome = if read.is_ok() { "read" } else { "failed" };
        metrics::counter!("token_keys_read_total", "outcome" => outcome).increment(1);
        match read {
            Ok(keys) => {
                reads.succeeded = Some(Instant::now());
                if keys.document() == self.current().document() {
                    return false;
                }
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
                tracing::info!("the keys of an issuer of tokens have changed");
                true
            }
            Err(error) => {
                tracing::warn!(error, "cannot read the keys of an issuer of tokens");
                false
            }
        }
    }
}
