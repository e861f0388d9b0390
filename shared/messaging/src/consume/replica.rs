//! A replica of the service on one connection: it keeps its membership, and runs the consumers of the queues assigned to it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use envelope::SLOTS;
use tokio::{
    sync::{Notify, Semaphore},
    task::{Id, JoinError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    assignment::{ClusterView, Rebalance, rebalance},
    dead_queue, former_queues,
    known_groups::KnownGroups,
    membership::{Membership, Renewed},
    queue_consumer::QueueConsumer,
    queue_context::QueueContext,
    retry_worker::{MAX_RETRIES, RetryWorker},
    subscription::Subscription,
};
use crate::{
    activity::REST_INTERVAL,
    broker::Session,
    declare,
    difference::ObjectKind,
    error::{Error, causes, with_timeout},
    naming::{dead_queue as dead_queue_name, slots_of},
    publish::{lease::LEASE_TTL, outbox::Outbox},
    retry,
    settings::Settings,
};

/// How often the membership is renewed, unless the process rests.
const RENEWAL_INTERVAL: Duration = LEASE_TTL.checked_div(3).unwrap();

/// How long consumers may take to stop after a failure.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The interval between two checks while queues move between replicas.
const REBALANCE_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Replica {
    settings: Arc<Settings>,
    subscriptions: Arc<[Subscription]>,
    session: Session,
    membership: Membership,
    /// The consumers of all queues of the service, in the same order for all replicas.
    consumers: Vec<Arc<QueueConsumer>>,
    /// The workers that retry their parked events.
    retries: Vec<Arc<RetryWorker>>,
    /// Their queues.
    queues: Vec<String>,
    /// The numbers of slot groups from which they follow.
    known: KnownGroups,
    /// Whether other queues follow from what the replicas use now.
    is_outdated: bool,
    /// The consumers that run here, with their stop tokens.
    running: HashMap<usize, CancellationToken>,
    /// The consumers that failed on this connection: how often in a row, and when to start them again.
    failures: HashMap<usize, Failures>,
    /// The tasks of the running consumers. A consumer runs until its last task has ended.
    tasks: HashMap<Id, usize>,
    /// Since when the membership cannot be renewed.
    failing_since: Option<Instant>,
    /// Whether any event of the service may be parked; shared with the workers that retry them.
    may_be_parked: Arc<AtomicBool>,
    outbox: Outbox,
}

/// Failures of one consumer on a connection that works.
struct Failures {
    count: u32,
    retry_at: Instant,
}

impl Replica {
    /// A replica without a membership, on a connection where the topology is declared.
    pub(super) fn new(
        outbox: &Outbox,
        settings: &Arc<Settings>,
        subscriptions: &[Subscription],
        session: Session,
        known: KnownGroups,
    ) -> Self {
        let contexts = contexts(outbox, settings, subscriptions, &known);
        let consumers = contexts.iter().map(|context| consumer(context, settings)).collect();
        let permits = Arc::new(Semaphore::new(MAX_RETRIES));
        let may_be_parked = Arc::new(AtomicBool::new(true));
        let retry_worker = |context| retry_worker(context, &permits, &may_be_parked);
        let retries = contexts.iter().map(retry_worker).collect();
        let queues = contexts.iter().map(|context| context.queue.clone()).collect();
        Self {
            settings: settings.clone(),
            subscriptions: subscriptions.into(),
            session,
            membership: Membership::new(outbox, settings.replica),
            consumers,
            retries,
            queues,
            known,
            is_outdated: false,
            running: HashMap::new(),
            failures: HashMap::new(),
            tasks: HashMap::new(),
            failing_since: None,
            may_be_parked,
            outbox: outbox.clone(),
        }
    }

    /// Runs until `stop`, until the service has other queues, or until the connection fails. A consumer that fails alone is started
    /// again alone: a queue without a majority must not interrupt the others. Current batches are finished, then the queues are
    /// released.
    ///
    /// After a failure it waits only briefly, because the failed server may not answer: then the consumers are aborted, and their
    /// messages are redelivered.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut outcome = self.participate(stop).await;
        self.outbox.activity().set_alone(false);
        for consumer in self.running.values() {
            consumer.cancel();
        }
        if outcome.is_ok() {
            outcome = self.join_all().await;
        } else if tokio::time::timeout(STOP_TIMEOUT, self.join_all()).await.is_err() {
            self.session.tasks.shutdown().await;
        }
        let Self { membership, session, .. } = self;
        if let Err(error) = with_timeout("leaving the group", LEASE_TTL, membership.leave()).await {
            tracing::debug!(causes = ?causes(&error), "failed to end the membership; it will expire");
        }
        if outcome.is_ok() {
            session.close().await;
        }
        outcome
    }

    /// Waits until all consumers have ended.
    async fn join_all(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        while let Some(ended) = self.session.tasks.join_next_with_id().await {
            outcome = outcome.and(self.task_ended(ended).1);
        }
        outcome
    }

    async fn participate(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let activity = self.outbox.activity().clone();
        // At rest the next check may be as late as the second of these times.
        let (mut next_check, mut latest_check) = (Instant::now(), Instant::now());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.session.tasks.join_next_with_id() => {
                    self.retry_later(ended);
                    // A queue whose consumer was stopped is released; a lost connection is noticed.
                    (next_check, latest_check) = (Instant::now(), Instant::now());
                }
                () = activity.pause_until(next_check, latest_check) => {
                    let is_resting = activity.is_resting();
                    let is_stable = self.rebalance(is_resting).await?;
                    if self.is_outdated {
                        tracing::info!("the numbers of slot groups in use have changed");
                        return Ok(());
                    }
                    let interval = if is_stable { RENEWAL_INTERVAL } else { REBALANCE_INTERVAL };
                    next_check = Instant::now() + interval;
                    let is_long = is_stable && is_resting;
                    latest_check = if is_long { Instant::now() + REST_INTERVAL } else { next_check };
                }
            }
        }
    }

    /// Renews the membership, and starts and stops consumers accordingly. Returns whether the assignment is stable.
    ///
    /// An error is an error of the broker. Without the database the consumers continue for one lease, though they cannot commit, and
    /// then make room for a replica that can.
    async fn rebalance(&mut self, is_resting: bool) -> Result<bool, Error> {
        if !self.session.status()?.connected() {
            return Err(Error::ConnectionClosed);
        }
        let began = Instant::now();
        match with_timeout("renewing the membership", LEASE_TTL, self.assigned(is_resting)).await {
            Ok((assigned, is_stable)) => {
                self.failing_since = None;
                self.run_only(&assigned)?;
                Ok(is_stable)
            }
            Err(error) => {
                tracing::warn!(causes = ?causes(&error), "failed to renew the membership");
                self.outbox.activity().set_alone(false);
                if self.failing_since.get_or_insert(began).elapsed() >= LEASE_TTL {
                    self.run_only(&[])?;
                }
                Ok(false)
            }
        }
    }

    /// The queues assigned to this replica, and whether the assignment is stable.
    async fn assigned(&mut self, is_resting: bool) -> Result<(Vec<usize>, bool), Error> {
        let Renewed { view, may_be_parked, slot_groups } =
            self.membership.renew(&self.queues, is_resting).await?;
        self.compare(&slot_groups).await?;
        if self.is_outdated {
            return Ok((Vec::new(), false));
        }
        self.may_be_parked.store(may_be_parked, Ordering::Relaxed);
        self.outbox.activity().set_alone(view.members.len() == 1);
        let me = self.settings.replica;
        let Rebalance { acquire, release, is_stable } = rebalance(me, &view);
        for queue in &release {
            // A running consumer is stopped first; its queue is released when it has ended.
            if !self.running.contains_key(queue) {
                self.membership.release(&self.queues[*queue]).await?;
            }
        }
        let wanted: Vec<&str> = acquire.iter().map(|queue| self.queues[*queue].as_str()).collect();
        let acquired =
            if wanted.is_empty() { Vec::new() } else { self.membership.acquire(&wanted).await? };
        let ClusterView { holders, .. } = view;
        let is_assigned = |queue: &usize| {
            (holders[*queue] == Some(me) && !release.contains(queue))
                || acquired.contains(&self.queues[*queue])
        };
        let assigned = (0..self.consumers.len()).filter(is_assigned).collect();
        Ok((assigned, is_stable))
    }

    /// Compares what the replicas use with what this one knows.
    async fn compare(&mut self, used: &[(String, i16)]) -> Result<(), Error> {
        let own = KnownGroups::of(&self.subscriptions, &self.settings.slot_groups);
        let used = used.iter().map(|(aggregate, groups)| (aggregate.as_str(), *groups));
        let is_registered = self.subscriptions.iter().all(|subscription| {
            let aggregate = subscription.aggregate();
            let groups = i16::from(self.settings.slot_groups.of(aggregate));
            used.clone().any(|other| other == (aggregate, groups))
        });
        if !is_registered {
            // Another replica has forgotten it, or the database was away.
            let Self { outbox, settings, subscriptions, .. } = self;
            Box::pin(former_queues::register(outbox, settings, subscriptions)).await?;
        }
        self.is_outdated = own.with(used) != self.known;
        Ok(())
    }

    /// Stops the consumers that are not assigned, and starts the assigned ones that do not run.
    fn run_only(&mut self, assigned: &[usize]) -> Result<(), Error> {
        for (consumer, stop) in &self.running {
            if !assigned.contains(consumer) {
                stop.cancel();
            }
        }
        for consumer in assigned {
            let now = Instant::now();
            let is_waiting =
                self.failures.get(consumer).is_some_and(|failed| failed.retry_at > now);
            if !self.running.contains_key(consumer) && !is_waiting {
                self.start(*consumer)?;
            }
        }
        let queues = &self.queues;
        self.failures.retain(|consumer, _| {
            let is_assigned = assigned.contains(consumer);
            if !is_assigned {
                self.settings.connections.queue_works(&queues[*consumer]);
            }
            is_assigned
        });
        Ok(())
    }

    /// Starts a consumer. The replica with the first queue also drains the dead-letter queue.
    fn start(&mut self, number: usize) -> Result<(), Error> {
        let (consumer, stop) = (self.consumers[number].clone(), CancellationToken::new());
        tracing::info!(queue = self.queues[number], "consumer started");
        let (channels, stopped) = (self.session.channels()?, stop.clone());
        // The queue of a consumer that failed may have been deleted.
        let has_failed = self.failures.contains_key(&number);
        let settings = self.settings.clone();
        let task = self.session.tasks.spawn(async move {
            if has_failed {
                declare::declare_topology(&channels, &settings).await?;
            }
            settings.connections.check(ObjectKind::Queue, &consumer.context.queue)?;
            consumer.run(&channels, &stopped).await
        });
        self.tasks.insert(task.id(), number);
        let (retries, stopped) = (self.retries[number].clone(), stop.clone());
        let retry = async move { retries.run(&stopped).await };
        self.tasks.insert(self.session.tasks.spawn(retry).id(), number);
        // Without a usable dead queue the consumers continue; the health names it.
        let dead_queue_name = dead_queue_name(self.settings.service);
        let is_usable = self.settings.connections.check(ObjectKind::Queue, &dead_queue_name);
        if number == 0 && is_usable.is_ok() {
            let (channels, stopped) = (self.session.channels()?, stop.clone());
            let (outbox, service) = (self.outbox.clone(), self.settings.service);
            let subscriptions = self.subscriptions.clone();
            let drain = async move {
                dead_queue::drain(&outbox, service, &subscriptions, &channels, &stopped).await
            };
            self.tasks.insert(self.session.tasks.spawn(drain).id(), number);
        }
        self.running.insert(number, stop);
        Ok(())
    }

    /// Records the end of a task. After a failure, its consumer starts again later.
    fn retry_later(&mut self, ended: Ended) {
        let (consumer, outcome) = self.task_ended(ended);
        let (Some(consumer), Err(error)) = (consumer, outcome) else { return };
        // The other task of the consumer must end, too.
        if let Some(sibling) = self.running.get(&consumer) {
            sibling.cancel();
        }
        let queue = &self.queues[consumer];
        let is_known = self.settings.connections.has_failed(queue);
        let previous = self.failures.get(&consumer).filter(|_| is_known);
        let count = previous.map_or(0, |failed| failed.count) + 1;
        let delay = retry::backoff(count);
        tracing::warn!(queue, causes = ?causes(&error), ?delay, "a consumer failed; retrying");
        self.settings.connections.queue_failed(queue, &error);
        self.failures.insert(consumer, Failures { count, retry_at: Instant::now() + delay });
    }

    /// Records the end of a task. Returns its consumer and its result.
    fn task_ended(&mut self, ended: Ended) -> (Option<usize>, Result<(), Error>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(Error::TaskFailed(error.into()))),
        };
        let consumer = self.tasks.remove(&id);
        if let Some(consumer) = consumer
            && !self.tasks.values().any(|other| *other == consumer)
        {
            tracing::info!(queue = self.queues[consumer], "consumer stopped");
            self.running.remove(&consumer);
            self.consumers[consumer].stats.released();
        }
        (consumer, outcome)
    }
}

