//! Group commit: all orders that arrive while the last commit runs share the next transaction. No timer waits to fill it;
//! at light load a group is one order.

use std::{convert::Infallible, time::Duration};

use axum::http::{StatusCode, header::CONTENT_TYPE};
use contracts::trace::{self, TraceContext};
use idempotency::{Answer, Claim, Request};
use messaging::{Kit, Transaction};
use problem::{IdempotencyKey, Problem};
use runtime::clock;
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{self, Address, Draft, Refused, Taken},
    http::order_body::OrderBody,
    process::{Caused, Process},
    storage::{
        offers,
        orders::{self, New},
        shown::Shown,
    },
};

/// How many orders may wait for their turn; more are told to come back.
const WAITING: usize = 1_024;

/// How many orders share a transaction at most.
const TOGETHER: usize = 128;

/// When those are to come back for which there was no room.
const COME_BACK_AFTER: Duration = Duration::from_secs(1);

/// An order that somebody wants to place; all of it is checked but what the catalogue must say.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) draft: Draft,
    pub(super) address: Address,
    pub(super) key: Option<Keyed>,
    pub(super) trace: Option<TraceContext>,
}

/// The key that makes a repeated request the same order.
#[derive(Debug)]
pub(super) struct Keyed {
    caller: String,
    key: IdempotencyKey,
    body: Vec<u8>,
}

impl Keyed {
    /// `key` as `caller` gave it for `body`.
    pub(super) fn new(
        caller: &str,
        key: IdempotencyKey,
        body: &impl serde::Serialize,
    ) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|error| Problem::internal_from(&error))?;
        Ok(Self { caller: caller.to_owned(), key, body })
    }
}

/// The door to the group commit. Cheap to clone; once the last clone is gone, the group commit ends.
#[derive(Debug, Clone)]
pub(crate) struct Placing(mpsc::Sender<Job>);

/// The queue behind the door.
#[derive(Debug)]
pub(crate) struct Jobs(mpsc::Receiver<Job>);

#[derive(Debug)]
struct Job {
    wish: Wish,
    reply: oneshot::Sender<Result<Answer, Problem>>,
}

impl Placing {
    /// A door and the queue behind it.
    pub(crate) fn new() -> (Self, Jobs) {
        let (jobs, queue) = mpsc::channel(WAITING);
        (Self(jobs), Jobs(queue))
    }

    /// Places an order, and returns once it is durable or refused.
    pub(super) async fn place(&self, wish: Wish) -> Result<Answer, Problem> {
        let (reply, answer) = oneshot::channel();
        let busy = || {
            Problem::unavailable("busy", COME_BACK_AFTER)
                .detail("Too many orders wait to be taken.")
        };
        self.0.try_send(Job { wish, reply }).map_err(|_| busy())?;
        answer.await.unwrap_or_else(|_| Err(busy()))
    }
}

impl Jobs {
    /// Places what waits, group by group, until nobody can ask any more.
    pub(crate) async fn work(mut self, kit: Kit, process: Process) -> Result<(), Infallible> {
        loop {
            let mut group = Vec::with_capacity(TOGETHER);
            if self.0.recv_many(&mut group, TOGETHER).await == 0 {
                return Ok(());
            }
            // Who has gone away meanwhile was told nothing, so nothing needs to be done for them.
            group.retain(|job| !job.reply.is_closed());
            if !group.is_empty() {
                place_group(&kit, &process, group).await;
            }
        }
    }
}

/// Places a group in one transaction. If that fails, each is placed by itself, so that only the bad one fails; unless the
/// database is away, which is nobody's fault.
async fn place_group(kit: &Kit, process: &Process, group: Vec<Job>) {
    let wishes: Vec<&Wish> = group.iter().map(|job| &job.wish).collect();
    match place_together(kit, process, &wishes).await {
        Ok(answers) => {
            for (job, answer) in group.into_iter().zip(answers) {
                // Who has gone away can ask again under the same key.
                let _ = job.reply.send(answer);
            }
        }
        Err(problem) if group.len() == 1 || problem.code() == "database_unavailable" => {
            for job in group {
                let _ = job.reply.send(Err(problem.clone()));
            }
        }
        Err(_) => {
            for job in group.into_iter().filter(|job| !job.reply.is_closed()) {
                let alone = place_together(kit, process, &[&job.wish]).await;
                let answer = alone.and_then(|answers| {
                    answers.into_iter().next().unwrap_or_else(|| Err(Problem::internal()))
                });
                let _ = job.reply.send(answer);
            }
        }
    }
}

