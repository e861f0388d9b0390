//! Checks the invariants across the databases of all services, the index and the broker.
//!
//! The invariants and their numbers are those of `ARCHITECTURE.md`. The audit only reads. One pass during traffic also
//! finds what is in flight: an order that is shipped and not deducted yet. [`run_until_settled`] repeats it and keeps what
//! persists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::{Duration, Instant},
};

use reqwest::Client;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection, postgres::PgRow};
use testkit::{ManagementClient, QueueState};

use crate::{error::Error, programs::SERVICES, streams};

/// The subject of an audit.
#[derive(Debug, Clone, Copy)]
pub struct Suite<'a> {
    pub databases: &'a Databases,
    /// Without it, queues and streams are not checked.
    pub broker: Option<Broker<'a>>,
    /// The URLs of all instances of search-sync; each has an index of its own.
    pub search: &'a [&'a str],
    /// A token with the scope `ops`.
    pub token: &'a str,
}

/// The broker of the suite.
#[derive(Debug, Clone, Copy)]
pub struct Broker<'a> {
    pub management: &'a ManagementClient,
    /// The name of the suite's vhost.
    pub vhost: &'a str,
    /// The URL of the vhost, `amqp://…`.
    pub amqp_url: &'a str,
}

/// The databases of the services.
#[derive(Debug, Clone)]
pub struct Databases(BTreeMap<&'static str, String>);

impl Databases {
    /// From the URL of each service's database.
    pub fn new(urls: BTreeMap<&'static str, String>) -> Self {
        Self(urls)
    }

    /// Databases on one server, named like their services.
    pub fn on(server_url: &str) -> Self {
        let url = |service| testkit::database_url(server_url, service);
        Self(SERVICES.into_iter().map(|service| (service, url(service))).collect())
    }

    /// The URL of a service's database; empty if there is none.
    pub fn url(&self, service: &str) -> &str {
        self.0.get(service).map(String::as_str).unwrap_or_default()
    }

    /// A connection to the database of a service.
    pub async fn connect(&self, service: &'static str) -> Result<PgConnection, Error> {
        Ok(PgConnection::connect(self.url(service)).await?)
    }
}

/// Something that violates an invariant, unless it is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// One line for people.
    text: String,
    /// Two passes with the same identity found the same: nothing moved in between.
    identity: String,
}

impl From<String> for Violation {
    fn from(text: String) -> Self {
        Self { identity: text.clone(), text }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The result of an audit.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// By the number of the invariant.
    violations: BTreeMap<u8, Vec<Violation>>,
    /// The numbers of checked items, by name.
    checked: BTreeMap<&'static str, i64>,
}

impl Findings {
    /// Whether all invariants hold.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The number of violations of all invariants.
    pub fn count(&self) -> usize {
        self.violations.values().map(Vec::len).sum()
    }

    /// The violations of an invariant.
    pub fn of(&self, invariant: u8) -> &[Violation] {
        self.violations.get(&invariant).map(Vec::as_slice).unwrap_or_default()
    }

    /// The numbers of checked items, by name: an audit of nothing proves nothing.
    pub fn checked(&self) -> &BTreeMap<&'static str, i64> {
        &self.checked
    }

    fn add<V: Into<Violation>>(&mut self, invariant: u8, violations: impl IntoIterator<Item = V>) {
        for violation in violations {
            self.violations.entry(invariant).or_default().push(violation.into());
        }
    }

    /// Keeps only violations that `later` has found, too.
    fn keep_persistent(&mut self, later: &Self) {
        self.violations.retain(|invariant, violations| {
            let found = later.of(*invariant).iter().map(|violation| violation.identity.as_str());
            let found: BTreeSet<&str> = found.collect();
            violations.retain(|violation| found.contains(violation.identity.as_str()));
            !violations.is_empty()
        });
        self.checked.clone_from(&later.checked);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (invariant, lines) in &self.violations {
            for line in lines.iter().take(20) {
                writeln!(f, "invariant {invariant}: {line}")?;
            }
            if lines.len() > 20 {
                writeln!(f, "invariant {invariant}: … and {} more", lines.len() - 20)?;
            }
        }
        Ok(())
    }
}

/// The queue type of a stream.
const STREAM: &str = "stream";

/// Timeout of a comparison of the whole catalogue.
const DRIFT_TIMEOUT: Duration = Duration::from_mins(1);

/// The pause between two passes.
const PASS_INTERVAL: Duration = Duration::from_secs(1);

/// The most unpublished or parked events that are listed per service.
const LISTED_EVENTS: i64 = 1000;

