//! Locked dead letters of one consumer, and their resolution.

use std::collections::{BTreeSet, HashMap};

use envelope::Envelope;
use sqlx::PgConnection;
use uuid::Uuid;

use super::plan::{KeyLetters, PendingLetter};
use crate::{
    consume::{
        cursors, parking,
        plan::{Hold, Position},
        received_event::{Key, ReceivedEvent},
    },
    error::Error,
};

/// The immutable part of a letter, enough to lock it.
#[derive(Debug, Clone)]
pub(crate) struct LetterRef {
    pub(crate) id: Uuid,
    pub(crate) key: Key,
}

/// A locked pending letter.
#[derive(Debug)]
pub(crate) struct LockedLetter {
    pub(crate) id: Uuid,
    pub(crate) event: ReceivedEvent,
}

/// Locked letters of one consumer, with their keys.
#[derive(Debug)]
pub(crate) struct LockedBatch<'a> {
    consumer: &'a str,
    aggregate: &'a str,
    /// The requested letters that are still pending; within a key in sequence.
    pub(crate) letters: Vec<LockedLetter>,
    cursors: HashMap<Key, Position>,
    pub(crate) keys: HashMap<Key, KeyLetters>,
}

/// How letters are resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resolution {
    Redriven,
    Discarded,
}

impl Resolution {
    pub(super) const fn state(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }
}

impl<'a> LockedBatch<'a> {
    /// Locks the cursors of the letters' keys, then the letters and the other letters of these keys that matter for decisions.
    /// Letters that were resolved meanwhile are omitted.
    pub(crate) async fn open(
        connection: &mut PgConnection,
        consumer: &'a str,
        aggregate: &'a str,
        wanted: &[LetterRef],
    ) -> Result<Self, Error> {
        let wanted_keys: BTreeSet<Key> = wanted.iter().map(|letter| letter.key.clone()).collect();
        let cursors = cursors::lock(connection, consumer, aggregate, &wanted_keys).await?;
        let key_letters = |key: Key| {
            let position = cursors.get(&key).copied().unwrap_or(Position::START);
            (key, KeyLetters::new(position))
        };
        let mut keys: HashMap<Key, KeyLetters> =
            wanted_keys.iter().cloned().map(key_letters).collect();
        let (sources, names): (Vec<&str>, Vec<&str>) =
            wanted_keys.iter().map(|(source, key)| (source.as_str(), key.as_str())).unzip();
        let ids: Vec<Uuid> = wanted.iter().map(|letter| letter.id).collect();
        let rows = sqlx::query!(
            r#"
            select id, source as "source!", key as "key!", seq as "sequence!", blocks, passed, reason, attempts,
                case when id = any($5) then payload end as payload
            from messaging.dead_letter
            where consumer = $1 and aggregate = $2 and (source, key) in (select * from unnest($3::text[], $4::text[]))
                and state = 'pending' and seq is not null and (blocks or not passed or id = any($5))
            order by source, key, seq
            for update
            "#,
            consumer,
            aggregate,
            &sources as &[&str],
            &names as &[&str],
            &ids,
        )
        .fetch_all(connection)
        .await?;
        let mut letters = Vec::with_capacity(wanted.len());
        for row in rows {
            if let Some(key) = keys.get_mut(&(row.source, row.key)) {
                let hold = key.position.hold;
                let pending = PendingLetter::new(row.blocks, row.passed, &row.reason, hold);
                key.pending.insert(row.sequence, pending);
            }
            if let Some(payload) = row.payload {
                let event = received_event(serde_json::from_slice(&payload)?, row.attempts);
                letters.push(LockedLetter { id: row.id, event });
            }
        }
        Ok(Self { consumer, aggregate, letters, cursors, keys })
    }

    /// Saves that the letters `resolved` are resolved, with the consequences for their keys.
    pub(crate) async fn close(
        self,
        connection: &mut PgConnection,
        after: HashMap<Key, KeyLetters>,
        resolved: &[Uuid],
        resolution: Resolution,
    ) -> Result<(), Error> {
        let update = sqlx::query!(
            "update messaging.dead_letter set state = $2, resolved_at = now() where id = any($1) and state = 'pending'",
            resolved,
            resolution.state(),
        );
        update.execute(&mut *connection).await?;
        self.mark_passed(connection, &after).await?;
        let parked = self.keys_with_parked_events(connection, &after).await?;
        let mut moved = self.cursors.clone();
        for (key, KeyLetters { mut position, .. }) in after {
            if position.hold == Hold::Parked && !parked.contains(&key) {
                position.hold = Hold::Free;
            }
            if position != self.cursors.get(&key).copied().unwrap_or(Position::START) {
                moved.insert(key, position);
            }
        }
        cursors::save(connection, self.consumer, self.aggregate, &self.cursors, &moved).await?;
        parking::settle(connection, self.consumer, self.aggregate, &parked).await
    }

    /// Marks the letters that the cursor passes now.
    async fn mark_passed(
        &self,
        connection: &mut PgConnection,
        after: &HashMap<Key, KeyLetters>,
    ) -> Result<(), Error> {
        let was_passed = |key: &Key, sequence: &i64| {
            let before = self.keys.get(key).and_then(|key| key.pending.get(sequence));
            before.is_some_and(|letter| letter.passed)
        };
        let (mut sources, mut keys, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
        for (key, letters) in after {
            for (sequence, letter) in &letters.pending {
                if letter.passed && !was_passed(key, sequence) {
                    sources.push(key.0.as_str());
                    keys.push(key.1.as_str());
                    sequences.push(*sequence);
                }
            }
        }
        if sequences.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            r#"
            update messaging.dead_letter d set passed = true
            from unnest($3::text[], $4::text[], $5::bigint[]) as passed (source, key, seq)
            where d.consumer = $1 and d.aggregate = $2 and d.source = passed.source and d.key = passed.key
                and d.seq = passed.seq and d.state = 'pending'
            "#,
            self.consumer,
            self.aggregate,
            &sources as &[&str],
            &keys as &[&str],
            &sequences,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The keys on hold that have parked events.
    async fn keys_with_parked_events(
        &self,
        connection: &mut PgConnection,
        after: &HashMap<Key, KeyLetters>,
    ) -> Result<BTreeSet<Key>, Error> {
        let held = after.iter().filter(|(_, letters)| letters.position.hold != Hold::Free);
        let (sources, keys): (Vec<&str>, Vec<&str>) =
            held.map(|((source, key), _)| (source.as_str(), key.as_str())).unzip();
        if keys.is_empty() {
            return Ok(BTreeSet::new());
        }
        let rows = sqlx::query!(
            r#"
            select distinct source, key from messaging.parked
            where consumer = $1 and aggregate = $2 and (source, key) in (select * from unnest($3::text[], $4::text[]))
            "#,
            self.consumer,
            self.aggregate,
            &sources as &[&str],
            &keys as &[&str],
        )
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|row| (row.source, row.key)).collect())
    }
}

/// The event of a letter, as received.
fn received_event(envelope: Envelope, attempts: i32) -> ReceivedEvent {
    ReceivedEvent {
        envelope,
        attempts: u32::try_from(attempts).unwrap_or_default(),
        causes: Vec::new(),
        route: (String::new(), String::new()),
    }
}
