//! One replica of a service on one connection: it keeps its seat, and runs the lanes that fall to it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    task::{Id, JoinError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Lane, drain_dead,
    seat::Seat,
    shares::{Moves, View, moves},
};
use crate::{
    Error, Outbox, Settings,
    broker::Session,
    error::{causes, within},
    lease::TERM,
    topology::SLOT_GROUPS,
};

/// How often the seat is renewed.
const RENEWAL: Duration = TERM.checked_div(3).unwrap();

/// How long lanes may take to end after a failure.
const GOODBYE: Duration = Duration::from_secs(1);

/// How soon it is looked again while lanes change hands.
const SETTLING: Duration = Duration::from_millis(200);

/// A replica with the lanes that it runs.
pub(super) struct Replica {
    settings: Arc<Settings>,
    session: Session,
    seat: Seat,
    /// All lanes of the service, in the order that all replicas know.
    lanes: Vec<Arc<Lane>>,
    /// Their queues: the names under which they are shared out.
    queues: Vec<String>,
    /// Those that run here, with what stops each.
    running: HashMap<usize, CancellationToken>,
    /// The tasks of those: a lane runs until its last one has ended.
    tasks: HashMap<Id, usize>,
    /// When the seat was last known to be ours.
    renewed: Instant,
    outbox: Outbox,
}

impl Replica {
    /// A replica that has no seat yet, on a connection on which everything is declared.
    pub(super) fn new(outbox: &Outbox, settings: &Arc<Settings>, session: Session) -> Self {
        let lanes = lanes(outbox, settings);
        let queues = lanes.iter().map(|lane| lane.queue.clone()).collect();
        Self {
            settings: settings.clone(),
            session,
            seat: Seat::new(outbox, settings.replica),
            lanes,
            queues,
            running: HashMap::new(),
            tasks: HashMap::new(),
            renewed: Instant::now(),
            outbox: outbox.clone(),
        }
    }