/// The number of invariants.
pub const INVARIANTS: u8 = 6;

/// Checks every invariant.
pub async fn run(suite: Suite<'_>) -> Result<Findings, Error> {
    let Suite { databases, broker, search, token } = suite;
    let mut findings = Findings::default();
    check_orders(databases, &mut findings).await?;
    check_stock(databases, &mut findings).await?;
    check_reservations(databases, &mut findings).await?;
    check_copies(databases, &mut findings).await?;
    check_search_settings(databases, &mut findings).await?;
    for url in search {
        check_index(url, token, &mut findings).await?;
    }
    check_messaging(databases, &mut findings).await?;
    if let Some(broker) = broker {
        let queues = broker.management.queues(broker.vhost).await?;
        check_queues(&queues, &mut findings);
        check_streams(databases, broker, &queues, &mut findings).await?;
    }
    check_user_events(databases, &mut findings).await?;
    Ok(findings)
}

/// An audit of a suite that may have traffic.
#[derive(Debug, Clone)]
pub struct Settled {
    /// What every pass has found.
    pub violations: Findings,
    /// How many other differences the last pass has found.
    pub in_flight: usize,
}

/// Checks every invariant, and again until all differences have settled or `bound` has passed. `progress` gets the number
/// of differences left and the time since the start, after each pass.
///
/// A difference is in flight if it is gone or has changed at a later pass.
pub async fn run_until_settled(
    suite: Suite<'_>,
    bound: Duration,
    mut progress: impl FnMut(usize, Duration),
) -> Result<Settled, Error> {
    let started = Instant::now();
    let mut violations = run(suite).await?;
    let mut found = violations.count();
    while !violations.is_clean() && started.elapsed() < bound {
        progress(violations.count(), started.elapsed());
        tokio::time::sleep(PASS_INTERVAL).await;
        let later = run(suite).await?;
        violations.keep_persistent(&later);
        found = later.count();
    }
    Ok(Settled { in_flight: found - violations.count(), violations })
}

/// All rows of a query.
async fn rows<T>(connection: &mut PgConnection, query: &str) -> Result<Vec<T>, Error>
where
    T: Send + Unpin + for<'r> FromRow<'r, PgRow>,
{
    Ok(sqlx::query_as(AssertSqlSafe(query)).fetch_all(connection).await?)
}

/// The result of a query for one number.
async fn number(connection: &mut PgConnection, query: &str) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(connection).await?)
}

/// Invariant 1: every accepted order has exactly one outcome or is still within its deadline.
async fn check_orders(databases: &Databases, findings: &mut Findings) -> Result<(), Error> {
    let mut order = databases.connect("order").await?;
    let count = number(&mut order, "select count(*) from orders").await?;
    findings.checked.insert("orders", count);
    // Deadlines are handled immediately: a delay of 30 seconds means that the worker is gone.
    let overdue: Vec<(String, String)> = rows(
        &mut order,
        "select id::text, status from orders where due_at < now() - interval '30 seconds'",
    )
    .await?;
    findings.add(
        1,
        overdue
            .into_iter()
            .map(|(id, status)| format!("order {id} is still {status} after its deadline")),
    );
    let twice: Vec<(String, i64)> = rows(
        &mut order,
        "select order_id::text, count(distinct status) from order_timeline
         where status in ('delivered', 'rejected', 'payment_failed', 'expired', 'cancelled')
         group by order_id having count(distinct status) > 1",
    )
    .await?;
    findings.add(
        1,
        twice.into_iter().map(|(id, outcomes)| format!("order {id} has {outcomes} outcomes")),
    );
    let inconsistent: Vec<(String, String)> = rows(
        &mut order,
        "select o.id::text, o.status from orders o
         where o.status is distinct from (
             select t.status from order_timeline t where t.order_id = o.id order by t.position desc limit 1
         )",
    )
    .await?;
    findings.add(
        1,
        inconsistent.into_iter().map(|(id, status)| {
            format!("order {id} is {status}, but the last status of its timeline differs")
        }),
    );
    let unpaid: Vec<(String, i64)> = rows(
        &mut order,
        "select o.id::text, count(p.id) from orders o
         left join payment p on p.order_id = o.id and p.state = 'approved'
         where o.status in ('confirmed', 'shipped', 'delivered')
         group by o.id having count(p.id) <> 1",
    )
    .await?;
    findings.add(
        1,
        unpaid
            .into_iter()
            .map(|(id, payments)| format!("order {id} has {payments} approved payments")),
    );
    Ok(())
}

