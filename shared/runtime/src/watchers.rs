//! Watchers of keyed values in this process: long polls and event streams wait here until a commit notifies them.
//!
//! A commit of another instance sends no notification here. So a watcher reads the database again after a bounded time.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, time::Instant};

/// All watchers of one kind of key. Clones share the same watchers.
///
/// `V` is the value that a notification carries, for example an order's status; `()` where the key alone is enough.
#[derive(Debug)]
pub struct KeyedWatchers<K, V>(Arc<Mutex<Registry<K, V>>>);

#[derive(Debug)]
struct Registry<K, V> {
    limit: usize,
    count: usize,
    channels: HashMap<K, watch::Sender<Option<V>>>,
}

impl<K, V> Clone for KeyedWatchers<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> KeyedWatchers<K, V> {
    /// At most `limit` watchers at once.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Registry { limit, count: 0, channels: HashMap::new() })))
    }

    fn registry(&self) -> MutexGuard<'_, Registry<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, V: Clone> KeyedWatchers<K, V> {
    /// Watches `key`; `None` if the limit is reached.
    ///
    /// The watcher sees every later notification. Read the current value after this call, not before it.
    pub fn watch(&self, key: K) -> Option<KeyedWatcher<K, V>> {
        let mut registry = self.registry();
        if registry.count >= registry.limit {
            return None;
        }
        registry.count += 1;
        let channel =
            registry.channels.entry(key.clone()).or_insert_with(|| watch::Sender::new(None));
        let changes = Some(channel.subscribe());
        drop(registry);
        Some(KeyedWatcher { key, changes, watchers: self.clone() })
    }

    /// Whether there is a watcher of `key` now.
    pub fn is_watched(&self, key: &K) -> bool {
        self.registry().channels.contains_key(key)
    }

    /// Wakes the watchers of each key and hands them its new value.
    pub fn notify<'a>(&self, changes: impl IntoIterator<Item = (&'a K, V)>)
    where
        K: 'a,
    {
        let registry = self.registry();
        if registry.count == 0 {
            return;
        }
        for (key, value) in changes {
            if let Some(channel) = registry.channels.get(key) {
                channel.send_replace(Some(value));
            }
        }
    }
}

/// One watcher of one key. Dropping it frees its place.
#[derive(Debug)]
pub struct KeyedWatcher<K: Clone + Eq + Hash, V: Clone> {
    key: K,
    /// `None` only while the watcher is dropped.
    changes: Option<watch::Receiver<Option<V>>>,
    watchers: KeyedWatchers<K, V>,
}

impl<K: Clone + Eq + Hash, V: Clone> KeyedWatcher<K, V> {
    /// Waits for the next notification, and returns its value; `None` at `deadline`.
    ///
    /// Of several notifications in between only the last one is seen.
    pub async fn changed(&mut self, deadline: Instant) -> Option<V> {
        let changes = self.changes.as_mut()?;
        // The sender lives as long as a watcher of the key, so only a notification or the deadline ends the wait.
        tokio::time::timeout_at(deadline, changes.changed()).await.ok()?.ok()?;
        changes.borrow_and_update().clone()
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Drop for KeyedWatcher<K, V> {
    /// The last watcher of a key removes the key.
    fn drop(&mut self) {
        self.changes = None;
        let mut registry = self.watchers.registry();
        registry.count -= 1;
        if registry.channels.get(&self.key).is_some_and(|channel| channel.receiver_count() == 0) {
            registry.channels.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::{Duration, Instant};

    use super::KeyedWatchers;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn watchers_wake_for_their_key_alone() {
        let watchers = KeyedWatchers::new(10);
        let (mut one, mut two) = (watchers.watch(1).unwrap(), watchers.watch(1).unwrap());
        let mut other = watchers.watch(2).unwrap();
        assert_eq!((watchers.is_watched(&1), watchers.is_watched(&3)), (true, false));
        watchers.notify([(&1, "reserved")]);
        assert_eq!(one.changed(later()).now_or_never(), Some(Some("reserved")));
        assert_eq!(two.changed(later()).now_or_never(), Some(Some("reserved")));
        assert_eq!(other.changed(later()).now_or_never(), None);
        drop(one);
        watchers.notify([(&1, "confirmed")]);
        assert_eq!(two.changed(later()).now_or_never(), Some(Some("confirmed")));
        assert_eq!(two.changed(Instant::now()).await, None);
        drop((two, other));
        assert!(watchers.registry().channels.is_empty());
    }

    #[test]
    fn the_number_of_watchers_is_bounded() {
        let watchers = KeyedWatchers::<i32, ()>::new(2);
        let places = [watchers.watch(1).unwrap(), watchers.watch(1).unwrap()];
        assert!(watchers.watch(1).is_none());
        drop(places);
        assert!(watchers.registry().channels.is_empty());
        assert!(watchers.watch(1).is_some());
    }
}
