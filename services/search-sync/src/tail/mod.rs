//! The tail: carries what changed in the projection into the index, and says so afterwards.
//!
//! Every process runs one and has the whole index. It reads the documents behind the number of its own last commit, in the
//! order of their numbers, commits them to the index together with the last number, and then says the receipts of what
//! is searchable by now. The number stands in the commit itself, so a kill at any instant loses nothing: the next start goes
//! on where the index is, and says the receipts that were still due. No timer gathers changes; what piled up during one
//! commit is the next.

mod document;
mod folder;
mod generation;
mod live;
mod rebuild;

use std::{convert::Infallible, time::Duration};

use contracts::trace::TraceContext;
use messaging::Kit;
use runtime::{Lifecycle, clock, health::Component};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::generation::{Generation, Step};
pub use self::{
    folder::{Folder, FolderError},
    generation::TailError,
    live::{Live, Progress, Wake},
    rebuild::{Rebuild, Rebuilder},
};
use crate::{
    publishes::{Lane, product_applied::product_applied},
    storage::{changes, documents, receipts},
};

/// How often the projection is looked at though nobody of this process has changed it: others do, too.
const SWEEP: Duration = Duration::from_millis(250);

/// How many receipts are said in one event.
const RECEIPTS: i64 = 500;

/// The shortest and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Starts the tail; `component` is up once the index has what the projection had at the start.
pub fn start(
    lifecycle: &Lifecycle,
    component: Component,
    kit: &Kit,
    folder: Folder,
    wake: Wake,
) -> (Live, Rebuilder) {
    let live = Live::default();
    let (finished, rebuilt) = mpsc::channel(1);
    let rebuilder = Rebuilder::new(kit.clone(), folder.clone(), lifecycle.clone(), finished);
    let tail = Tail {
        kit: kit.clone(),
        folder,
        wake,
        live: live.clone(),
        rebuilder: rebuilder.clone(),
        lane: Lane::any(),
        component,
        expected: None,
        generation: None,
        newer: None,
    };
    let stop = lifecycle.soft();
    lifecycle.spawn("index", async move {
        tail.run(rebuilt, &stop).await;
        Ok::<_, Infallible>(())
    });
    (live, rebuilder)
}

struct Tail {
    kit: Kit,
    folder: Folder,
    wake: Wake,
    live: Live,
    rebuilder: Rebuilder,
    lane: Lane,
    component: Component,
    /// The number of the last change in the projection at the start, until the index has it.
    expected: Option<i64>,
    /// `None` before it is opened, and after it failed.
    generation: Option<Generation>,
    /// A rebuilt index that is to take the place of the one in use.
    newer: Option<Generation>,
}

impl Tail {
    /// Runs until `stop`. It outlives every trouble of database and disk; searches go on meanwhile.
    async fn run(mut self, mut rebuilt: mpsc::Receiver<Generation>, stop: &CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let Err(error) = self.follow(&mut rebuilt, stop, &mut failures).await else { break };
            self.component.down(problem::chain(&error));
            // An index that failed is opened anew, and its files are checked then.
            if !matches!(error, TailError::Database(_) | TailError::Messaging(_)) {
                self.generation = None;
            }
            let pause = PAUSES.1.min(PAUSES.0 * 2_u32.pow(failures));
            failures = (failures + 1).min(6);
            tracing::warn!(error = problem::chain(&error), ?pause, "the index is behind");
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        if let Some(generation) = self.generation
            && let Err(error) = generation.close().await
        {
            tracing::warn!(error = problem::chain(&error), "the index was not closed cleanly");
        }
    }

