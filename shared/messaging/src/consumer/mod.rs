//! The consumer: takes what is there, decides event by event, and commits effects, cursors and new events together.

mod batch;
pub(crate) mod core;
pub(crate) mod cursors;
pub(crate) mod dispatch;
pub(crate) mod hand;
pub(crate) mod handler;
pub(crate) mod newest;
pub(crate) mod parking;
mod replica;
mod retries;
mod seat;
mod shares;
pub(crate) mod work;

use std::{
    collections::{BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use envelope::{DecodeError, Envelope, decode_parts};
use futures::{FutureExt, StreamExt};
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    batch::Ear,
    core::{Incoming, Key, Look, Origin, Position, Ruling, look},
    hand::{Hand, Turn, prefetch},
    parking::First,
    replica::Replica,
};
use crate::{
    Error, Outbox, Settings, Transaction,
    adaptive::Limit,
    broker,
    connectivity::Link,
    dead_letters::{MISSING_PREDECESSOR, Unreadable, bury_unreadable},
    error::{causes, within},
    lease::TERM,
    queues::{Meter, Reading, published_at},
    retry,
    topology::{Guard, Subscription, dead_queue},
};

/// How many events one transaction takes on, where that adapts.
const BATCH_EVENTS: RangeInclusive<usize> = 1..=2048;

/// How many events the first transaction takes on.
const FIRST_BATCH: usize = 64;

/// How long writing down may take what is no event, what is parked, or that something of it was started: longer than any lock is
/// waited for.
const BOOKS: Duration = Duration::from_secs(30);

/// How often a parked event is handed to its handler at most. Failures are bounded more tightly; this is for what makes
/// the process die, which cannot be counted as a failure.
const MOST_STARTS: i32 = 30;

/// When to look at the parking place again if the database did not say when, and how long an event rests there whose handler could
/// not reach what it needs.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long the parking place is looked after before the queue has its turn; a key that is begun is finished.
const LOOKING_AFTER: Duration = Duration::from_millis(100);

/// How long what is in hand may go on once it is to stop: longer than most batches take, and short enough for who takes over.
const GRACE: Duration = Duration::from_secs(5);

/// How often the parking place is looked at though nothing is known to be due.
const SWEEP: Duration = Duration::from_secs(5);

/// Hears everything the topology names until `stop`; what is in hand by then is finished, if that takes no longer than [`GRACE`].
pub(crate) async fn run(outbox: &Outbox, settings: &Arc<Settings>, stop: &CancellationToken) {
    let mut attempt = 0;
    while !stop.is_cancelled() {
        let began = Instant::now();
        if let Err(error) = hear(outbox, settings, stop).await {
            settings.connectivity.down(Link::Consumer, &error);
            attempt = retry::failed_in_a_row(attempt, began);
            let pause = retry::backoff(attempt);
            tracing::warn!(causes = ?causes(&error), ?pause, "the consumers lost their broker, and try again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Hears on one connection for as long as it is sound.
async fn hear(
    outbox: &Outbox,
    settings: &Arc<Settings>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let service = settings.topology.service();
    let name = format!("{service}: consumer");
    let mut session =
        broker::Session::connect(&settings.amqp_url, &name, broker::CONSUMER_HEARTBEAT).await?;
    broker::declare_on(session.lasting_channel().await?, &settings.topology).await?;
    settings.connectivity.up(Link::Consumer);
    Replica::new(outbox, settings, session).run(stop).await
}

/// One slot group of one subscription: one queue, one channel, one batch at a time.
struct Lane {
    outbox: Outbox,
    queue: String,
    consumer: String,
    meter: Arc<Meter>,
    subscription: Subscription,
    group: u8,
}

impl Lane {
    fn ear(&self) -> Ear<'_> {
        Ear { outbox: &self.outbox, subscription: &self.subscription, consumer: &self.consumer }
    }

    async fn run(&self, channel: &Channel, stop: &CancellationToken) -> Result<(), Error> {
        within("adopting what is parked", BOOKS, self.adopt()).await?;
        let mut hand = self.open_hand(channel).await?;
        let mut look = Instant::now();
        let mut unparked = self.outbox.unparked().subscribe();
        loop {
            // Tested here and not only waited for below, so that a queue that never runs dry starves nobody. In turn it is
            // looked at below before the parking place again, so that one that never runs empty starves no queue.
            if Instant::now() >= look || unparked.has_changed().unwrap_or(false) {
                unparked.mark_unchanged();
                look = self.look_after_parked(stop).await;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                turn = hand.next(&self.queue) => {
                    let (turn, began) = (turn?, Instant::now());
                    self.meter.took(hand.messages(&turn));
                    let waits = persist(stop, || self.digest(&turn)).await;
                    let Some(waits) = waits else { break };
                    // What was committed without being acknowledged comes again and is known by its cursors.
                    let acknowledged = hand.done(turn, began.elapsed(), &self.queue).await?;
                    self.meter.acknowledged(acknowledged);
                    if waits {
                        look = look.min(self.next_look().await);
                    }
                }
                Ok(()) = unparked.changed() => look = Instant::now(),
                () = tokio::time::sleep_until(look) => {}
            }
        }
        // The channel is closed before the consumer is given up: otherwise the broker hands the next messages to another
        // process while those before them are still unacknowledged here.
        within("closing a channel", broker::ANSWER, channel.close(200, "done".into())).await
    }

    /// Starts to consume, with nothing in hand yet.
    async fn open_hand(&self, channel: &Channel) -> Result<Hand, Error> {
        let Self { queue, consumer, subscription, .. } = self;
        let guard = subscription.guard();
        let deliveries = consume(channel, queue, prefetch(guard), FieldTable::default()).await?;
        let limit = Limit::new(subscription.batch_size(), BATCH_EVENTS, FIRST_BATCH);
        Ok(Hand::new(guard, deliveries, limit, consumer, subscription.aggregate()))
    }

    /// Processes the events of a turn; what is none becomes a dead letter. Says whether anything is parked.
    async fn digest(&self, turn: &Turn) -> Result<bool, Error> {
        let mut incoming = Vec::new();
        match turn {
            Turn::Messages(taken) => {
                let is_mine = |aggregate: &str| aggregate == self.subscription.aggregate();
                let mut reading = Reading::default();
                for delivery in &taken.deliveries {
                    let events = read(&self.outbox, &self.consumer, delivery, &is_mine).await?;
                    reading.add(published_at(delivery), &events);
                    incoming.extend(events);
                }
                self.meter.read(reading);
            }
            Turn::Events(events, reading) => {
                for (_, part) in events {
                    match part {
                        Ok(one) => incoming.push(one.clone()),
                        Err(unreadable) => {
                            bury_part(&self.outbox, &self.consumer, unreadable).await?;
                        }
                    }
                }
                self.meter.read(*reading);
            }
        }
        self.ear().process(incoming, HashMap::new(), Origin::Queue).await
    }

    /// Looks at what is parked and due, key by key, for a while. Says when to look again: at once if something is left.
    async fn look_after_parked(&self, stop: &CancellationToken) -> Instant {
        let began = Instant::now();
        let due = within("looking at the parking place", TERM, self.due()).await;
        let Ok(keys) = due else { return Instant::now() + LOOK_AGAIN };
        for key in keys {
            if began.elapsed() > LOOKING_AFTER {
                return Instant::now();
            }
            match in_time(stop, Box::pin(self.unpark_key(&key))).await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::warn!(causes = ?causes(&error), "a parked key could not be looked at, and rests");
                }
                None => break,
            }
        }
        self.next_look().await
    }

    /// The keys of which something is parked and due.
    async fn due(&self) -> Result<Vec<Key>, Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        parking::due(&mut connection, &self.consumer, self.group).await
    }

    /// What a subscription that has come to full state finds in the parking place waits for nobody any more.
    async fn adopt(&self) -> Result<(), Error> {
        let Guard::Newest(_) = self.subscription.guard() else { return Ok(()) };
        let mut connection = self.outbox.pool().acquire().await?;
        retries::adopt(&mut connection, &self.consumer, self.group).await
    }

    async fn unpark_key(&self, key: &Key) -> Result<(), Error> {
        let starting = async {
            match self.subscription.guard() {
                Guard::Newest(_) => self.start_newest(key).await,
                Guard::Cursors(_) => self.start_first(key).await,
            }
        };
        match within("starting what is parked of a key", BOOKS, starting).await? {
            Some(started) => self.process_parked(key, started).await,
            None => Ok(()),
        }
    }

    /// Starts the newest event of a key of full state that is due again, alone.
    async fn start_newest(&self, key: &Key) -> Result<Option<Started>, Error> {
        let (consumer, aggregate) = (&self.consumer, self.subscription.aggregate());
        // The start is committed before the handler runs: if the process dies over the event, the next one knows.
        let started = {
            let mut connection = self.outbox.pool().acquire().await?;
            retries::start(&mut connection, consumer, aggregate, key).await?
        };
        Ok(started.map(|(incoming, starts)| {
            let sequence = incoming.envelope.sequence;
            let is_given_up = starts > MOST_STARTS;
            let rulings = is_given_up.then_some((0, Ruling::Dead("starts_exhausted")));
            Started { sequence, parked: vec![incoming], rulings: rulings.into_iter().collect() }
        }))
    }

    /// Starts the first parked event of a key, if it is due, and those behind it.
    async fn start_first(&self, key: &Key) -> Result<Option<Started>, Error> {
        let (consumer, aggregate) = (&self.consumer, self.subscription.aggregate());
        let mut tx = self.outbox.begin().await?;
        let only = BTreeSet::from([key.clone()]);
        let positions = cursors::lock(&mut tx, consumer, aggregate, &only).await?;
        let position = positions.get(key).copied().unwrap_or(Position::START);
        let first = parking::first(&mut tx, consumer, aggregate, key, position.last).await?;
        let found = first.as_ref().map(|first| (first.seq, first.due, first.starts));
        let looked = found.map_or(Look::Later, |(sequence, due, starts)| {
            look(position, sequence, due, starts, MOST_STARTS)
        });
        if let (Look::Lonely, Some(first)) = (looked, first) {
            self.bury_lonely(&mut tx, first, position.last).await?;
        }
        let (Look::Try | Look::GiveUp, Some((sequence, ..))) = (looked, found) else {
            parking::settle(&mut tx, consumer, aggregate, key).await?;
            tx.commit().await?;
            return Ok(None);
        };
        // The start is written down before the handler runs: if the process dies over the event, the next one knows.
        tx.commit().await?;
        let parked = {
            let mut connection = self.outbox.pool().acquire().await?;
            parking::of_key(&mut connection, consumer, aggregate, key).await?
        };
        // Another process may have gone on with the key meanwhile: it is the event that is given up, not what now stands first.
        let is_given_up =
            |one: &Incoming| looked == Look::GiveUp && one.envelope.sequence == sequence;
        let index = parked.iter().position(is_given_up);
        let rulings = index.map(|index| (index, Ruling::Dead("starts_exhausted")));
        Ok(Some(Started { sequence, parked, rulings: rulings.into_iter().collect() }))
    }

    /// Processes what was parked and is started. If what its handler needs is out of reach, that says nothing about the event: its
    /// start is taken back. One over which the process dies keeps it.
    async fn process_parked(
        &self,
        key: &Key,
        Started { sequence, parked, rulings }: Started,
    ) -> Result<(), Error> {
        let ear = self.ear();
        let processed = Box::pin(ear.process(parked, rulings, Origin::Parked));
        let Err(error) = processed.await else { return Ok(()) };
        let (consumer, aggregate) = (&self.consumer, self.subscription.aggregate());
        let postponed = async {
            let mut connection = self.outbox.pool().acquire().await?;
            parking::postpone(&mut connection, consumer, aggregate, key, sequence, LOOK_AGAIN).await
        };
        within("taking a start back", BOOKS, postponed).await?;
        Err(error)
    }

    /// An event whose predecessor has not come within the bound becomes a dead letter, loudly: numbers are dense, so a gap
    /// means that something was lost. It is never skipped: sent again, it still wants its predecessor first.
    async fn bury_lonely(
        &self,
        tx: &mut Transaction,
        first: First,
        last: i64,
    ) -> Result<(), Error> {
        let First { seq, mut incoming, .. } = first;
        incoming
            .causes
            .push(format!("number {} of the key has not come, number {seq} has", last + 1));
        self.ear().bury(tx, &incoming, MISSING_PREDECESSOR, false).await?;
        parking::remove(tx, &self.consumer, &incoming.envelope).await
    }

    /// When to look at the parking place next. If the database does not tell, soon.
    async fn next_look(&self) -> Instant {
        let asked = async {
            let mut connection = self.outbox.pool().acquire().await?;
            parking::next_due(&mut connection, &self.consumer, self.group).await
        };
        let pause = match within("looking at the parking place", TERM, asked).await {
            Ok(due) => due.unwrap_or(SWEEP).min(SWEEP),
            Err(_) => LOOK_AGAIN,
        };
        Instant::now() + pause
    }
}

/// What is parked of a key, once it is written down that its first event is handed to the handler.
struct Started {
    /// The number of that event.
    sequence: i64,
    /// It and those behind it.
    parked: Vec<Incoming>,
    /// What is known of them beforehand.
    rulings: HashMap<usize, Ruling>,
}

/// What processes died over again and again: the broker has put it aside, and here it is tried apart from the rest.
async fn drain_dead(
    outbox: &Outbox,
    settings: &Settings,
    channel: &Channel,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let queue = dead_queue(settings.topology.service());
    let mut deliveries = consume(channel, &queue, 1, FieldTable::default()).await?;
    loop {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            first = deliveries.next() => first,
        };
        let taken = take(first, &mut deliveries, &queue, FIRST_BATCH)?;
        let parked = persist(stop, || park_all(outbox, settings, &queue, &taken.deliveries)).await;
        if parked.is_none() {
            break;
        }
        taken.acknowledge(&queue).await?;
    }
    within("closing a channel", broker::ANSWER, channel.close(200, "done".into())).await
}