/// How a task ended.
type Ended = Result<(Id, Result<(), Error>), JoinError>;

/// The queues of a service, group by group of every subscription, so replicas share the work of each subscription.
fn contexts(
    outbox: &Outbox,
    settings: &Settings,
    subscriptions: &[Subscription],
    known: &KnownGroups,
) -> Vec<Arc<QueueContext>> {
    let of_group = |group: u8| {
        let with_group = subscriptions
            .iter()
            .filter(move |subscription| group < known.queues(subscription.aggregate()));
        with_group.map(move |subscription| {
            Arc::new(context(outbox, settings, subscription, group, known))
        })
    };
    (0..SLOTS).flat_map(of_group).collect()
}

fn context(
    outbox: &Outbox,
    settings: &Settings,
    subscription: &Subscription,
    group: u8,
    known: &KnownGroups,
) -> QueueContext {
    let (service, aggregate) = (settings.service, subscription.aggregate());
    let groups = settings.slot_groups.of(aggregate);
    let names = |numbers: BTreeSet<u8>| {
        numbers.into_iter().map(|number| subscription.queue(service, number)).collect()
    };
    let arriving = known.slots(aggregate, group).into_iter();
    QueueContext {
        outbox: outbox.clone(),
        queue: subscription.queue(service, group),
        consumer: subscription.consumer(service),
        subscription: subscription.clone(),
        is_former: group >= groups,
        slots: slots_of(group, groups).map(|slot| i16::from(slot.number())).collect(),
        arriving: arriving.map(|(slot, others)| (slot, names(others))).collect(),
        parked: Notify::new(),
    }
}

fn consumer(context: &Arc<QueueContext>, settings: &Arc<Settings>) -> Arc<QueueConsumer> {
    Arc::new(QueueConsumer {
        stats: context.outbox.stats().queue(&context.queue),
        context: context.clone(),
        settings: settings.clone(),
    })
}

fn retry_worker(
    context: &Arc<QueueContext>,
    permits: &Arc<Semaphore>,
    may_be_parked: &Arc<AtomicBool>,
) -> Arc<RetryWorker> {
    Arc::new(RetryWorker {
        context: context.clone(),
        permits: permits.clone(),
        may_be_parked: may_be_parked.clone(),
        outages: Mutex::default(),
    })
}
