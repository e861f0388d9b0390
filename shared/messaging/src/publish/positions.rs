//! The positions of messages: one sequence for each partition, without gaps.
//!
//! The leading relay gives them out, and the statement that logs the confirmed messages stores the last one of each partition. A relay
//! that dies in between leaves positions behind that its successor gives out again, for the same events.

use std::collections::HashMap;

use sqlx::{PgConnection, PgPool};
use tokio::{sync::Mutex, time::Instant};

use super::{
    QUERY_TIMEOUT,
    packing::{Message, Settlement},
    partition::Partition,
    publisher::OutgoingMessage,
};
use crate::{
    error::{Error, with_timeout},
    message_position::MessagePosition,
};

/// The positions of a relay, shared by its rounds, its probes and its reminders. No two of them publish the same partition.
#[derive(Debug, Default)]
pub(super) struct Positions(Mutex<Option<GivenOut>>);

/// The positions of one leadership.
#[derive(Debug)]
struct GivenOut {
    epoch: i64,
    history: i64,
    partitions: HashMap<Partition, Last>,
}

/// The last position of a partition.
#[derive(Debug, Clone, Copy)]
struct Last {
    number: i64,
    /// When it was published, or when this leadership began.
    at: Instant,
    is_reminded: bool,
}

/// A partition that was not published to for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuietPartition {
    pub(super) partition: Partition,
    pub(super) position: MessagePosition,
}

impl Positions {
    /// Gives out positions for messages that are published now.
    pub(super) async fn give_out(
        &self,
        pool: &PgPool,
        epoch: i64,
        messages: &[Message],
    ) -> Result<Vec<MessagePosition>, Error> {
        let mut state = self.0.lock().await;
        let given_out = current(&mut state, pool, epoch).await?;
        let history = given_out.history;
        let mut used: HashMap<&Partition, i64> = HashMap::new();
        let positions = messages.iter().map(|message| {
            let last = given_out.partitions.get(&message.partition).map_or(0, |last| last.number);
            let number = used.entry(&message.partition).or_insert(last);
            *number += 1;
            MessagePosition { history, slot: message.partition.slot, number: *number }
        });
        Ok(positions.collect())
    }

    /// Reads the positions when a leadership begins, so that it sends the last messages again also if it publishes nothing: its
    /// predecessor may not have come to it.
    pub(super) async fn begin(&self, pool: &PgPool, epoch: i64) -> Result<(), Error> {
        current(&mut *self.0.lock().await, pool, epoch).await?;
        Ok(())
    }

    /// Records what was stored in the log.
    pub(super) async fn stored(&self, epoch: i64, last: Vec<(Partition, i64)>) {
        let mut state = self.0.lock().await;
        let Some(given_out) = state.as_mut().filter(|given_out| given_out.epoch == epoch) else {
            return;
        };
        let at = Instant::now();
        for (partition, number) in last {
            given_out.partitions.insert(partition, Last { number, at, is_reminded: false });
        }
    }

    /// Reads the positions again. Without them, no partition would be quiet before the next round.
    pub(super) async fn reload(&self, pool: &PgPool) -> Result<(), Error> {
        let mut state = self.0.lock().await;
        if let Some(GivenOut { epoch, .. }) = state.take() {
            *state = Some(load(pool, epoch).await?);
        }
        Ok(())
    }

    /// The partitions that were last published to before `before`, each once.
    pub(super) async fn take_quiet(&self, before: Instant) -> Vec<QuietPartition> {
        let mut state = self.0.lock().await;
        let Some(GivenOut { history, partitions, .. }) = state.as_mut() else { return Vec::new() };
        let quiet = partitions.iter_mut().filter(|(_, last)| !last.is_reminded && last.at < before);
        quiet
            .map(|(partition, last)| {
                last.is_reminded = true;
                let (history, slot, number) = (*history, partition.slot, last.number);
                let position = MessagePosition { history, slot, number };
                QuietPartition { partition: partition.clone(), position }
            })
            .collect()
    }
}

/// What a round leaves in the log besides its confirmed messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RoundPositions {
    /// The last stored position of each partition.
    pub(crate) last: Vec<(Partition, i64)>,
    /// Positions of failed messages before a stored one, by the place of the message: they stay unused.
    pub(crate) unused: Vec<usize>,
}