/// Places orders in one transaction; answers each. An error is about all of them, and none of them is placed.
async fn place_together(
    kit: &Kit,
    process: &Process,
    wishes: &[&Wish],
) -> Result<Vec<Result<Answer, Problem>>, Problem> {
    let internal = |error: messaging::Error| Problem::internal_from(&error);
    metrics::histogram!("orders_placed_together")
        .record(f64::from(u32::try_from(wishes.len()).unwrap_or(u32::MAX)));
    let mut tx = kit.begin().await.map_err(internal)?;
    let wanted = wishes.iter().flat_map(|wish| &wish.draft.wanted);
    let skus: Vec<&str> = wanted.map(|(sku, _)| sku.as_str()).collect();
    let listings = offers::listings(&mut tx, &skus).await?;
    let now = clock::now();

    // Keys are claimed in one order, so that two instances never wait for each other in a circle.
    let mut turns: Vec<usize> = (0..wishes.len()).collect();
    turns.sort_by_key(|index| {
        wishes[*index].key.as_ref().map(|key| (key.caller.as_str(), key.key.as_str()))
    });
    let mut answers: Vec<Result<Answer, Problem>> = Vec::new();
    answers.resize_with(wishes.len(), || Err(Problem::internal()));
    let mut placed = Vec::with_capacity(wishes.len());
    for index in turns {
        let wish = wishes[index];
        let decide = || domain::place(wish.draft.clone(), &listings, now, process.terms());
        match answer_one(&mut tx, wish, decide).await {
            Ok((answer, taken)) => {
                answers[index] = answer;
                placed.extend(taken.map(|taken| (wish, taken)));
            }
            Err(problem) if problem.status().is_server_error() => return Err(problem),
            Err(problem) => answers[index] = Err(problem),
        }
    }
    insert(&mut tx, process, placed).await.map_err(internal)?;
    tx.commit().await.map_err(internal)?;
    Ok(answers)
}

/// Answers one wish: as it was answered before under its key, or by what `decide` comes to. An order that is to be placed
/// is handed on, to be written together with the others.
async fn answer_one(
    tx: &mut Transaction,
    wish: &Wish,
    decide: impl FnOnce() -> Result<Taken, Refused>,
) -> Result<(Result<Answer, Problem>, Option<Taken>), Problem> {
    let request = wish.key.as_ref().map(|keyed| Request {
        caller: &keyed.caller,
        operation: "place_order",
        key: Some(&keyed.key),
        body: &keyed.body,
    });
    let claim = match request {
        None => None,
        Some(request) => match idempotency::claim(tx, request).await? {
            Claim::Replay(answer) => return Ok((Ok(answer), None)),
            Claim::Acquired(claim) => Some(claim),
        },
    };
    let (answer, taken) = match decide() {
        Ok(taken) => (Ok(accepted(&taken, &wish.address)?), Some(taken)),
        Err(refused) => (Err(refusal(&refused)), None),
    };
    if let Some(claim) = claim {
        match &answer {
            Ok(answer) => claim.record(tx, answer).await?,
            Err(problem) => claim.record(tx, &repeatable(problem, wish.trace).await?).await?,
        }
    }
    Ok((answer, taken))
}

/// 202 with the order and where it is read.
fn accepted(taken: &Taken, address: &Address) -> Result<Answer, Problem> {
    let order = &taken.order;
    let body = OrderBody::from(Shown::just_placed(order, address));
    Ok(Answer::json(StatusCode::ACCEPTED, &body)?
        .header("location", format!("/v1/orders/{}", order.id)))
}

/// 422, with what the catalogue has against the order.
fn refusal(refused: &Refused) -> Problem {
    let unprocessable = |code, title| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title);
    match refused {
        Refused::NotForSale(skus) => {
            let skus: Vec<&str> = skus.iter().map(vocabulary::Sku::as_str).collect();
            unprocessable("sku_not_for_sale", "A SKU is not for sale")
                .detail(format!("Not for sale: {}.", skus.join(", ")))
                .member("skus", skus)
        }
        Refused::Total(vocabulary::InvalidMoney::MixedCurrencies) => {
            unprocessable("mixed_currencies", "The prices of an order must be in one currency")
        }
        Refused::Total(error) => unprocessable("total_too_large", "The order costs too much")
            .detail(format!("Its total: {error}.")),
    }
}

/// A refusal as it is given again under the same key.
async fn repeatable(problem: &Problem, cause: Option<TraceContext>) -> Result<Answer, Problem> {
    let write = async { problem.to_json() };
    let body = match cause {
        Some(cause) => trace::scope(cause, write).await,
        None => write.await,
    };
    Ok(Answer::json(problem.status(), &body)?
        .header(CONTENT_TYPE.as_str(), "application/problem+json"))
}

/// Writes all orders of a group, and says them.
async fn insert(
    tx: &mut Transaction,
    process: &Process,
    placed: Vec<(&Wish, Taken)>,
) -> Result<(), messaging::Error> {
    if placed.is_empty() {
        return Ok(());
    }
    let new = placed.iter().map(|(wish, taken)| New {
        order: &taken.order,
        address: &wish.address,
        trace: wish.trace,
    });
    orders::insert(tx, &new.collect::<Vec<_>>()).await?;
    let changes = placed.into_iter().map(|(wish, taken)| Caused { cause: wish.trace, taken });
    process.tell(tx, &changes.collect::<Vec<_>>()).await
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use vocabulary::{CustomerId, OrderId};

    use super::{Placing, WAITING, Wish};
    use crate::domain::{Address, Draft, Method};

    fn wish() -> Wish {
        let draft = Draft {
            id: OrderId::new(),
            customer: CustomerId::new(),
            wanted: Vec::new(),
            method: Method::Test,
        };
        let address = Address {
            name: "a".into(),
            line1: "b".into(),
            line2: None,
            city: "c".into(),
            region: None,
            postal_code: None,
            country: "CN".into(),
            phone: None,
        };
        Wish { draft, address, key: None, trace: None }
    }

    #[test]
    fn who_finds_the_queue_full_is_told_to_come_back() {
        let (placing, _jobs) = Placing::new();
        for _ in 0..WAITING {
            assert!(placing.place(wish()).now_or_never().is_none());
        }
        let refused = placing.place(wish()).now_or_never().unwrap().unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (503, "busy"));
    }
}
