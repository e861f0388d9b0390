//! Group commit: all commands that arrive while one transaction commits share the next one. There is no delay; at low
//! load a batch is one order. Under a backlog, urgent orders overtake others by the weights of their classes.

use std::{
    collections::HashSet, convert::Infallible, future::poll_fn, mem, task::Poll, time::Duration,
};

use idempotency::StoredResponse;
use messaging::Outbox;
use problem::Problem;
use tokio::sync::{mpsc, oneshot};

use crate::{
    app::{
        order_process::OrderProcess,
        place_order::{NUMBER_TAKEN, PlaceOrderCommand, RenderResponse, place_orders},
    },
    domain::PriorityClass,
};

/// The maximum number of waiting commands of a class; more are refused with 503.
const QUEUE_CAPACITY: usize = 1_024;

/// The maximum number of orders of a transaction.
const BATCH_SIZE: usize = 128;

/// The maximum number of numbers that are tried for an order. Among a hundred million orders one in a million is taken.
const NUMBER_ATTEMPTS: u32 = 5;

/// `Retry-After` of a refused command.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Sends commands to the [`OrderBatchWorker`]. The worker ends after the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct OrderBatcher([mpsc::Sender<Job>; PriorityClass::ALL.len()]);

/// Places the commands of its [`OrderBatcher`] in batches.
#[derive(Debug)]
pub(crate) struct OrderBatchWorker {
    /// In the order of [`PriorityClass::ALL`].
    queues: [mpsc::Receiver<Job>; PriorityClass::ALL.len()],
}

#[derive(Debug)]
struct Job {
    command: PlaceOrderCommand,
    reply: oneshot::Sender<Result<StoredResponse, Problem>>,
}

impl Job {
    /// The caller and the idempotency key.
    fn key(&self) -> Option<(String, String)> {
        let context = self.command.idempotency.as_ref()?;
        Some((context.caller.clone(), context.key.as_str().to_owned()))
    }
}

impl OrderBatcher {
    pub(crate) fn new() -> (Self, OrderBatchWorker) {
        let channels = PriorityClass::ALL.map(|_| mpsc::channel(QUEUE_CAPACITY));
        let batcher = Self(channels.each_ref().map(|(sender, _)| sender.clone()));
        (batcher, OrderBatchWorker { queues: channels.map(|(_, receiver)| receiver) })
    }

    /// Returns the response once the order is durable or refused.
    pub(crate) async fn place(
        &self,
        command: PlaceOrderCommand,
    ) -> Result<StoredResponse, Problem> {
        let (reply, response) = oneshot::channel();
        let busy = || {
            Problem::unavailable("busy", RETRY_AFTER).detail("Too many orders wait to be placed.")
        };
        let mut queues = PriorityClass::ALL.into_iter().zip(&self.0);
        let queue = queues.find(|(class, _)| *class == command.class);
        let (_, queue) = queue.ok_or_else(busy)?;
        queue.try_send(Job { command, reply }).map_err(|_| busy())?;
        response.await.unwrap_or_else(|_| Err(busy()))
    }
}

impl OrderBatchWorker {
    /// Places batches until the last [`OrderBatcher`] is dropped.
    pub(crate) async fn run(
        mut self,
        outbox: Outbox,
        process: OrderProcess,
        render: RenderResponse,
    ) -> Result<(), Infallible> {
        let mut repeated = Vec::new();
        loop {
            let mut batch = mem::take(&mut repeated);
            if batch.is_empty() {
                let Some(first) = self.next().await else { return Ok(()) };
                batch.push(first);
            }
            self.take_waiting(&mut batch);
            // A repeated request gets the stored response of the first one, after its transaction.
            let mut keys = HashSet::new();
            (batch, repeated) =
                batch.into_iter().partition(|job| job.key().is_none_or(|key| keys.insert(key)));
            // A client that has disconnected got no response, so its order need not be placed.
            batch.retain(|job| !job.reply.is_closed());
            if !batch.is_empty() {
                place_batch(&outbox, &process, render, batch).await;
            }
        }
    }