/// Parks all events of `deliveries`, each for the consumer that it was for. One of them kills whoever handles it, and the
/// broker cannot tell which: it counts against all that were in the same hands. Parked, each is handled with nothing but its
/// own key, its starts are counted, and the one that goes on killing becomes a dead letter alone.
async fn park_all(
    outbox: &Outbox,
    settings: &Settings,
    queue: &str,
    deliveries: &[Delivery],
) -> Result<(), Error> {
    let service = settings.topology.service();
    let subscriptions = settings.topology.subscriptions();
    let is_heard =
        |aggregate: &str| subscriptions.iter().any(|heard| heard.aggregate() == aggregate);
    for delivery in deliveries {
        let mut all = read(outbox, queue, delivery, &is_heard).await?;
        for incoming in &mut all {
            incoming.causes.push(
                "delivery limit: processes died over it, or over what was with it".to_owned(),
            );
        }
        for subscription in subscriptions {
            let consumer = subscription.consumer(service);
            let of_it = |one: &&Incoming| one.envelope.aggregate == subscription.aggregate();
            let incoming: Vec<Incoming> = all.iter().filter(of_it).cloned().collect();
            let rulings = (0..incoming.len()).map(|i| (i, Ruling::Retry(Duration::ZERO)));
            let ear = Ear { outbox, subscription, consumer: &consumer };
            let rulings = rulings.collect();
            ear.process(incoming, rulings, Origin::Queue).await?;
        }
    }
    outbox.unparked().send_replace(());
    Ok(())
}

