//! What saying an event costs the transaction that says it.

use std::time::{Duration, Instant};

use messaging::Kit;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use super::{
    item::{change_one, say_one, some_item},
    median, rate,
    stage::Stage,
};
use crate::failure::Failure;

/// How many write at once.
const WRITERS: u64 = 8;

/// How long each turn takes.
const TURN: Duration = Duration::from_secs(4);

/// Transactions per second.
pub(super) struct Tax {
    /// That only change an item.
    pub(super) plain: f64,
    /// That say so as well.
    pub(super) emitting: f64,
}

/// What a transaction does before it says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Business {
    /// It reads an item under a lock and changes it, as whoever decides something does.
    Decide,
    /// It changes an item and looks at nothing: the least that a transaction can be.
    Write,
}

/// Both in turn. The relay rests: what it takes of the machine is a part of the other figures.
pub(super) async fn measure(business: Business, turns: usize) -> Result<Tax, Failure> {
    let stage = Stage::open(0).await?;
    let (mut plain, mut emitting) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        plain.push(transactions_per_second(&stage.speaker, business, false).await?);
        emitting.push(transactions_per_second(&stage.speaker, business, true).await?);
    }
    Ok(Tax { plain: median(plain), emitting: median(emitting) })
}

async fn transactions_per_second(
    kit: &Kit,
    business: Business,
    emit: bool,
) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let kit = kit.clone();
        writers.spawn(async move {
            let (mut rng, mut done) = (StdRng::seed_from_u64(writer), 0);
            while began.elapsed() < TURN {
                let item = some_item(&mut rng);
                let mut tx = kit.begin().await?;
                if business == Business::Decide {
                    let _: Option<i64> =
                        sqlx::query_scalar("select version from item where id = $1 for update")
                            .bind(&item)
                            .fetch_optional(&mut *tx)
                            .await?;
                }
                change_one(&mut tx, &item).await?;
                if emit {
                    say_one(&mut tx, item, done)?;
                }
                tx.commit().await?;
                done += 1;
            }
            Ok::<_, Failure>(done)
        });
    }
    let mut done = 0;
    while let Some(written) = writers.join_next().await {
        done += written.map_err(|_| Failure::Late("a writer is done"))??;
    }
    Ok(rate(done, began.elapsed()))
}
