//! The effects of the handler, whose order is checked when they are committed.

use super::{database::Effect, world::World};

impl World {
    /// Commits an effect and checks the order: effects of a key are in sequence, and none precedes the
    /// resolution of a letter that blocks it. The only exceptions are non-blocking letters of a sequenced
    /// subscription and events that were declared lost, which are applied late.
    pub(super) fn effect(&mut self, event: usize, key: usize, sequence: i64, is_late: bool) {
        self.count_stand_in(key, sequence);
        let database = &mut self.database;
        let of_key = |effect: &&Effect| effect.key == key && !effect.is_late;
        let behind = database.effects.iter().rfind(of_key).filter(|last| last.sequence >= sequence);
        let behind = behind.filter(|_| !is_late).map(|last| last.sequence);
        let blocking = database
            .letters
            .iter()
            .find(|letter| letter.key == key && letter.sequence < sequence && letter.is_blocking());
        let blocking = blocking.map(|letter| letter.sequence);
        let is_double = database.effects.iter().any(|effect| effect.event == event);
        database.effects.push(Effect { event, key, sequence, is_late });
        self.coverage.effects += 1;
        if is_double {
            self.violated(|| format!("{key}/{sequence} was applied twice"));
        }
        if let Some(behind) = behind {
            self.violated(|| format!("{key}/{sequence} was applied after {key}/{behind}"));
        }
        if let Some(blocking) = blocking {
            self.violated(|| {
                format!("{key}/{sequence} was applied although {key}/{blocking} blocks it")
            });
        }
    }
}