/// Repeats `work` until it succeeds; `None` if it has not by `stop` and a little longer. Its failures are the database's, every wait
/// in it has a deadline of its own, and what it has committed by then is no harm to commit again.
async fn persist<T, F>(stop: &CancellationToken, mut work: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut attempt = 0;
    loop {
        match in_time(stop, Box::pin(work())).await? {
            Ok(done) => return Some(done),
            Err(error) => {
                attempt += 1;
                let pause = retry::backoff(attempt);
                tracing::warn!(causes = ?causes(&error), ?pause, "a batch could not be committed, and is tried again");
                stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
            }
        }
    }
}

/// Waits for `work`; `None` if it has not ended a little longer than `stop`.
pub(crate) async fn in_time<T>(
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = late => None,
    }
}

/// Starts consuming.
pub(crate) async fn consume(
    channel: &Channel,
    queue: &str,
    prefetch: u16,
    arguments: FieldTable,
) -> Result<Consumer, Error> {
    let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
    within("setting the prefetch", broker::ANSWER, qos).await?;
    let consumer =
        channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), arguments);
    within("starting a consumer", broker::ANSWER, consumer).await
}

/// Deliveries that are processed together.
pub(crate) struct Taken {
    pub(crate) deliveries: Vec<Delivery>,
    /// About how many events they carry.
    pub(crate) events: usize,
    /// Whether the consumer has ended behind them: the broker says so once, and nothing comes after.
    ended: bool,
}