/// Invariant 2: stock equals the sum of its ledger, and deducted quantities equal shipped ones.
async fn check_stock(databases: &Databases, findings: &mut Findings) -> Result<(), Error> {
    let mut inventory = databases.connect("inventory").await?;
    let count = number(&mut inventory, "select count(*) from stock").await?;
    findings.checked.insert("stock_rows", count);
    let wrong: Vec<(String, i64, i64)> =
        rows(&mut inventory, "select sku, on_hand, on_hand_by_ledger from ledger_discrepancy")
            .await?;
    findings.add(
        2,
        wrong.into_iter().map(|(sku, on_hand, ledger)| {
            format!("{sku}: {on_hand} on hand, {ledger} in the ledger")
        }),
    );
    let oversold: Vec<(String, i64, i64)> = rows(
        &mut inventory,
        "select sku, on_hand, reserved from stock where reserved < 0 or reserved > on_hand",
    )
    .await?;
    findings.add(
        2,
        oversold.into_iter().map(|(sku, on_hand, reserved)| {
            format!("{sku}: {reserved} reserved, {on_hand} on hand")
        }),
    );
    let deducted = "select order_id::text, sku, -sum(on_hand_delta)::bigint from ledger
        where kind = 'deducted' group by order_id, sku";
    let deducted = quantities(&mut inventory, deducted).await?;
    let mut order = databases.connect("order").await?;
    let shipped = "select o.id::text, l.sku, sum(l.quantity)::bigint
        from order_line l join orders o on o.id = l.order_id
        where o.status in ('shipped', 'delivered') group by o.id, l.sku";
    let shipped = quantities(&mut order, shipped).await?;
    let lost = lost_orders(&mut order).await?;
    for subject in deducted.keys().chain(shipped.keys()).collect::<BTreeSet<_>>() {
        let of = |quantities: &Quantities| quantities.get(subject).copied().unwrap_or(0);
        let (id, sku) = subject;
        let is_listed = lost.get(id).is_some_and(|stock| stock == "deducted");
        if of(&deducted) != of(&shipped) && !is_listed {
            let (shipped, deducted) = (of(&shipped), of(&deducted));
            findings.add(2, [format!("order {id}, {sku}: {shipped} shipped, {deducted} deducted")]);
        }
    }
    Ok(())
}

/// The orders that the order service has listed for operators, because its database went back, each with what became of its stock.
async fn lost_orders(order: &mut PgConnection) -> Result<BTreeMap<String, String>, Error> {
    let lost = "select order_id::text, coalesce(stock, 'unknown') from lost_order";
    Ok(rows::<(String, String)>(order, lost).await?.into_iter().collect())
}

/// Quantities by order and SKU.
type Quantities = BTreeMap<(String, String), i64>;

async fn quantities(connection: &mut PgConnection, query: &str) -> Result<Quantities, Error> {
    let rows: Vec<(Option<String>, String, i64)> = rows(connection, query).await?;
    let keyed = rows.into_iter().map(|(order, sku, sum)| ((order.unwrap_or_default(), sku), sum));
    Ok(keyed.collect())
}

/// Invariant 3: every reservation belongs to an open order, or has been released or deducted. What was deducted for a lost order is
/// listed for an operator.
async fn check_reservations(databases: &Databases, findings: &mut Findings) -> Result<(), Error> {
    let mut inventory = databases.connect("inventory").await?;
    let wrong: Vec<(String, i64, i64)> = rows(
        &mut inventory,
        "select sku, reserved, reserved_by_orders from reservation_discrepancy",
    )
    .await?;
    findings.add(
        3,
        wrong.into_iter().map(|(sku, reserved, orders)| {
            format!("{sku}: {reserved} reserved, {orders} of them for orders")
        }),
    );
    let reservations: BTreeMap<String, String> =
        rows::<(String, String)>(&mut inventory, "select order_id::text, state from reservation")
            .await?
            .into_iter()
            .collect();
    findings.checked.insert("reservations", i64::try_from(reservations.len()).unwrap_or(i64::MAX));
    let mut order = databases.connect("order").await?;
    let orders: BTreeMap<String, String> =
        rows::<(String, String)>(&mut order, "select id::text, status from orders")
            .await?
            .into_iter()
            .collect();
    let lost = lost_orders(&mut order).await?;
    let shipped = lost.values().filter(|stock| *stock == "deducted").count();
    for (name, count) in [("lost_orders", lost.len()), ("lost_orders_shipped", shipped)] {
        findings.checked.insert(name, i64::try_from(count).unwrap_or(i64::MAX));
    }
    let is_listed = |id: &str| lost.get(id).is_some_and(|stock| stock == "deducted");
    for (id, status) in &orders {
        let state = reservations.get(id).map(String::as_str);
        let is_consistent = match status.as_str() {
            "placed" => matches!(state, None | Some("reserved")),
            "reserved" | "confirmed" => state == Some("reserved"),
            "shipped" | "delivered" => state == Some("deducted"),
            _ => matches!(state, None | Some("released")),
        };
        let is_for_operator = state == Some("deducted") && is_listed(id);
        if !is_consistent && !is_for_operator {
            findings.add(
                3,
                [format!(
                    "order {id} is {status}, its reservation is {}",
                    state.unwrap_or("missing")
                )],
            );
        }
    }
    for (id, state) in reservations.iter().filter(|(id, _)| !orders.contains_key(*id)) {
        let is_settled = match state.as_str() {
            "released" => lost.contains_key(id),
            "deducted" => is_listed(id),
            _ => false,
        };
        if !is_settled {
            findings.add(3, [format!("{state} for order {id}, which does not exist")]);
        }
    }
    Ok(())
}