    /// Waits for the next job; `None` once the last [`OrderBatcher`] is dropped.
    async fn next(&mut self) -> Option<Job> {
        poll_fn(|context| {
            let mut is_closed = true;
            for queue in &mut self.queues {
                match queue.poll_recv(context) {
                    Poll::Ready(Some(job)) => return Poll::Ready(Some(job)),
                    Poll::Ready(None) => {}
                    Poll::Pending => is_closed = false,
                }
            }
            if is_closed { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Fills a batch with waiting jobs, in turn by the weights of their classes: no class starves.
    fn take_waiting(&mut self, batch: &mut Vec<Job>) {
        loop {
            let before = batch.len();
            for (class, queue) in PriorityClass::ALL.into_iter().zip(&mut self.queues) {
                for _ in 0..class.weight() {
                    if batch.len() >= BATCH_SIZE {
                        return;
                    }
                    let Ok(job) = queue.try_recv() else { break };
                    batch.push(job);
                }
            }
            if batch.len() == before {
                return;
            }
        }
    }
}

/// Places a batch in one transaction. If that fails, each order gets a transaction of its own, so that only bad orders
/// fail; without a database they all fail at once.
async fn place_batch(
    outbox: &Outbox,
    process: &OrderProcess,
    render: RenderResponse,
    batch: Vec<Job>,
) {
    let commands: Vec<&PlaceOrderCommand> = batch.iter().map(|job| &job.command).collect();
    match place_together(outbox, process, render, &commands).await {
        Ok(responses) => {
            for (job, response) in batch.into_iter().zip(responses) {
                // A client that has disconnected may repeat the request with the same key.
                let _ = job.reply.send(response);
            }
        }
        Err(problem) if is_final(&problem, batch.len()) => {
            for job in batch {
                let _ = job.reply.send(Err(problem.clone()));
            }
        }
        Err(_) => {
            for job in batch.into_iter().filter(|job| !job.reply.is_closed()) {
                let response = place_alone(outbox, process, render, job.command).await;
                let _ = job.reply.send(response);
            }
        }
    }
}

/// Whether a batch of this size that has failed is not tried again.
fn is_final(problem: &Problem, size: usize) -> bool {
    match problem.code() {
        "database_unavailable" => true,
        NUMBER_TAKEN => false,
        _ => size == 1,
    }
}

/// Places one order, with another id as long as its number is taken.
async fn place_alone(
    outbox: &Outbox,
    process: &OrderProcess,
    render: RenderResponse,
    mut command: PlaceOrderCommand,
) -> Result<StoredResponse, Problem> {
    let mut attempts = 1..=NUMBER_ATTEMPTS;
    loop {
        attempts.next();
        match place_together(outbox, process, render, &[&command]).await {
            Ok(responses) => {
                return responses.into_iter().next().unwrap_or_else(|| Err(Problem::internal()));
            }
            Err(problem) if problem.code() == NUMBER_TAKEN && !attempts.is_empty() => {
                command.order_id = process.order_ids().draw(command.class);
            }
            Err(problem) => return Err(problem),
        }
    }
}

/// Places orders in one transaction. An error rolls all of them back.
async fn place_together(
    outbox: &Outbox,
    process: &OrderProcess,
    render: RenderResponse,
    commands: &[&PlaceOrderCommand],
) -> Result<Vec<Result<StoredResponse, Problem>>, Problem> {
    metrics::histogram!("order_batch_size")
        .record(f64::from(u32::try_from(commands.len()).unwrap_or(u32::MAX)));
    for command in commands {
        metrics::counter!("orders_taken_total", "class" => command.class.as_str()).increment(1);
    }
    let mut tx = outbox.begin().await?;
    let responses = place_orders(&mut tx, process, commands, render).await?;
    tx.commit().await?;
    Ok(responses)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use vocabulary::{CustomerId, OrderId};

    use super::{BATCH_SIZE, OrderBatcher, QUEUE_CAPACITY};
    use crate::{
        app::place_order::PlaceOrderCommand,
        domain::{Address, PaymentMethod, PriorityClass, ShownPrices},
    };

    fn command(class: PriorityClass) -> PlaceOrderCommand {
        let shipping_address = Address {
            name: "a".into(),
            line1: "b".into(),
            line2: None,
            city: "c".into(),
            region: None,
            postal_code: None,
            country: "CN".into(),
            phone: None,
        };
        PlaceOrderCommand {
            order_id: OrderId::new(),
            class,
            customer: CustomerId::new(),
            quantities: Vec::new(),
            method: PaymentMethod::Test,
            shipping_address,
            shown: ShownPrices::default(),
            coupon: None,
            is_limited: true,
            idempotency: None,
            trace: None,
        }
    }

    #[test]
    fn a_full_queue_refuses_further_orders_of_its_class() {
        let (batcher, _worker) = OrderBatcher::new();
        for _ in 0..QUEUE_CAPACITY {
            assert!(batcher.place(command(PriorityClass::Bulk)).now_or_never().is_none());
        }
        let refused = batcher.place(command(PriorityClass::Bulk)).now_or_never();
        let refused = refused.unwrap().unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (503, "busy"));
        assert!(batcher.place(command(PriorityClass::Vip)).now_or_never().is_none());
    }

    #[test]
    fn urgent_orders_overtake_and_every_class_gets_its_share() {
        let (batcher, mut worker) = OrderBatcher::new();
        let place = |class, number| {
            for _ in 0..number {
                assert!(batcher.place(command(class)).now_or_never().is_none());
            }
        };
        let mut batch = || {
            let mut batch = Vec::new();
            worker.take_waiting(&mut batch);
            PriorityClass::ALL
                .map(|class| batch.iter().filter(|job| job.command.class == class).count())
        };
        place(PriorityClass::Bulk, 1_000);
        assert_eq!(batch(), [0, 0, 0, BATCH_SIZE]);
        for class in [PriorityClass::Unpaid, PriorityClass::Paid, PriorityClass::Vip] {
            place(class, 200);
        }
        // Eight whole turns of 8 + 4 + 2 + 1, and eight orders of the next one.
        assert_eq!(batch(), [72, 32, 16, 8]);
        assert_eq!(batch(), [72, 32, 16, 8]);
        // What is left of the most urgent class; the others share the rest.
        let [vip, paid, unpaid, bulk] = batch();
        assert_eq!((vip, vip + paid + unpaid + bulk), (56, BATCH_SIZE));
        assert!(paid > unpaid && unpaid > bulk && bulk > 0, "{paid} {unpaid} {bulk}");
    }

    #[test]
    fn the_worker_ends_with_the_last_batcher() {
        let (batcher, mut worker) = OrderBatcher::new();
        assert!(worker.next().now_or_never().is_none());
        drop(batcher);
        assert!(worker.next().now_or_never().unwrap().is_none());
    }
}