impl Taken {
    /// Acknowledges all of them.
    pub(crate) async fn acknowledge(&self, queue: &str) -> Result<(), Error> {
        if let Some(last) = self.deliveries.last() {
            let ack = last.acker.ack(BasicAckOptions { multiple: true });
            // `false` means that it was not sent: the events come again, and are known by their cursors.
            within("acknowledging", broker::ANSWER, ack).await?;
        }
        if self.ended { Err(Error::ConsumerEnded(queue.to_owned())) } else { Ok(()) }
    }
}

/// The first delivery and all that are at hand behind it, as far as they make one batch of about `limit` events.
pub(crate) fn take(
    first: Option<Result<Delivery, lapin::Error>>,
    deliveries: &mut Consumer,
    queue: &str,
    limit: usize,
) -> Result<Taken, Error> {
    let first = first.ok_or_else(|| Error::ConsumerEnded(queue.to_owned()))??;
    let mut taken = Taken { events: weigh(&first), deliveries: vec![first], ended: false };
    // A message carries up to 64 events, so their number is guessed from their bytes rather than decoded twice.
    while taken.events < limit && !taken.ended {
        match deliveries.next().now_or_never() {
            Some(Some(Ok(delivery))) => {
                taken.events += weigh(&delivery);
                taken.deliveries.push(delivery);
            }
            Some(Some(Err(_)) | None) => taken.ended = true,
            None => break,
        }
    }
    Ok(taken)
}

