//! The state of the databases as text, one line per row: as the model expects it. It is recorded with each operation.

use std::collections::HashMap;

use super::{
    database::Database,
    events::{KEYS, event, name},
    handler::Version,
    journal::{Entry, Journal, Operation},
    letter::State,
    limits::SUBSCRIBERS,
    parked::Why,
    world::World,
};
use crate::consume::{plan::Hold, received_event::ReceivedEvent, subscription::Reception};

/// All rows, sorted.
pub(super) fn expected_state(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    let publisher = &world.publisher;
    for key in (0..KEYS).filter(|key| publisher.sequences[*key] > 0) {
        lines.push(format!("sequence {} {}", name(key), publisher.sequences[key]));
    }
    for row in &publisher.outbox {
        let (event, bulk) = (row.event_id.as_u128(), row.bulk);
        lines.push(format!(
            "outbox {} {} {} {} {event} {} {bulk}",
            row.id, row.key, row.seq, row.kind, row.slot
        ));
    }
    if let Some(lease) = publisher.lease {
        let holder = lease.holder.as_u128();
        lines.push(format!("lease {holder} {} {}", lease.epoch, lease.expires_at));
    }
    for (slot, last) in &publisher.slot_positions {
        lines.push(format!("slot_position {slot} {last}"));
    }
    for message in &publisher.log {
        let events = message.events.len();
        lines.push(format!("message {} {} {events}", message.slot, message.position));
    }
    for subscriber in 0..SUBSCRIBERS {
        let is_acting = subscriber == world.acting;
        let place = &world.subscribers[subscriber].database;
        let database = if is_acting { &world.database } else { place };
        add_database(&mut lines, subscriber, database);
    }
    lines.sort_unstable();
    lines
}

fn add_database(lines: &mut Vec<String>, subscriber: usize, database: &Database) {
    for (key, position) in database.cursors.iter().enumerate() {
        if let Some(position) = position {
            let hold = match position.hold {
                Hold::Free => "free",
                Hold::Parked => "parked",
                Hold::Blocked => "blocked",
            };
            lines.push(format!("cursor {subscriber} {} {} {hold}", name(key), position.last));
        }
    }
    for ((key, sequence), row) in &database.parked {
        let why = match row.why {
            Why::Retry => "retry",
            Why::Gap => "gap",
            Why::Behind => "behind",
            Why::UnknownType => "unknown_type",
        };
        let next = row.next_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let event = event(&row.envelope);
        let (attempts, starts) = (row.attempts, row.starts);
        let key = name(*key);
        lines.push(format!(
            "parked {subscriber} {key} {sequence} {event} {why} {attempts} {starts} {next}"
        ));
    }
    for (place, letter) in database.letters.iter().enumerate() {
        let state = match letter.state {
            State::Pending => "pending",
            State::Redriven => "redriven",
            State::Discarded => "discarded",
        };
        let (key, sequence, event) = (name(letter.key), letter.sequence, letter.event);
        let (reason, blocks, passed) = (letter.reason, letter.blocks, letter.passed);
        lines.push(format!(
            "letter {subscriber} {place} {key} {sequence} {event} {reason} {blocks} {passed} {state}"
        ));
    }
    for ((key, sequence), arrived) in &database.lost {
        lines.push(format!("lost {subscriber} {} {sequence} {arrived}", name(*key)));
    }
    for (place, effect) in database.effects.iter().enumerate() {
        let key = name(effect.key);
        lines.push(format!(
            "effect {subscriber} {place} {} {key} {}",
            effect.event, effect.sequence
        ));
    }
    for row in database.received.values() {
        let missing: Vec<String> =
            row.missing.iter().map(|range| format!("{}-{}", range.first, range.last)).collect();
        let (slot, missing) = (row.slot, missing.join(","));
        lines.push(format!(
            "received {subscriber} {slot} {} {} {} {missing}",
            row.history, row.began, row.received
        ));
    }
}

/// Selects the same lines from the real tables.
pub(super) const STATE: &str = r#"
select line from (
    select format('sequence %s %s', key, last) as line from messaging.sequence
    union all
    select format('outbox %s %s %s %s %s %s %s', id, key, seq, kind, ('x' || right(replace(event_id::text, '-', ''), 15))::bit(60)::bigint,
        slot, case when bulk then 'true' else 'false' end)
    from messaging.outbox
    union all
    select format('lease %s %s %s', ('x' || right(replace(holder::text, '-', ''), 15))::bit(60)::bigint, epoch,
        (extract(epoch from expires_at) * 1000)::bigint)
    from messaging.process_lease
    union all
    select format('slot_position %s %s', slot, last) from messaging.slot_position
    union all
    select format('message %s %s %s', slot, position, events) from messaging.message
    union all
    select format('cursor %s %s %s %s', right(consumer, 1), key, last, hold) from messaging.cursor
    union all
    select format('parked %s %s %s %s %s %s %s %s', right(consumer, 1), key, seq,
        ('x' || right(replace(envelope::json ->> 'id', '-', ''), 15))::bit(60)::bigint, why, attempts, starts,
        coalesce((extract(epoch from next_at) * 1000)::bigint::text, '-'))
    from messaging.parked
    union all
    select format('letter %s %s %s %s %s %s %s %s %s', right(consumer, 1),
        row_number() over (partition by consumer order by id) - 1, key, seq,
        ('x' || right(replace(event_id::text, '-', ''), 15))::bit(60)::bigint, reason,
        case when blocks then 'true' else 'false' end, case when passed then 'true' else 'false' end, state)
    from messaging.dead_letter
    union all
    select format('lost %s %s %s %s', right(consumer, 1), key, number, case when number = any(arrived) then 'true' else 'false' end)
    from messaging.lost_event, generate_series(first, last) as number
    union all
    select format('effect %s %s %s %s %s', right(consumer, 1), row_number() over (partition by consumer order by place) - 1, event, key, seq)
    from effect
    union all
    select format('received %s %s %s %s %s %s', right(consumer, 1), slot, history, began, received,
        array_to_string(array(select format('%s-%s', f, l) from unnest(missing_first, missing_last) as r (f, l)), ','))
    from messaging.received_position
) lines
order by line collate "C"
"#;

impl World {
    /// Records an operation after the model has executed it.
    pub(super) fn record(&mut self, operation: impl FnOnce(&Self) -> Operation) {
        let is_recording = self.journal.is_some() && self.violation.is_none();
        if !is_recording {
            return;
        }
        let (at, subscriber, operation) = (self.clock, self.acting, operation(self));
        let is_recorded = |journal: &mut Journal| journal.is_recorded(subscriber, &operation);
        if self.journal.as_mut().is_some_and(is_recorded) {
            let entry = Entry { at, subscriber, state: expected_state(self), operation };
            if let Some(journal) = &mut self.journal {
                journal.entries.push(entry);
            }
        }
    }

    /// What a version of the program does with the types of these events.
    pub(super) fn receptions(
        &self,
        events: &[ReceivedEvent],
        version: Version,
    ) -> HashMap<String, Reception> {
        let reception = |one: &ReceivedEvent| {
            let kind = one.envelope.kind.clone();
            let reception = self.handler.reception(&kind, version);
            (kind, reception)
        };
        events.iter().map(reception).collect()
    }
}
