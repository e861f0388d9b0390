//! The cost of `emit` for the transaction.

use std::time::{Duration, Instant};

use messaging::Outbox;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use super::{
    harness::Harness,
    item::{Items, emit_one, update_item},
};
use crate::{
    error::Error,
    statistics::{median, rate},
};

/// Concurrent writers.
const WRITERS: u64 = 8;

/// The duration of a round.
const ROUND: Duration = Duration::from_secs(4);

/// Transactions per second.
pub(super) struct Tax {
    /// That only update an item.
    pub(super) plain: f64,
    /// That also emit an event.
    pub(super) emitting: f64,
}

/// What a transaction does besides `emit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// Reads an item with a row lock and updates it, as a typical command does.
    ReadAndUpdate,
    /// Updates an item without reading it: the cheapest transaction.
    Update,
}

/// Alternates both. The relay does not run: the other figures include its load.
pub(super) async fn measure(write: Write, rounds: usize) -> Result<Tax, Error> {
    let harness = Harness::open(0).await?;
    let (mut plain, mut emitting) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(transactions_per_second(&harness.publisher, write, false).await?);
        emitting.push(transactions_per_second(&harness.publisher, write, true).await?);
    }
    Ok(Tax { plain: median(plain), emitting: median(emitting) })
}

async fn transactions_per_second(outbox: &Outbox, write: Write, emit: bool) -> Result<f64, Error> {
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let outbox = outbox.clone();
        writers.spawn(async move {
            let (mut rng, mut done) = (StdRng::seed_from_u64(writer), 0);
            while started.elapsed() < ROUND {
                let item = Items::ALL.random(&mut rng);
                let mut tx = outbox.begin().await?;
                if write == Write::ReadAndUpdate {
                    let _: Option<i64> =
                        sqlx::query_scalar("select version from item where id = $1 for update")
                            .bind(&item)
                            .fetch_optional(&mut *tx)
                            .await?;
                }
                update_item(&mut tx, &item).await?;
                if emit {
                    emit_one(&mut tx, item, done)?;
                }
                tx.commit().await?;
                done += 1;
            }
            Ok::<_, Error>(done)
        });
    }
    let mut done = 0;
    while let Some(written) = writers.join_next().await {
        done += written.map_err(|_| Error::Timeout("a writer finishes"))??;
    }
    Ok(rate(done, started.elapsed()))
}