/// About how many events a message carries: an envelope with its data is about half a kibibyte.
fn weigh(delivery: &Delivery) -> usize {
    1 + delivery.data.len() / 512
}

/// A part of a message: an event, or what should have been one, with the way that it came.
pub(crate) type Part = Result<Incoming, ((String, String), Unreadable)>;

/// The parts of a message. What cannot be read, or is of no aggregate that is heard here, is no event.
fn parts(
    consumer: &str,
    delivery: &Delivery,
    is_heard: &impl Fn(&str) -> bool,
) -> Result<Vec<Part>, Error> {
    let route = (delivery.exchange.to_string(), delivery.routing_key.to_string());
    let part = |part: Result<Envelope, (DecodeError, Vec<u8>)>| {
        let route = route.clone();
        Ok(match part {
            Ok(envelope) if is_heard(&envelope.aggregate) => {
                Ok(Incoming { envelope, attempts: 0, causes: Vec::new(), route })
            }
            Ok(envelope) => {
                let causes = vec![format!("{} does not hear {}", consumer, envelope.aggregate)];
                let payload = serde_json::to_vec(&envelope)?;
                Err((route, Unreadable { reason: "foreign_aggregate", causes, payload }))
            }
            Err((error, payload)) => {
                let causes = causes(&error);
                Err((route, Unreadable { reason: "undecodable", causes, payload }))
            }
        })
    };
    decode_parts(&delivery.data).into_iter().map(part).collect()
}

/// Makes a dead letter of what is no event.
async fn bury_part(
    outbox: &Outbox,
    consumer: &str,
    ((exchange, routing_key), unreadable): &((String, String), Unreadable),
) -> Result<(), Error> {
    let buried = async {
        let mut connection = outbox.pool().acquire().await?;
        bury_unreadable(&mut connection, consumer, (exchange, routing_key), unreadable).await
    };
    within("writing a dead letter", BOOKS, buried).await
}

/// The events of a message; what is none becomes a dead letter.
async fn read(
    outbox: &Outbox,
    consumer: &str,
    delivery: &Delivery,
    is_heard: &impl Fn(&str) -> bool,
) -> Result<Vec<Incoming>, Error> {
    let mut incoming = Vec::new();
    for part in parts(consumer, delivery, is_heard)? {
        match part {
            Ok(one) => incoming.push(one),
            Err(unreadable) => bury_part(outbox, consumer, &unreadable).await?,
        }
    }
    Ok(incoming)
}
