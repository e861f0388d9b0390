//! Losses: queues are deleted, messages leave the log, positions are forged, and databases of subscribers go back.

use std::rc::Rc;

use super::{
    broker::{QUEUES, StoredMessage, queue_of},
    events::{group_of, slot},
    journal::Operation,
    limits::SUBSCRIBERS,
    world::World,
};
use crate::message_position::{MessagePosition, Purpose};

/// How many positions beyond the last one a forged one is.
const FORGED: [i64; 4] = [1, 2, 5, 1_000_000];

impl World {
    /// Something is lost. Returns the subscriber whose database went back, if one did.
    pub(super) fn strike(&mut self) -> Option<usize> {
        let subscriber = self.random.below(SUBSCRIBERS);
        match self.random.below(8) {
            0..=2 => {
                let queue = self.random.below(QUEUES);
                let messages = self.broker.delete(queue_of(subscriber, queue));
                self.note(|| {
                    let count = messages.len();
                    format!(
                        "queue {queue} of subscriber {subscriber} is deleted with {count} messages"
                    )
                });
                self.coverage.deleted += u64::from(!messages.is_empty());
                self.lose(subscriber, &messages);
            }
            3 | 4 => {
                self.turn_to(subscriber);
                self.back_up();
            }
            5 | 6 => {
                self.turn_to(subscriber);
                return self.restore().then_some(subscriber);
            }
            _ if self.weights.rare == 1 => {
                let count = 1 + self.random.below(3);
                self.note(|| format!("{count} messages leave the log"));
                self.publisher.expire(count);
                self.record(|_| Operation::Expire { count });
            }
            _ if self.weights.rare == 2 => self.forge(subscriber),
            _ => {}
        }
        None
    }

    /// A message without events arrives, with a position that was not given out.
    fn forge(&mut self, subscriber: usize) {
        let of_slot = slot(self.random.below(self.keys));
        let beyond = FORGED[self.random.below(FORGED.len())];
        let number = self.publisher.last_position(of_slot).number + beyond;
        self.is_forged = true;
        self.ambiguous.insert((of_slot, number));
        self.note(|| {
            format!("message {number} of slot {of_slot} is forged for subscriber {subscriber}")
        });
        let history = self.publisher.history;
        let position = MessagePosition { history, slot: of_slot, number };
        let message = StoredMessage::new(Rc::default(), position, Purpose::New, None);
        self.broker.send(queue_of(subscriber, group_of(of_slot)), message);
    }
}
