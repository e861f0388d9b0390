//! Places orders, many in one transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use envelope::trace::{self, TraceContext};
use idempotency::{Claim, Request, StoredResponse};
use messaging::Transaction;
use problem::{IdempotencyKey, Problem};
use runtime::clock;
use vocabulary::{CustomerId, OrderId, Quantity, Sku};

use super::order_process::{OrderProcess, TracedTransition};
use crate::{
    domain::{
        self, Address, CatalogListing, Order, PaymentMethod, PlaceOrderError, ShownPrices,
        Transition, UnpaidOrders, price_lines,
    },
    storage::{offers, orders, unpaid_orders},
};

#[derive(Debug)]
pub(crate) struct PlaceOrderCommand {
    pub(crate) order_id: OrderId,
    pub(crate) customer: CustomerId,
    /// Sorted by SKU; each SKU occurs once.
    pub(crate) quantities: Vec<(Sku, Quantity)>,
    /// The prices that the customer was shown.
    pub(crate) shown: ShownPrices,
    /// Whether the limits of customers apply.
    pub(crate) is_limited: bool,
    pub(crate) method: PaymentMethod,
    pub(crate) shipping_address: Address,
    pub(crate) idempotency: Option<IdempotencyContext>,
    /// The trace of the request.
    pub(crate) trace: Option<TraceContext>,
}

impl PlaceOrderCommand {
    /// Whether the order reserves stock and then waits for its payment, and the limits apply.
    fn holds_unpaid_stock(&self) -> bool {
        self.is_limited && self.method == PaymentMethod::Manual
    }
}

/// The idempotency key of a request, with everything that is stored under it.
#[derive(Debug)]
pub(crate) struct IdempotencyContext {
    /// The subject of the caller's token.
    pub(crate) caller: String,
    pub(crate) key: IdempotencyKey,
    pub(crate) body: Vec<u8>,
}

impl IdempotencyContext {
    fn request(&self) -> Request<'_> {
        Request {
            caller: &self.caller,
            operation: "place_order",
            key: Some(&self.key),
            body: &self.body,
        }
    }
}

/// Renders the response to a command. The response is stored under the idempotency key in the transaction of the order.
pub(crate) type RenderResponse =
    fn(&PlaceOrderCommand, Result<&Order, &PlaceOrderError>) -> Result<StoredResponse, Problem>;

/// Places the orders of `commands` and returns one response for each. An error fails the whole batch.
pub(crate) async fn place_orders(
    tx: &mut Transaction,
    process: &OrderProcess,
    commands: &[&PlaceOrderCommand],
    render: RenderResponse,
) -> Result<Vec<Result<StoredResponse, Problem>>, Problem> {
    let quantities = commands.iter().flat_map(|command| &command.quantities);
    let skus: Vec<&str> = quantities.map(|(sku, _)| sku.as_str()).collect();
    let listings = offers::listings(tx, &skus).await?;
    let mut unpaid = lock_unpaid_orders(tx, commands).await?;
    let now = clock::now();

    // All instances claim keys in the same order, so that their transactions cannot deadlock.
    let mut by_key: Vec<usize> = (0..commands.len()).collect();
    by_key.sort_by_key(|index| {
        let context = commands[*index].idempotency.as_ref();
        context.map(|context| (context.caller.as_str(), context.key.as_str()))
    });
    let mut responses: Vec<Result<StoredResponse, Problem>> = Vec::new();
    responses.resize_with(commands.len(), || Err(Problem::internal()));
    let mut placed = Vec::with_capacity(commands.len());
    for index in by_key {
        let command = commands[index];
        let decide = || decide(command, &listings, &mut unpaid, now, process);
        let response = respond(tx, command, decide, render);
        // The trace id of the request belongs into the stored response.
        let response = match command.trace {
            Some(trace) => trace::scope(trace, response).await,
            None => response.await,
        };
        match response {
            Ok((response, transition)) => {
                responses[index] = Ok(response);
                placed.extend(transition.map(|transition| (command, transition)));
            }
            Err(problem) if problem.status().is_server_error() => return Err(problem),
            Err(problem) => responses[index] = Err(problem),
        }
    }
    insert(tx, process, placed, now).await?;
    Ok(responses)
}

/// Decides about one order, and counts it with the `unpaid` orders of its customer.
fn decide(
    command: &PlaceOrderCommand,
    listings: &HashMap<Sku, CatalogListing>,
    unpaid: &mut HashMap<CustomerId, UnpaidOrders>,
    now: DateTime<Utc>,
    process: &OrderProcess,
) -> Result<Transition, PlaceOrderError> {
    let PlaceOrderCommand { order_id, customer, quantities, shown, method, .. } = command;
    if command.is_limited {
        process.limits().check_lines(quantities)?;
    }
    let lines = price_lines(quantities, listings)?;
    let deadlines = process.deadlines();
    let placed = domain::place(*order_id, *customer, *method, lines, shown, now, deadlines)?;
    if command.holds_unpaid_stock() {
        let unpaid = unpaid.entry(*customer).or_default();
        process.limits().check_unpaid(unpaid, quantities)?;
        unpaid.add(quantities);
    }
    Ok(placed)
}

/// The unpaid orders of the customers to whom the limits apply.
async fn lock_unpaid_orders(
    tx: &mut Transaction,
    commands: &[&PlaceOrderCommand],
) -> Result<HashMap<CustomerId, UnpaidOrders>, sqlx::Error> {
    let limited = commands.iter().filter(|command| command.holds_unpaid_stock());
    let customers: Vec<CustomerId> = limited.map(|command| command.customer).collect();
    if customers.is_empty() {
        Ok(HashMap::new())
    } else {
        unpaid_orders::lock(tx, &customers).await
    }
}

/// Returns the stored response of an earlier request with the same key. Otherwise decides and stores the response; a
/// new order is returned with it, and inserted together with the others.
async fn respond(
    tx: &mut Transaction,
    command: &PlaceOrderCommand,
    decide: impl FnOnce() -> Result<Transition, PlaceOrderError>,
    render: RenderResponse,
) -> Result<(StoredResponse, Option<Transition>), Problem> {
    let claim = match &command.idempotency {
        None => None,
        Some(context) => match idempotency::claim(tx, context.request()).await? {
            Claim::Replay(response) => return Ok((response, None)),
            Claim::Acquired(claim) => Some(claim),
        },
    };
    let decision = decide();
    let response = render(command, decision.as_ref().map(|transition| &transition.order))?;
    if let Some(claim) = claim {
        claim.record(tx, &response).await?;
    }
    Ok((response, decision.ok()))
}

async fn insert(
    tx: &mut Transaction,
    process: &OrderProcess,
    placed: Vec<(&PlaceOrderCommand, Transition)>,
    now: DateTime<Utc>,
) -> Result<(), messaging::Error> {
    if placed.is_empty() {
        return Ok(());
    }
    let new: Vec<_> = placed
        .iter()
        .map(|(command, placed)| (&placed.order, &command.shipping_address, command.trace))
        .collect();
    orders::insert(tx, &new).await?;
    let transitions: Vec<TracedTransition> = placed
        .into_iter()
        .map(|(command, transition)| TracedTransition { trace: command.trace, transition })
        .collect();
    process.publish(tx, &transitions, now).await
}
