//! What must always hold, across the databases of all services, the index and the broker, once traffic rests.
//!
//! The invariants and their numbers are those of `ARCHITECTURE.md`. The audit only reads; run in the middle of traffic it finds
//! what is merely under way, so whoever asks repeats it until traffic rests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection, postgres::PgRow};
use testkit::{ManagementClient, QueueState};

use crate::{Error, SERVICES, streams};

/// What is audited.
#[derive(Debug, Clone, Copy)]
pub struct Suite<'a> {
    /// The databases of the services.
    pub databases: &'a Databases,
    /// Without it nobody looks into queues and streams.
    pub broker: Option<Broker<'a>>,
    /// The addresses of all instances of search-sync, each of which has an index of its own.
    pub search: &'a [&'a str],
    /// A token with the scope `ops`.
    pub token: &'a str,
}

/// Where the broker of the suite is.
#[derive(Debug, Clone, Copy)]
pub struct Broker<'a> {
    /// Its management API.
    pub management: &'a ManagementClient,
    /// The name of the suite's vhost.
    pub vhost: &'a str,
    /// The address of the vhost, `amqp://…`.
    pub amqp_url: &'a str,
}

/// Where the databases of the services are.
#[derive(Debug, Clone)]
pub struct Databases(BTreeMap<&'static str, String>);

impl Databases {
    /// The address of each service's database.
    pub fn new(urls: BTreeMap<&'static str, String>) -> Self {
        Self(urls)
    }

    /// Databases named like their services, on one server.
    pub fn on(server_url: &str) -> Self {
        let url = |service| testkit::database_url(server_url, service);
        Self(SERVICES.into_iter().map(|service| (service, url(service))).collect())
    }

    /// The address of a service's database; empty if there is none.
    pub fn url(&self, service: &str) -> &str {
        self.0.get(service).map(String::as_str).unwrap_or_default()
    }

    /// A connection to the database of a service.
    pub async fn connect(&self, service: &'static str) -> Result<PgConnection, Error> {
        Ok(PgConnection::connect(self.url(service)).await?)
    }
}

/// What does not hold.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// One line each, by the number of the invariant.
    violations: BTreeMap<u8, Vec<String>>,
    /// How many things were looked at, by name.
    looked_at: BTreeMap<&'static str, i64>,
}

impl Findings {
    /// Whether all invariants hold.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many violations there are, of all invariants.
    pub fn count(&self) -> usize {
        self.violations.values().map(Vec::len).sum()
    }

    /// The violations of an invariant.
    pub fn of(&self, invariant: u8) -> &[String] {
        self.violations.get(&invariant).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many things were looked at, by name: an audit of nothing proves nothing.
    pub fn looked_at(&self) -> &BTreeMap<&'static str, i64> {
        &self.looked_at
    }

    fn add(&mut self, invariant: u8, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.violations.entry(invariant).or_default().push(line);
        }
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

/// What the broker calls the kind of a queue that is a stream.
const STREAM: &str = "stream";

/// How long a comparison of the whole catalogue may take.
const DRIFT: Duration = Duration::from_mins(1);

/// How many invariants there are.
pub const INVARIANTS: u8 = 6;

/// Checks every invariant.
pub async fn run(suite: Suite<'_>) -> Result<Findings, Error> {
    let Suite { databases, broker, search, token } = suite;
    let mut findings = Findings::default();
    orders_have_one_outcome(databases, &mut findings).await?;
    stock_adds_up(databases, &mut findings).await?;
    reservations_belong_to_living_orders(databases, &mut findings).await?;
    copies_equal_the_catalogue(databases, &mut findings).await?;
    for url in search {
        the_index_equals_the_catalogue(url, token, &mut findings).await?;
    }
    nothing_is_left_on_the_way(databases, &mut findings).await?;
    if let Some(broker) = broker {
        let queues = broker.management.queues(broker.vhost).await?;
        queues_are_empty(&queues, &mut findings);
        streams_are_read_to_their_ends(databases, broker, &queues, &mut findings).await?;
    }
    user_events_are_counted_once(databases, &mut findings).await?;
    Ok(findings)
}

/// All rows of a query.
async fn rows<T>(connection: &mut PgConnection, query: &str) -> Result<Vec<T>, Error>
where
    T: Send + Unpin + for<'r> FromRow<'r, PgRow>,
{
    Ok(sqlx::query_as(AssertSqlSafe(query)).fetch_all(connection).await?)
}

/// The one number that a query answers.
async fn number(connection: &mut PgConnection, query: &str) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(connection).await?)
}

