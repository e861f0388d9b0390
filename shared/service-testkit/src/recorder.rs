//! A handler that records events.

use std::sync::{Arc, Mutex};

use envelope::Event;
use messaging::{Batch, Failure, Handler, Transaction};
use testkit::wait_for;

use crate::limits::LONGEST_WAIT;

/// Records every event of one type in the order of delivery. Clones share the record.
#[derive(Debug)]
pub struct Recorder<E>(Arc<Mutex<Vec<E>>>);

impl<E> Clone for Recorder<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> Default for Recorder<E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<E: Clone> Recorder<E> {
    /// All events so far.
    pub fn all(&self) -> Vec<E> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for `count` events that match, and returns all that match.
    pub async fn wait(&self, count: usize, matches: impl Fn(&E) -> bool) -> Vec<E> {
        wait_for(&format!("{count} events are received"), LONGEST_WAIT, async || {
            let matching: Vec<E> = self.all().into_iter().filter(&matches).collect();
            if matching.len() >= count {
                Ok(matching)
            } else {
                Err(format!("{} are received", matching.len()))
            }
        })
        .await
        .unwrap()
    }

    /// Waits for an event that matches, and returns the first.
    pub async fn wait_one(&self, matches: impl Fn(&E) -> bool) -> E {
        self.wait(1, matches).await.remove(0)
    }
}

impl<E: Event + Clone> Handler for Recorder<E> {
    type Event = E;

    async fn handle(&self, tx: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        let events: Vec<E> = batch.delivered().iter().map(|one| one.event.clone()).collect();
        let record = Arc::clone(&self.0);
        tx.after_commit(move || record.lock().unwrap().extend(events));
        Ok(())
    }
}
