//! A person who deals with dead letters: in any order, at any time, and more than once.

use super::{
    bugs::Bug,
    handler::{Answer, UNHANDLED},
    letters::State,
    world::World,
};
use crate::dead_letters::{Again, again};

/// The person.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// A letter that has had its effect and is not yet marked: only with a bug.
    unmarked: Option<usize>,
}

impl Operator {
    /// Picks a letter, and sends it again or gives it up. Whether there was any.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        let count = world.database.letters.len();
        if let Some(index) = self.unmarked.take() {
            if !world.fault(30) {
                world.database.letters[index].state = State::Redriven;
            }
            return true;
        }
        if count == 0 {
            return false;
        }
        let index = world.random.below(count);
        if world.random.chance(50) {
            let event = world.database.letters[index].event;
            world.handler.mend(event);
        }
        if world.random.chance(70) { self.redrive(world, index) } else { discard(world, index) }
    }

    /// Marks what is not marked yet: at the end nobody dies any more.
    pub(super) fn mark(&mut self, world: &mut World) {
        if let Some(index) = self.unmarked.take() {
            world.database.letters[index].state = State::Redriven;
        }
    }

    /// `dead_letters::redrive`: one transaction, under the locks of the letter and of its cursor. If the process dies in it,
    /// nothing has happened. Whether it could begin.
    pub(super) fn redrive(&mut self, world: &mut World, index: usize) -> bool {
        let letter = &world.database.letters[index];
        let (key, sequence, event) = (letter.key, letter.sequence, letter.event);
        if letter.state != State::Pending && !world.has(Bug::ResolvedIsRedriven) {
            return true;
        }
        if world.database.cursor_locks[key].is_some() {
            return false;
        }
        let last = world.last_of(key);
        let is_behind_another = world.is_behind_another(key, sequence);
        let mut decided = again(sequence, letter.passed, last, is_behind_another);
        if decided == Again::Mark && world.has(Bug::EffectIsRedriven) {
            decided = Again::Effect;
        }
        world.note(|| format!("operator sends {key}/{sequence} again: {decided:?}"));
        let letter = &world.database.letters[index];
        if decided == Again::NotYet {
            return true;
        }
        if decided == Again::Effect && letter.envelope.kind != UNHANDLED {
            let (incoming, is_late) = (letter.incoming(), sequence <= last);
            if !matches!(world.handler.handle(&[&incoming]), Answer::Done) {
                world.note(|| "    and it fails again".to_owned());
                return true;
            }
            world.seen.redriven += 1;
            // The letter is as good as resolved within its own transaction.
            world.database.letters[index].state = State::Redriven;
            world.effect(event, key, sequence, is_late);
        }
        world.database.letters[index].state = State::Redriven;
        world.move_on(key, sequence, State::Redriven);
        if world.has(Bug::RedriveMarkedLater) {
            world.database.letters[index].state = State::Pending;
            self.unmarked = Some(index);
        }
        true
    }
}

/// `dead_letters::discard`: one transaction. Whether it could begin.
pub(super) fn discard(world: &mut World, index: usize) -> bool {
    let letter = &world.database.letters[index];
    let (key, sequence) = (letter.key, letter.sequence);
    if letter.state != State::Pending {
        return true;
    }
    if world.database.cursor_locks[key].is_some() {
        return false;
    }
    if world.is_behind_another(key, sequence) {
        return true;
    }
    world.note(|| format!("operator gives {key}/{sequence} up"));
    world.seen.discarded += 1;
    world.database.letters[index].state = State::Discarded;
    world.move_on(key, sequence, State::Discarded);
    true
}