/// The positions of a round after its confirms.
pub(crate) fn settle_positions(
    messages: &[Message],
    outgoing: &[OutgoingMessage],
    settlement: &Settlement,
) -> RoundPositions {
    let mut last: HashMap<&Partition, i64> = HashMap::new();
    for place in &settlement.stored {
        // Positions increase within a partition.
        last.insert(&messages[*place].partition, outgoing[*place].number());
    }
    let is_unused = |place: &usize| {
        let is_stored = settlement.stored.binary_search(place).is_ok();
        let stored_after = last.get(&messages[*place].partition);
        !is_stored && stored_after.is_some_and(|last| outgoing[*place].number() < *last)
    };
    let unused = (0..messages.len()).filter(is_unused).collect();
    let mut last: Vec<(Partition, i64)> =
        last.iter().map(|(partition, number)| ((*partition).clone(), *number)).collect();
    // Locked in the same order by all processes.
    last.sort_unstable();
    RoundPositions { last, unused }
}

/// The positions of this leadership, which are read if it has just begun.
async fn current<'a>(
    state: &'a mut Option<GivenOut>,
    pool: &PgPool,
    epoch: i64,
) -> Result<&'a mut GivenOut, Error> {
    let given_out = match state.take() {
        Some(given_out) if given_out.epoch == epoch => given_out,
        _ => load(pool, epoch).await?,
    };
    Ok(state.insert(given_out))
}

async fn load(pool: &PgPool, epoch: i64) -> Result<GivenOut, Error> {
    with_timeout("reading the positions", QUERY_TIMEOUT, async {
        let mut connection = pool.acquire().await?;
        let history = history(&mut connection).await?;
        let rows = sqlx::query!("select aggregate, slot, last from messaging.slot_position")
            .fetch_all(&mut *connection)
            .await?;
        let at = Instant::now();
        let partitions = rows.into_iter().map(|row| {
            let partition = Partition { aggregate: row.aggregate, slot: row.slot };
            (partition, Last { number: row.last, at, is_reminded: false })
        });
        Ok::<_, Error>(GivenOut { epoch, history, partitions: partitions.collect() })
    })
    .await
}

/// When the history began, in microseconds of Unix time.
pub(crate) async fn history(connection: &mut PgConnection) -> Result<i64, Error> {
    let began = sqlx::query_scalar!("select began_at from messaging.history");
    Ok(began.fetch_one(connection).await?.timestamp_micros())
}

/// Begins a new history: the database has gone back to an earlier state.
pub(super) async fn begin_history(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!("update messaging.history set began_at = clock_timestamp()")
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{
        Message, MessagePosition, OutgoingMessage, Partition, RoundPositions, Settlement,
        settle_positions,
    };
    use crate::message_position::Purpose;

    fn partition(slot: i16) -> Partition {
        Partition { aggregate: "order".to_owned(), slot }
    }

    #[test]
    fn a_failed_position_is_unused_if_a_later_one_is_stored() {
        // Slot 1: stored, failed, stored, failed. Slot 2: failed.
        let slots = [1, 1, 2, 1, 1];
        let numbers = [7, 8, 1, 9, 10];
        let message =
            |slot| Message { id: Uuid::new_v4(), partition: partition(slot), rows: Vec::new() };
        let messages: Vec<Message> = slots.into_iter().map(message).collect();
        let outgoing = |(slot, number)| OutgoingMessage {
            id: Uuid::new_v4(),
            exchange: String::new(),
            routing_key: String::new(),
            content_type: "text/plain",
            body: Vec::new(),
            position: Some((MessagePosition { history: 0, slot, number }, Purpose::New)),
            signature: None,
        };
        let outgoing: Vec<OutgoingMessage> = slots.into_iter().zip(numbers).map(outgoing).collect();
        let settlement = Settlement { stored: vec![0, 3], ..Settlement::default() };
        assert_eq!(
            settle_positions(&messages, &outgoing, &settlement),
            RoundPositions { last: vec![(partition(1), 9)], unused: vec![1] }
        );
    }
}