/// Invariant 1: every accepted order has exactly one outcome or is still within its deadline.
async fn orders_have_one_outcome(
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut order = databases.connect("order").await?;
    let count = number(&mut order, "select count(*) from orders").await?;
    findings.looked_at.insert("orders", count);
    // The clock looks at what is due at once; half a minute is a process that is gone.
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
    findings.add(1, twice.into_iter().map(|(id, ends)| format!("order {id} has {ends} outcomes")));
    let untold: Vec<(String, String)> = rows(
        &mut order,
        "select o.id::text, o.status from orders o
         where o.status is distinct from (
             select t.status from order_timeline t where t.order_id = o.id order by t.position desc limit 1
         )",
    )
    .await?;
    findings.add(
        1,
        untold.into_iter().map(|(id, status)| {
            format!("order {id} is {status}, which its timeline does not tell")
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

/// Invariant 2: stock adds up, and what left the warehouses is what was shipped.
async fn stock_adds_up(databases: &Databases, findings: &mut Findings) -> Result<(), Error> {
    let mut inventory = databases.connect("inventory").await?;
    let count = number(&mut inventory, "select count(*) from stock").await?;
    findings.looked_at.insert("stock_rows", count);
    let off: Vec<(String, i64, i64)> =
        rows(&mut inventory, "select sku, on_hand, on_hand_by_ledger from ledger_discrepancy")
            .await?;
    findings.add(
        2,
        off.into_iter().map(|(sku, on_hand, ledger)| {
            format!("{sku}: {on_hand} on hand, {ledger} by the ledger")
        }),
    );
    let oversold: Vec<(String, i64, i64)> = rows(
        &mut inventory,
        "select sku, on_hand, reserved from stock where reserved < 0 or reserved > on_hand",
    )
    .await?;
    findings.add(
        2,
        oversold
            .into_iter()
            .map(|(sku, on_hand, reserved)| format!("{sku}: {reserved} of {on_hand} are reserved")),
    );
    let deducted: BTreeMap<String, i64> = rows::<(String, i64)>(
        &mut inventory,
        "select sku, -sum(on_hand_delta)::bigint from ledger where kind = 'deducted' group by sku",
    )
    .await?
    .into_iter()
    .collect();
    let mut order = databases.connect("order").await?;
    let shipped: BTreeMap<String, i64> = rows::<(String, i64)>(
        &mut order,
        "select l.sku, sum(l.quantity)::bigint from order_line l join orders o on o.id = l.order_id
         where o.status in ('shipped', 'delivered') group by l.sku",
    )
    .await?
    .into_iter()
    .collect();
    for sku in deducted.keys().chain(shipped.keys()).collect::<BTreeSet<_>>() {
        let of = |map: &BTreeMap<String, i64>| map.get(sku).copied().unwrap_or(0);
        if of(&deducted) != of(&shipped) {
            let line = format!("{sku}: {} shipped, {} deducted", of(&shipped), of(&deducted));
            findings.add(2, [line]);
        }
    }
    Ok(())
}

/// Invariant 3: every reservation belongs to a living order, or has been released or deducted.
async fn reservations_belong_to_living_orders(
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut inventory = databases.connect("inventory").await?;
    let off: Vec<(String, i64, i64)> = rows(
        &mut inventory,
        "select sku, reserved, reserved_by_orders from reservation_discrepancy",
    )
    .await?;
    findings.add(
        3,
        off.into_iter().map(|(sku, reserved, orders)| {
            format!("{sku}: {reserved} are reserved, {orders} of them for orders")
        }),
    );
    let reservations: BTreeMap<String, String> =
        rows::<(String, String)>(&mut inventory, "select order_id::text, state from reservation")
            .await?
            .into_iter()
            .collect();
    findings
        .looked_at
        .insert("reservations", i64::try_from(reservations.len()).unwrap_or(i64::MAX));
    let mut order = databases.connect("order").await?;
    let orders: BTreeMap<String, String> =
        rows::<(String, String)>(&mut order, "select id::text, status from orders")
            .await?
            .into_iter()
            .collect();
    for (id, status) in &orders {
        let state = reservations.get(id).map(String::as_str);
        let fits = match status.as_str() {
            "placed" => matches!(state, None | Some("reserved")),
            "reserved" | "confirmed" => state == Some("reserved"),
            "shipped" | "delivered" => state == Some("deducted"),
            _ => matches!(state, None | Some("released")),
        };
        if !fits {
            findings.add(
                3,
                [format!(
                    "order {id} is {status}, its reservation {}",
                    state.unwrap_or("is missing")
                )],
            );
        }
    }
    let foreign = reservations.keys().filter(|id| !orders.contains_key(*id));
    findings
        .add(3, foreign.map(|id| format!("there is a reservation for {id}, and no such order")));
    Ok(())
}

/// Invariant 4: what others hold of the catalogue is the catalogue, version for version.
async fn copies_equal_the_catalogue(
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut catalogue = databases.connect("product-catalog").await?;
    let originals: BTreeMap<String, i64> =
        rows::<(String, i64)>(&mut catalogue, "select id::text, version from product")
            .await?
            .into_iter()
            .collect();
    findings.looked_at.insert("products", i64::try_from(originals.len()).unwrap_or(i64::MAX));
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
                let held =
                    copy.get(id).map_or("nothing".to_owned(), |held| format!("version {held}"));
                findings.add(
                    4,
                    [format!(
                        "{service} holds {held} of product {id}, the catalogue version {version}"
                    )],
                );
            }
        }
        let foreign = copy.keys().filter(|id| !originals.contains_key(*id));
        findings.add(
            4,
            foreign
                .map(|id| format!("{service} holds product {id}, which the catalogue never had")),
        );
    }
    Ok(())
}

/// Invariant 4, for what cannot be seen in a database: the index itself, product for product, as search-sync compares it.
async fn the_index_equals_the_catalogue(
    url: &str,
    token: &str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let client = Client::builder().no_proxy().timeout(DRIFT).build()?;
    let answer = client.get(format!("{url}/v1/index/drift")).bearer_auth(token).send().await?;
    let drift: Value = answer.error_for_status()?.json().await?;
    let number = |name: &str| drift[name].as_i64();
    let (Some(indexed), Some(differing)) = (number("index"), number("differing")) else {
        return Err(Error::Unexpected(format!("no drift, but {drift}")));
    };
    findings.looked_at.insert("indexed_products", indexed);
    if differing > 0 {
        let items = &drift["items"];
        findings.add(4, [format!("{differing} products differ in the index: {items}")]);
    }
    Ok(())
}

/// Invariant 5, for what is in the broker: all queues are empty, those for what nobody is bound for and for what processes
/// died over too. Streams keep what was read.
fn queues_are_empty(queues: &[QueueState], findings: &mut Findings) {
    findings.looked_at.insert("queues", i64::try_from(queues.len()).unwrap_or(i64::MAX));
    let full = queues.iter().filter(|queue| queue.kind != STREAM && queue.messages > 0);
    findings.add(5, full.map(|queue| format!("{} messages in {}", queue.messages, queue.name)));
}

/// Invariant 6, for what is in the broker: no accepted user event waits in its stream. What is not taken out of it would be missing
/// in no table.
async fn streams_are_read_to_their_ends(
    databases: &Databases,
    broker: Broker<'_>,
    queues: &[QueueState],
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut analytics = databases.connect("behavior-analytics").await?;
    let streams: Vec<&QueueState> = queues.iter().filter(|queue| queue.kind == STREAM).collect();
    findings.looked_at.insert("streams", i64::try_from(streams.len()).unwrap_or(i64::MAX));
    for QueueState { name, .. } in streams {
        // A stream that was never read is unread from its first message on.
        let read: i64 = sqlx::query_scalar(
            "select coalesce(min(next_offset), 0) from messaging.stream_offset where stream = $1",
        )
        .bind(name)
        .fetch_one(&mut analytics)
        .await?;
        if streams::reaches(broker.amqp_url, name, read).await? {
            findings.add(6, [format!("{name} holds messages from offset {read} on, not yet read")]);
        }
    }
    Ok(())
}

/// Invariant 5: nothing is left on the way but dead letters, which wait for people.
async fn nothing_is_left_on_the_way(
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), Error> {
    let (mut dead, mut pending) = (0, 0);
    for service in SERVICES {
        let mut connection = databases.connect(service).await?;
        for (table, what) in
            [("outbox", "events wait in its outbox"), ("parked", "events are parked")]
        {
            let left =
                number(&mut connection, &format!("select count(*) from messaging.{table}")).await?;
            if left > 0 {
                findings.add(5, [format!("{service}: {left} {what}")]);
            }
        }
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
            stuck
                .into_iter()
                .map(|(consumer, key)| format!("{consumer} holds {key} back for no reason")),
        );
        dead += number(&mut connection, "select count(*) from messaging.dead_letter").await?;
        pending += number(
            &mut connection,
            "select count(*) from messaging.dead_letter where state = 'pending'",
        )
        .await?;
    }
    findings.looked_at.extend([("dead_letters", dead), ("pending_dead_letters", pending)]);
    Ok(())
}

/// Invariant 6: every user event that was taken out of the stream is stored once, or known to be a duplicate or erased.
async fn user_events_are_counted_once(
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut analytics = databases.connect("behavior-analytics").await?;
    let kept = number(&mut analytics, "select count(*) from user_event").await?;
    findings.looked_at.insert("user_events", kept);
    let missing = number(
        &mut analytics,
        "select (coalesce(sum(stored - expired), 0)
             - (select count(*) from user_event)
             - (select coalesce(sum(events), 0) from erasure))::bigint
         from intake_count",
    )
    .await?;
    if missing != 0 {
        findings.add(6, [format!("{missing} user events were counted and are not there")]);
    }
    Ok(())
}