/// Invariant 4: the copies of all services have the products and versions of the catalogue.
async fn check_copies(databases: &Databases, findings: &mut Findings) -> Result<(), Error> {
    let mut catalogue = databases.connect("product-catalog").await?;
    let originals: BTreeMap<String, i64> =
        rows::<(String, i64)>(&mut catalogue, "select id::text, version from product")
            .await?
            .into_iter()
            .collect();
    findings.checked.insert("products", i64::try_from(originals.len()).unwrap_or(i64::MAX));
    let copies = [
        ("inventory", "select product_id::text, version from product"),
        ("order", "select product_id::text, version from product"),
        ("search-sync", "select product_id::text, version from document"),
        ("behavior-analytics", "select product_id::text, version from product"),
    ];
    for (service, query) in copies {
        let mut connection = databases.connect(service).await?;
        let copy: BTreeMap<String, i64> =
            rows::<(String, i64)>(&mut connection, query).await?.into_iter().collect();
        for (id, version) in &originals {
            if copy.get(id) != Some(version) {
                let held = copy.get(id).map_or("none".to_owned(), |held| format!("version {held}"));
                findings.add(
                    4,
                    [format!(
                        "product {id}: version {version} in the catalogue, {held} in {service}"
                    )],
                );
            }
        }
        let unknown = copy.keys().filter(|id| !originals.contains_key(*id));
        findings
            .add(4, unknown.map(|id| format!("product {id} of {service} is not in the catalogue")));
    }
    Ok(())
}

/// Invariant 4, for what the shop edits about its search: search-sync has its versions.
async fn check_search_settings(
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut catalogue = databases.connect("product-catalog").await?;
    let originals =
        "select id::text, version from rule union all select 'synonyms', version from synonym_list";
    let originals: BTreeMap<String, i64> =
        rows::<(String, i64)>(&mut catalogue, originals).await?.into_iter().collect();
    let mut search = databases.connect("search-sync").await?;
    let copies = "select key, version from search_setting where until is null";
    let copies: BTreeMap<String, i64> =
        rows::<(String, i64)>(&mut search, copies).await?.into_iter().collect();
    let differing = originals.keys().chain(copies.keys()).collect::<BTreeSet<_>>().into_iter();
    let differing = differing.filter(|key| originals.get(*key) != copies.get(*key));
    findings.add(
        4,
        differing.map(|key| {
            let version =
                |versions: &BTreeMap<String, i64>| versions.get(key).copied().unwrap_or_default();
            let (original, copy) = (version(&originals), version(&copies));
            format!(
                "search setting {key}: version {original} in the catalogue, {copy} in search-sync"
            )
        }),
    );
    Ok(())
}

