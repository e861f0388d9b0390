//! Letters of one consumer under lock, and what becomes of them.

use std::collections::{BTreeSet, HashMap};

use envelope::Envelope;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    burying::MISSING_PREDECESSOR,
    decisions::{Docket, Pending},
};
use crate::{
    Error,
    consumer::{
        core::{Hold, Incoming, Key, Position},
        cursors, parking,
    },
};

/// A letter that somebody wants to deal with; what of it cannot change.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) id: Uuid,
    pub(super) key: Key,
}

/// A pending letter under lock.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) id: Uuid,
    pub(super) incoming: Incoming,
}

/// Some letters of one consumer under lock, together with their keys.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    consumer: &'a str,
    aggregate: &'a str,
    /// Those of the wanted letters that are still pending; within a key in the order of their numbers.
    pub(super) letters: Vec<Letter>,
    cursors: HashMap<Key, Position>,
    /// Their keys.
    pub(super) dockets: HashMap<Key, Docket>,
}

/// How letters are dealt with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deal {
    Redriven,
    Discarded,
}

impl Deal {
    pub(super) const fn state(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }
}

impl<'a> Desk<'a> {
    /// Locks the cursors of the letters' keys, and then the letters, with those other letters of their keys that decisions
    /// depend on. Letters that somebody has dealt with meanwhile are left out.
    pub(super) async fn open(
        connection: &mut PgConnection,
        consumer: &'a str,
        aggregate: &'a str,
        wanted: &[Wanted],
    ) -> Result<Self, Error> {
        let keys: BTreeSet<Key> = wanted.iter().map(|letter| letter.key.clone()).collect();
        let cursors = cursors::lock(connection, consumer, aggregate, &keys).await?;
        let docket = |key: Key| {
            let position = cursors.get(&key).copied().unwrap_or(Position::START);
            (key, Docket::new(position))
        };
        let mut dockets: HashMap<Key, Docket> = keys.iter().cloned().map(docket).collect();
        let (sources, names): (Vec<&str>, Vec<&str>) =
            keys.iter().map(|(source, key)| (source.as_str(), key.as_str())).unzip();
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
            if let Some(docket) = dockets.get_mut(&(row.source, row.key)) {
                // The cursor of a subscription to full state goes past no letter. Of those that wait for every number that is so
                // only where a predecessor is missing.
                let is_of_state = !row.passed && row.reason != MISSING_PREDECESSOR;
                let pending = Pending { blocks: row.blocks, passed: row.passed, is_of_state };
                docket.pending.insert(row.sequence, pending);
            }
            if let Some(payload) = row.payload {
                let incoming = incoming(serde_json::from_slice(&payload)?, row.attempts);
                letters.push(Letter { id: row.id, incoming });
            }
        }
        Ok(Self { consumer, aggregate, letters, cursors, dockets })
    }

    /// Writes down that the letters `dealt` are dealt with, and what that means for their keys.
    pub(super) async fn close(
        self,
        connection: &mut PgConnection,
        after: HashMap<Key, Docket>,
        dealt: &[Uuid],
        deal: Deal,
    ) -> Result<(), Error> {
        let resolved = sqlx::query!(
            "update messaging.dead_letter set state = $2, resolved_at = now() where id = any($1) and state = 'pending'",
            dealt,
            deal.state(),
        );
        resolved.execute(&mut *connection).await?;
        self.tell_the_passed(connection, &after).await?;
        let waiting = self.waiting(connection, &after).await?;
        let mut moved = self.cursors.clone();
        for (key, Docket { mut position, .. }) in after {
            if position.hold == Hold::Parked && !waiting.contains(&key) {
                position.hold = Hold::Free;
            }
            if position != self.cursors.get(&key).copied().unwrap_or(Position::START) {
                moved.insert(key, position);
            }
        }
        cursors::save(connection, self.consumer, self.aggregate, &self.cursors, &moved).await?;
        for key in &waiting {
            parking::settle(connection, self.consumer, self.aggregate, key).await?;
        }
        Ok(())
    }

    /// Tells those letters that the cursor goes past them.
    async fn tell_the_passed(
        &self,
        connection: &mut PgConnection,
        after: &HashMap<Key, Docket>,
    ) -> Result<(), Error> {
        let was_passed = |key: &Key, sequence: &i64| {
            let before = self.dockets.get(key).and_then(|docket| docket.pending.get(sequence));
            before.is_some_and(|letter| letter.passed)
        };
        let (mut sources, mut keys, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
        for (key, docket) in after {
            for (sequence, letter) in &docket.pending {
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

    /// Those of the keys that are on hold and of which events are parked.
    async fn waiting(
        &self,
        connection: &mut PgConnection,
        after: &HashMap<Key, Docket>,
    ) -> Result<BTreeSet<Key>, Error> {
        let held = after.iter().filter(|(_, docket)| docket.position.hold != Hold::Free);
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

/// The event of a letter on its way once more.
fn incoming(envelope: Envelope, attempts: i32) -> Incoming {
    Incoming {
        envelope,
        attempts: u32::try_from(attempts).unwrap_or_default(),
        causes: Vec::new(),
        route: (String::new(), String::new()),
    }
}