    async fn follow(
        &mut self,
        rebuilt: &mut mpsc::Receiver<Generation>,
        stop: &CancellationToken,
        failures: &mut u32,
    ) -> Result<(), TailError> {
        while !stop.is_cancelled() {
            let mut generation = match self.generation.take() {
                Some(generation) => generation,
                None => self.open().await?,
            };
            if let Some(newer) = self.newer.take() {
                generation = self.take_over(newer, generation).await?;
            }
            let advanced = generation.advance(&self.kit).await;
            let applied = generation.applied;
            // An index whose commit failed has no writer any more, and fails again until it is opened anew.
            self.generation = Some(generation);
            let Step { changes, more } = advanced?;
            if changes > 0 {
                self.live.advanced(applied, Some(clock::now()));
                count(changes);
            }
            self.say_receipts(applied).await?;
            if !more || self.expected.is_some_and(|expected| expected <= applied) {
                self.component.up();
                *failures = 0;
            }
            if more {
                self.newer = rebuilt.try_recv().ok();
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.woken() => {}
                newer = rebuilt.recv() => self.newer = newer,
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
        Ok(())
    }

    /// The generation in use, or one that is built if there is none that can be gone on with.
    async fn open(&mut self) -> Result<Generation, TailError> {
        let mut connection = self.kit.pool().acquire().await?;
        let numbering = changes::read(&mut connection).await?;
        if self.expected.is_none() {
            self.expected = Some(documents::last_change(&mut connection).await?);
            self.folder.sweep()?;
        }
        drop(connection);
        let folder = self.folder.clone();
        let opened = tokio::task::spawn_blocking(move || Generation::open(folder, numbering));
        let generation = if let Some(generation) = opened.await?? {
            generation
        } else {
            self.component.down("the index is being built");
            let generation = rebuild::build(&self.kit, &self.folder, numbering.source).await?;
            self.folder.choose(&generation.path)?;
            generation
        };
        self.live.replace(generation.index.clone());
        self.live.advanced(generation.applied, None);
        let documents = generation.index.documents();
        tracing::info!(documents, applied = generation.applied, "the index is open");
        Ok(generation)
    }

    /// Puts a rebuilt index in the place of the one in use, once it has all that that one has: nobody reads backwards.
    async fn take_over(
        &mut self,
        mut newer: Generation,
        older: Generation,
    ) -> Result<Generation, TailError> {
        let chosen = match newer.catch_up(&self.kit).await {
            Ok(()) => {
                drop(older);
                self.folder.choose(&newer.path).map_err(TailError::from)
            }
            Err(error) => {
                // The index in use goes on.
                self.generation = Some(older);
                Err(error)
            }
        };
        if let Err(error) = chosen {
            self.rebuilder.finished(Some(problem::chain(&error)));
            return Err(error);
        }
        self.live.replace(newer.index.clone());
        self.live.advanced(newer.applied, Some(clock::now()));
        self.rebuilder.finished(None);
        tracing::info!(documents = newer.index.documents(), "the rebuilt index is in use");
        Ok(newer)
    }

    /// Says what is searchable by now. Of several processes each receipt is said by one.
    async fn say_receipts(&self, applied: i64) -> Result<(), TailError> {
        if !receipts::any(&mut *self.kit.pool().acquire().await?).await? {
            return Ok(());
        }
        loop {
            let mut tx = self.kit.begin().await?;
            let due = receipts::take(&mut tx, applied, RECEIPTS).await?;
            let more = i64::try_from(due.len()).is_ok_and(|taken| taken == RECEIPTS);
            // The traces of a batch end in the receipt; it goes on with one of them.
            let cause = due.iter().find_map(|one| TraceContext::parse(one.traceparent.as_deref()?));
            let versions = due.iter().map(|one| (one.product_id, one.version));
            let Some(receipt) = product_applied(versions, &self.lane, clock::now()) else { break };
            tx.emit_caused_by(cause, &receipt)?;
            tx.commit().await?;
            if !more {
                break;
            }
        }
        Ok(())
    }
}

fn count(changes: usize) {
    metrics::counter!("search_index_commits_total").increment(1);
    metrics::counter!("search_index_changes_total")
        .increment(u64::try_from(changes).unwrap_or_default());
}
