//! Places orders, many in one transaction.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use envelope::trace::{self, TraceContext};
use idempotency::{Request, StoredResponse};
use messaging::Transaction;
use problem::{IdempotencyKey, OnConstraint as _, Problem};
use runtime::clock;
use vocabulary::{CustomerId, OrderId, Quantity, Sku};

use super::{
    order_costs::{OrderCosts, UsesFor, WantedOrder},
    order_process::{OrderProcess, TracedTransition},
};
use crate::{
    domain::{
        self, Address, NewOrder, NotForSale, Order, OrderLine, PaymentMethod, PlaceOrderError,
        PriorityClass, ShownPrices, Transition, UnpaidOrders, costs::CouponCode, price_lines,
    },
    storage::{offers, orders, promotion_uses, unpaid_orders},
};

/// The code of the problem if the number of a new order is taken. An order with another id has another number.
pub(crate) const NUMBER_TAKEN: &str = "order_number_taken";

/// `Retry-After` if several numbers in a row were taken.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct PlaceOrderCommand {
    pub(crate) order_id: OrderId,
    pub(crate) class: PriorityClass,
    pub(crate) customer: CustomerId,
    /// Sorted by SKU; each SKU occurs once.
    pub(crate) quantities: Vec<(Sku, Quantity)>,
    /// The prices that the customer was shown.
    pub(crate) shown: ShownPrices,
    pub(crate) coupon: Option<CouponCode>,
    /// Whether the limits of customers apply.
    pub(crate) is_limited: bool,
    pub(crate) method: PaymentMethod,
    pub(crate) shipping_address: Address,
    pub(crate) idempotency: Option<IdempotencyContext>,
    /// The trace of the request.
    pub(crate) trace: Option<TraceContext>,
}

impl PlaceOrderCommand {
    fn request(&self) -> Request<'_> {
        let context = self.idempotency.as_ref();
        Request {
            caller: context.map_or("", |context| &context.caller),
            operation: "place_order",
            key: context.map(|context| &context.key),
            body: context.map_or(&[], |context| &context.body),
        }
    }

    fn wanted<'a>(&'a self, lines: &'a [OrderLine]) -> WantedOrder<'a> {
        WantedOrder {
            customer: self.customer,
            lines,
            destination: (&self.shipping_address).into(),
            coupon: self.coupon.as_ref(),
        }
    }

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

/// Renders the response to a command. The response is stored under the idempotency key in the transaction of the order.
pub(crate) type RenderResponse =
    fn(Result<&Order, &PlaceOrderError>) -> Result<StoredResponse, Problem>;

/// The response to a command.
type OrderResponse = Result<StoredResponse, Problem>;

/// Places the orders of `commands` and returns one response for each. No two of them have the same idempotency key. An error
/// fails the whole batch.
pub(crate) async fn place_orders(
    tx: &mut Transaction,
    process: &OrderProcess,
    commands: &[&PlaceOrderCommand],
    render: RenderResponse,
) -> Result<Vec<OrderResponse>, Problem> {
    let quantities = commands.iter().flat_map(|command| &command.quantities);
    let skus: Vec<&str> = quantities.map(|(sku, _)| sku.as_str()).collect();
    let listings = offers::listings(tx, &skus).await?;
    let rules = process.cost_rules().at(tx, listings.rules).await?;
    process.priority_customers().refresh(tx, listings.priority_customers).await?;
    let mut unpaid = lock_unpaid_orders(tx, commands).await?;
    let now = clock::now();

    let mut responses = earlier_responses(tx, commands).await?;
    let new = commands.iter().enumerate().filter(|(index, _)| responses[*index].is_none());
    let new: Vec<PricedCommand<'_>> = new
        .map(|(index, command)| {
            let lines = price_lines(&command.quantities, &listings.by_sku);
            PricedCommand { index, command, lines }
        })
        .collect();
    let wanted = new.iter().filter_map(PricedCommand::wanted);
    let mut costs = OrderCosts::load(tx, rules, wanted, UsesFor::Placing, now).await?;
    let mut answered = Vec::with_capacity(commands.len());
    for PricedCommand { index, command, lines } in new {
        let decision = decide(command, lines, &mut costs, &mut unpaid, now, process);
        let response = async { render(decision.as_ref().map(|placed| &placed.order)) };
        // The trace id of the request belongs into the stored response.
        let response = match command.trace {
            Some(trace) => trace::scope(trace, response).await,
            None => response.await,
        };
        answered.push(Answered { index, command, response: response?, transition: decision.ok() });
    }
    let repeated = store(tx, &answered).await?;
    if !repeated.is_empty() {
        // Another instance has answered these requests meanwhile. They are not counted as unpaid orders: whose orders are
        // counted is locked before the earlier responses are read.
        answered.retain(|answered| !repeated.contains(&answered.index));
        for (response, earlier) in responses.iter_mut().zip(earlier_responses(tx, commands).await?)
        {
            *response = response.take().or(earlier);
        }
    }
    let mut placed = Vec::with_capacity(answered.len());
    for Answered { index, command, response, transition } in answered {
        responses[index] = Some(Ok(response));
        placed.extend(transition.map(|transition| (command, transition)));
    }
    insert(tx, process, placed, now).await?;
    Ok(responses
        .into_iter()
        .map(|response| response.unwrap_or_else(|| Err(Problem::internal())))
        .collect())
}