    /// Takes part until `stop`, or until the connection or a lane fails. What is in hand is finished, then what was held is
    /// free for others. After a failure this is waited for shortly, for what has failed may answer no goodbye: then lanes end
    /// where they are, and their messages come again.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut outcome = self.take_part(stop).await;
        for lane in self.running.values() {
            lane.cancel();
        }
        if outcome.is_ok() {
            outcome = self.join_all().await;
        } else if tokio::time::timeout(GOODBYE, self.join_all()).await.is_err() {
            self.session.tasks.shutdown().await;
        }
        let Self { seat, session, .. } = self;
        if let Err(error) = within("leaving a seat", TERM, seat.leave()).await {
            tracing::debug!(causes = ?causes(&error), "the seat was not given up, and runs out by itself");
        }
        if outcome.is_ok() {
            session.close().await;
        }
        outcome
    }

    /// Waits until all lanes have ended.
    async fn join_all(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        while let Some(ended) = self.session.tasks.join_next_with_id().await {
            outcome = outcome.and(self.note_end(ended));
        }
        outcome
    }

    async fn take_part(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut look = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.session.tasks.join_next_with_id() => {
                    self.note_end(ended)?;
                    // A lane that was given up is handed on.
                    look = Instant::now();
                }
                () = tokio::time::sleep_until(look) => {
                    let settled = self.keep_share().await?;
                    look = Instant::now() + if settled { RENEWAL } else { SETTLING };
                }
            }
        }
    }

    /// Renews the seat and puts right what runs here. Says whether all is settled. An error is the broker's; without a database
    /// the lanes go on for one term, though they cannot commit, and then make way for whoever has one.
    async fn keep_share(&mut self) -> Result<bool, Error> {
        if !self.session.status()?.connected() {
            return Err(Error::Ended);
        }
        match within("renewing a seat", TERM, self.share()).await {
            Ok((mine, settled)) => {
                self.renewed = Instant::now();
                self.run_only(&mine).await?;
                Ok(settled)
            }
            Err(error) => {
                tracing::warn!(causes = ?causes(&error), "the seat among the replicas was not renewed");
                if self.renewed.elapsed() > TERM {
                    self.run_only(&[]).await?;
                }
                Ok(false)
            }
        }
    }

    /// The lanes that are to run here, and whether all is settled.
    async fn share(&mut self) -> Result<(Vec<usize>, bool), Error> {
        let view = self.seat.renew(&self.queues).await?;
        let me = self.settings.replica;
        let Moves { take, give, settled } = moves(me, &view);
        for lane in &give {
            // One that still runs is stopped first, and handed on when it has ended.
            if !self.running.contains_key(lane) {
                self.seat.give(&self.queues[*lane]).await?;
            }
        }
        let wanted: Vec<&str> = take.iter().map(|lane| self.queues[*lane].as_str()).collect();
        let taken = if wanted.is_empty() { Vec::new() } else { self.seat.take(&wanted).await? };
        let View { holders, .. } = view;
        let is_mine = |lane: &usize| {
            (holders[*lane] == Some(me) && !give.contains(lane))
                || taken.contains(&self.queues[*lane])
        };
        let mine = (0..self.lanes.len()).filter(is_mine).collect();
        Ok((mine, settled))
    }

    /// Stops the lanes that are not in `mine`, and starts those of `mine` that do not run.
    async fn run_only(&mut self, mine: &[usize]) -> Result<(), Error> {
        for (lane, stop) in &self.running {
            if !mine.contains(lane) {
                stop.cancel();
            }
        }
        for lane in mine {
            if !self.running.contains_key(lane) {
                self.start(*lane).await?;
            }
        }
        Ok(())
    }

    /// Starts a lane. Whoever runs the first also sees to what processes died over.
    async fn start(&mut self, number: usize) -> Result<(), Error> {
        let (lane, stop) = (self.lanes[number].clone(), CancellationToken::new());
        tracing::info!(queue = lane.queue, "hearing");
        let (channel, stopped) = (self.session.channel().await?, stop.clone());
        let lane = self.session.tasks.spawn(async move { lane.run(&channel, &stopped).await });
        self.tasks.insert(lane.id(), number);
        if number == 0 {
            let (channel, stopped) = (self.session.channel().await?, stop.clone());
            let (outbox, settings) = (self.outbox.clone(), self.settings.clone());
            let drain = async move { drain_dead(&outbox, &settings, &channel, &stopped).await };
            self.tasks.insert(self.session.tasks.spawn(drain).id(), number);
        }
        self.running.insert(number, stop);
        Ok(())
    }

    /// Notes that a task of a lane has ended, and how.
    fn note_end(&mut self, ended: Result<(Id, Result<(), Error>), JoinError>) -> Result<(), Error> {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(Error::Lane(error.into()))),
        };
        if let Some(lane) = self.tasks.remove(&id)
            && !self.tasks.values().any(|other| *other == lane)
        {
            tracing::info!(queue = self.queues[lane], "not hearing any more");
            self.running.remove(&lane);
            self.lanes[lane].meter.let_go();
        }
        outcome
    }
}

/// The lanes of a service. The first half has one slot group of every subscription, the second half the other: two replicas
/// share the work of each subscription.
fn lanes(outbox: &Outbox, settings: &Settings) -> Vec<Arc<Lane>> {
    let (service, subscriptions) = (settings.topology.service(), settings.topology.subscriptions());
    let of_group = |group: u8| {
        subscriptions.iter().map(move |subscription| {
            Arc::new(Lane {
                outbox: outbox.clone(),
                meter: outbox.meters().of(&subscription.queue(service, group)),
                queue: subscription.queue(service, group),
                consumer: subscription.consumer(service),
                subscription: subscription.clone(),
                group,
            })
        })
    };
    (0..SLOT_GROUPS).flat_map(of_group).collect()
}
