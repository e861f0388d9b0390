//! Who waits for an order in this process: long polls and event streams, woken when a change of it has committed here.
//! What another instance of the service commits they find by looking once in a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use vocabulary::OrderId;

use crate::domain::Status;

/// How long a watcher sleeps at most: what was committed elsewhere is found after that.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// All watchers. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<Watched>>);

/// The orders that somebody watches, each with the status that its last change left.
type Watched = HashMap<OrderId, watch::Sender<Option<Status>>>;

impl Watchers {
    /// Begins to watch `order`.
    pub(super) fn watch(&self, order: OrderId) -> Watch {
        let mut watched = self.watched();
        let changes = watched.entry(order).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Watch { order, changes, watchers: self.clone() }
    }

    /// Wakes whoever watches one of `orders`, and says where it stands now.
    pub(super) fn wake(&self, orders: &[(OrderId, Status)]) {
        let watched = self.watched();
        if watched.is_empty() {
            return;
        }
        for (order, status) in orders {
            if let Some(changed) = watched.get(order) {
                changed.send_replace(Some(*status));
            }
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who watches an order. What changes after it was made is not missed.
#[derive(Debug)]
pub(crate) struct Watch {
    order: OrderId,
    changes: watch::Receiver<Option<Status>>,
    watchers: Watchers,
}

impl Watch {
    /// Returns when the order has changed, with the status that the change left; with none when it is time to look whether
    /// it has, or at `deadline`. Of two changes close together the status may be that of the earlier one.
    pub(crate) async fn changed(&mut self, deadline: Option<Instant>) -> Option<Status> {
        let look = Instant::now() + LOOK_EVERY;
        let until = deadline.map_or(look, |deadline| deadline.min(look));
        // The sender stays as long as there is a watcher, so the only ends are a change and the time.
        tokio::time::timeout_at(until, self.changes.changed()).await.ok()?.ok()?;
        *self.changes.borrow_and_update()
    }
}

impl Drop for Watch {
    /// The last one out takes the entry with it.
    fn drop(&mut self) {
        let mut watched = self.watchers.watched();
        if watched.get(&self.order).is_some_and(|changed| changed.receiver_count() <= 1) {
            watched.remove(&self.order);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use vocabulary::OrderId;

    use super::{Status, Watchers};

    #[tokio::test]
    async fn watchers_are_woken_by_their_order_and_leave_nothing_behind() {
        let (watchers, order) = (Watchers::default(), OrderId::new());
        let (mut one, mut two) = (watchers.watch(order), watchers.watch(order));
        let mut other = watchers.watch(OrderId::new());
        watchers.wake(&[(order, Status::Reserved)]);
        assert_eq!(one.changed(None).now_or_never(), Some(Some(Status::Reserved)));
        assert_eq!(two.changed(None).now_or_never(), Some(Some(Status::Reserved)));
        assert_eq!(other.changed(None).now_or_never(), None);
        drop(one);
        watchers.wake(&[(order, Status::Confirmed)]);
        assert_eq!(two.changed(None).now_or_never(), Some(Some(Status::Confirmed)));
        drop((two, other));
        assert!(watchers.watched().is_empty());
    }
}