/// Invariant 4, for the index itself: search-sync compares it with the catalogue.
async fn check_index(url: &str, token: &str, findings: &mut Findings) -> Result<(), Error> {
    let client = Client::builder().no_proxy().timeout(DRIFT_TIMEOUT).build()?;
    let answer = client.get(format!("{url}/v1/index/drift")).bearer_auth(token).send().await?;
    let drift: Value = answer.error_for_status()?.json().await?;
    let number = |name: &str| drift[name].as_i64();
    let (Some(indexed), Some(differing)) = (number("index"), number("differing")) else {
        return Err(Error::Unexpected(format!("unexpected drift report: {drift}")));
    };
    findings.checked.insert("indexed_products", indexed);
    let items = drift["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.add(4, items.iter().map(|item| format!("a product differs in the index: {item}")));
    let unnamed = usize::try_from(differing).unwrap_or_default().saturating_sub(items.len());
    if unnamed > 0 {
        findings.add(4, [format!("{unnamed} more products differ in the index")]);
    }
    Ok(())
}

/// Invariant 5, in the broker: all queues are empty, also those of unroutable and of dead-lettered messages.
/// Streams retain messages.
fn check_queues(queues: &[QueueState], findings: &mut Findings) {
    findings.checked.insert("queues", i64::try_from(queues.len()).unwrap_or(i64::MAX));
    let full = queues.iter().filter(|queue| queue.kind != STREAM && queue.messages > 0);
    let violation = |queue: &QueueState| Violation {
        text: format!("{} messages in {}", queue.messages, queue.name),
        // A queue whose messages are acknowledged moves, even if it is never empty.
        identity: format!("{} after {} acknowledgements", queue.name, queue.message_stats.ack),
    };
    findings.add(5, full.map(violation));
}

/// Invariant 6, in the broker: the stream has no unread user event. No table would show that one is missing.
async fn check_streams(
    databases: &Databases,
    broker: Broker<'_>,
    queues: &[QueueState],
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut analytics = databases.connect("behavior-analytics").await?;
    let streams: Vec<&QueueState> = queues.iter().filter(|queue| queue.kind == STREAM).collect();
    findings.checked.insert("streams", i64::try_from(streams.len()).unwrap_or(i64::MAX));
    for QueueState { name, .. } in streams {
        // Without an offset, nothing has been read.
        let read: i64 = sqlx::query_scalar(
            "select coalesce(min(next_offset), 0) from messaging.stream_offset where stream = $1",
        )
        .bind(name)
        .fetch_one(&mut analytics)
        .await?;
        if streams::has_message_at_or_after(broker.amqp_url, name, read).await? {
            findings.add(6, [format!("{name} has unread messages from offset {read}")]);
        }
    }
    Ok(())
}

/// Invariant 5: no event is in transit, except dead letters, which wait for operators.
async fn check_messaging(databases: &Databases, findings: &mut Findings) -> Result<(), Error> {
    let (mut dead, mut pending) = (0, 0);
    for service in SERVICES {
        let mut connection = databases.connect(service).await?;
        let unpublished: Vec<(String, String)> = rows(
            &mut connection,
            &format!(
                "select kind, event_id::text from messaging.outbox order by id limit {LISTED_EVENTS}"
            ),
        )
        .await?;
        findings.add(
            5,
            unpublished
                .into_iter()
                .map(|(kind, id)| format!("{service}: {kind} {id} is not published")),
        );
        let parked: Vec<(String, String, i64)> = rows(
            &mut connection,
            &format!(
                "select consumer, key, seq from messaging.parked
                 order by consumer, source, aggregate, key, seq limit {LISTED_EVENTS}"
            ),
        )
        .await?;
        findings.add(
            5,
            parked.into_iter().map(|(consumer, key, sequence)| {
                format!("{consumer}: event {sequence} of {key} is parked")
            }),
        );
        let stuck: Vec<(String, String)> = rows(
            &mut connection,
            "select c.consumer, c.key from messaging.cursor c where c.hold <> 'free' and not exists (
                 select from messaging.dead_letter d
                 where d.consumer = c.consumer and d.source = c.source and d.key = c.key and d.state = 'pending'
             )",
        )
        .await?;
        findings.add(
            5,
            stuck.into_iter().map(|(consumer, key)| {
                format!("{consumer} blocks key {key} without a pending dead letter")
            }),
        );
        dead += number(&mut connection, "select count(*) from messaging.dead_letter").await?;
        pending += number(
            &mut connection,
            "select count(*) from messaging.dead_letter where state = 'pending'",
        )
        .await?;
    }
    findings.checked.extend([("dead_letters", dead), ("pending_dead_letters", pending)]);
    Ok(())
}

/// Invariant 6: every user event read from the stream is stored once, or counted as duplicate, expired or
/// erased.
async fn check_user_events(databases: &Databases, findings: &mut Findings) -> Result<(), Error> {
    let mut analytics = databases.connect("behavior-analytics").await?;
    let stored = number(&mut analytics, "select count(*) from user_event").await?;
    findings.checked.insert("user_events", stored);
    let missing = number(
        &mut analytics,
        "select (coalesce(sum(stored - expired), 0)
             - (select count(*) from user_event)
             - (select coalesce(sum(events), 0) from erasure))::bigint
         from intake_count",
    )
    .await?;
    if missing != 0 {
        findings.add(6, [format!("{missing} counted user events are missing")]);
    }
    Ok(())
}