/// A command that is answered now.
struct PricedCommand<'a> {
    /// Its place among the commands.
    index: usize,
    command: &'a PlaceOrderCommand,
    lines: Result<Vec<OrderLine>, NotForSale>,
}

impl PricedCommand<'_> {
    /// `None` if a SKU is not for sale.
    fn wanted(&self) -> Option<WantedOrder<'_>> {
        self.lines.as_deref().ok().map(|lines| self.command.wanted(lines))
    }
}

/// A new order or a refusal, with its response.
struct Answered<'a> {
    /// Its place among the commands.
    index: usize,
    command: &'a PlaceOrderCommand,
    response: StoredResponse,
    /// None if the order was refused.
    transition: Option<Transition>,
}

/// The responses to earlier requests with the same keys.
async fn earlier_responses(
    tx: &mut Transaction,
    commands: &[&PlaceOrderCommand],
) -> Result<Vec<Option<OrderResponse>>, Problem> {
    let requests: Vec<_> = commands.iter().map(|command| command.request()).collect();
    Ok(idempotency::find_all(tx, &requests).await?)
}

/// Stores the responses; returns the places of the commands whose keys other instances have stored meanwhile.
async fn store(tx: &mut Transaction, answered: &[Answered<'_>]) -> Result<HashSet<usize>, Problem> {
    let responses: Vec<_> =
        answered.iter().map(|answered| (answered.command.request(), &answered.response)).collect();
    let repeated = idempotency::store_all(tx, &responses).await?;
    Ok(repeated.into_iter().map(|place| answered[place].index).collect())
}

/// Decides about one order, and counts it with the `unpaid` orders of its customer and the uses of promotions.
fn decide(
    command: &PlaceOrderCommand,
    lines: Result<Vec<OrderLine>, NotForSale>,
    costs: &mut OrderCosts,
    unpaid: &mut HashMap<CustomerId, UnpaidOrders>,
    now: DateTime<Utc>,
    process: &OrderProcess,
) -> Result<Transition, PlaceOrderError> {
    let PlaceOrderCommand { order_id, customer, quantities, shown, method, .. } = command;
    let (id, customer, method) = (*order_id, *customer, *method);
    if command.is_limited {
        process.limits().check_lines(quantities)?;
    }
    let lines = lines?;
    let order_costs = costs.of(command.wanted(&lines))?;
    let new = NewOrder { id, customer, method, lines, costs: order_costs };
    let placed = domain::place(new, shown, now, process.deadlines())?;
    if command.holds_unpaid_stock() {
        let unpaid = unpaid.entry(customer).or_default();
        process.limits().check_unpaid(unpaid, quantities)?;
        unpaid.add(quantities);
    }
    costs.count(placed.order.costs.as_ref(), customer);
    Ok(placed.shipping_to(&command.shipping_address))
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

async fn insert(
    tx: &mut Transaction,
    process: &OrderProcess,
    placed: Vec<(&PlaceOrderCommand, Transition)>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    if placed.is_empty() {
        return Ok(());
    }
    let new: Vec<_> = placed
        .iter()
        .map(|(command, placed)| (&placed.order, &command.shipping_address, command.trace))
        .collect();
    let inserted = orders::insert(tx, &new).await;
    inserted.on_constraint("orders_by_number", || {
        Problem::unavailable(NUMBER_TAKEN, RETRY_AFTER)
            .detail("Another order has the number of this one.")
    })?;
    let uses = placed.iter().flat_map(|(_, placed)| placed.order.promotion_uses());
    let uses: Vec<_> = uses.collect();
    promotion_uses::insert(tx, &uses, now).await?;
    let transitions: Vec<TracedTransition> = placed
        .into_iter()
        .map(|(command, transition)| TracedTransition { trace: command.trace, transition })
        .collect();
    Ok(process.publish(tx, &transitions, now).await?)
}
