//! Verifies after the faults that everything accepted had its effects.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use audit::Findings;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use suite::{
    Error as SuiteError, Figures,
    Target::{self, AtMost},
    output,
};
use system_tests::{SERVICES, Shop};
use xtask::workspace;

use crate::{
    admin_clients::{IMPORTED_SKUS, Imports, WrittenProduct},
    error::Error,
    load::{Accepted, Order},
    plan::Instances,
};

/// How many wrong orders and products are printed.
const SHOWN: usize = 20;

/// The result: what was accepted, and what is wrong in the databases.
#[derive(Debug, Default)]
pub(super) struct Verification {
    accepted: usize,
    /// The number of orders by final status.
    ended: HashMap<String, usize>,
    /// Accepted orders that are missing or have a final status that the answers exclude; and pieces of scarce
    /// products that were ordered but not sold.
    lost: i64,
    /// Orders that no client got accepted: every idempotency key was retried until an answer.
    duplicated: usize,
    /// Keys with unprocessed events, cursors that ever went back, and timelines with an invalid order of
    /// entries.
    reordered: i64,
    /// Pieces that were reserved or sold beyond the stock.
    oversold: i64,
    /// Accepted user events that are missing.
    events_lost: i64,
    events: u64,
    imports: usize,
    products: usize,
    stock_changes: usize,
    webhooks: usize,
    /// Products that differ from the answer of their last write, in the catalogue or in search.
    wrong_products: usize,
    /// SKUs whose stock differs from the accepted changes.
    wrong_stock: usize,
    /// No fault justifies a dead letter.
    dead_letters: i64,
    /// Violated invariants.
    violations: usize,
    /// Requests without an answer.
    unanswered: usize,
}

/// Counts invalid status transitions in the timelines of orders.
const INVALID_TRANSITIONS: &str = "
    with step as (
        select status, lag(status) over (partition by order_id order by position) as before from order_timeline
    )
    select count(*) from step
    where before is not null and status <> before and (before, status) not in (
        ('placed', 'reserved'), ('placed', 'rejected'), ('placed', 'expired'), ('placed', 'cancelled'),
        ('placed', 'confirmed'), ('reserved', 'confirmed'), ('reserved', 'payment_failed'), ('reserved', 'expired'),
        ('reserved', 'cancelled'), ('confirmed', 'shipped'), ('confirmed', 'cancelled'), ('shipped', 'delivered'),
        ('shipped', 'returned'), ('delivered', 'returned')
    )";

/// Counts orders whose timeline has a stock event twice, or the end of a reservation before the reservation.
const INVALID_STOCK_ENTRIES: &str = "
    with entries as (
        select order_id,
            count(*) filter (where event = 'stock.reserved.v1') as reserved,
            count(*) filter (where event in ('stock.deducted.v1', 'stock.released.v1')) as closed,
            min(position) filter (where event = 'stock.reserved.v1') as reserved_at,
            min(position) filter (where event in ('stock.deducted.v1', 'stock.released.v1')) as closed_at
        from order_timeline group by order_id
    )
    select count(*) from entries
    where reserved > 1 or closed > 1 or closed > reserved or closed_at < reserved_at";

/// Records every cursor that goes back.
const CURSOR_REGRESSION_TRIGGER: &str = "
    create table messaging.went_back as select consumer, source, aggregate, key, last from messaging.cursor with no data;
    create function messaging.record_regression() returns trigger language plpgsql as $$
    begin
        insert into messaging.went_back values (new.consumer, new.source, new.aggregate, new.key, new.last);
        return null;
    end $$;
    create trigger went_back after update on messaging.cursor for each row
        when (new.last < old.last) execute function messaging.record_regression();";

/// Installs the trigger in all databases.
pub(super) async fn record_regressions(shop: &Shop) -> Result<(), Error> {
    for service in SERVICES {
        sqlx::raw_sql(CURSOR_REGRESSION_TRIGGER)
            .execute(&mut connect(shop, service).await?)
            .await?;
    }
    Ok(())
}

/// The number of orders without a final status.
pub(super) async fn open_orders(shop: &Shop) -> Result<i64, Error> {
    let mut order = connect(shop, "order").await?;
    let open = "select count(*) from orders where status in ('placed', 'reserved', 'confirmed', 'shipped')";
    Ok(sqlx::query_scalar(open).fetch_one(&mut order).await?)
}

/// Compares what was accepted with the databases and with the findings of the audit.
pub(super) async fn verify(
    shop: &Shop,
    accepted: &Accepted,
    findings: Option<&Findings>,
) -> Result<Verification, Error> {
    let dead_letters =
        findings.and_then(|findings| findings.checked().get("dead_letters").copied());
    let mut result = Verification {
        accepted: accepted.orders.len(),
        events: accepted.events,
        dead_letters: dead_letters.unwrap_or(i64::MAX),
        violations: findings.map_or(usize::MAX, Findings::count),
        unanswered: accepted.unanswered,
        imports: accepted.admin.imports.accepted,
        products: accepted.admin.products.len(),
        stock_changes: accepted.admin.stock_changes.accepted,
        webhooks: accepted.webhooks,
        ..Verification::default()
    };

    let mut order = connect(shop, "order").await?;
    let orders: Vec<(String, String)> =
        sqlx::query_as("select id::text, status from orders").fetch_all(&mut order).await?;
    let orders: HashMap<String, String> = orders.into_iter().collect();
    let is_expected = |order: &Order| {
        orders.get(&order.id).is_some_and(|status| order.statuses.contains(&status.as_str()))
    };
    let wrong: Vec<&Order> = accepted.orders.iter().filter(|order| !is_expected(order)).collect();
    for Order { id, statuses } in wrong.iter().take(SHOWN) {
        let status = orders.get(id).map_or("missing", String::as_str);
        output::line(format!("  order {id}: {status}; expected: {}", statuses.join(" or ")));
    }
    result.lost = i64::try_from(wrong.len()).unwrap_or(i64::MAX);
    result.ended = orders.values().fold(HashMap::new(), |mut ended, status| {
        *ended.entry(status.clone()).or_default() += 1;
        ended
    });
    let distinct: HashSet<&String> = accepted.orders.iter().map(|order| &order.id).collect();
    // A request without an answer may have created an order.
    result.duplicated = orders.len().saturating_sub(distinct.len() + accepted.unanswered);
    result.reordered = sqlx::query_scalar(INVALID_TRANSITIONS).fetch_one(&mut order).await?;
    result.reordered +=
        sqlx::query_scalar::<_, i64>(INVALID_STOCK_ENTRIES).fetch_one(&mut order).await?;
    result.reordered += unprocessed_keys(shop).await?;

    let mut inventory = connect(shop, "inventory").await?;
    let beyond_stock: i64 = sqlx::query_scalar(
        "select coalesce(sum(greatest(reserved - on_hand, 0) + greatest(-on_hand, 0)), 0)::bigint from stock",
    )
    .fetch_one(&mut inventory)
    .await?;
    let sold: Vec<(String, i64, i64)> = sqlx::query_as(
        "select l.sku, sum(l.quantity)::bigint,
             coalesce(sum(l.quantity) filter (where o.status in ('confirmed', 'shipped', 'delivered', 'returned')), 0)::bigint
         from order_line l join orders o on o.id = l.order_id group by l.sku",
    )
    .fetch_all(&mut order)
    .await?;
    result.oversold = beyond_stock;
    for (sku, stock) in &accepted.stock {
        let of_sku = sold.iter().find(|(sold, ..)| sold == sku);
        let (ordered, sold) = of_sku.map_or((0, 0), |(_, ordered, sold)| (*ordered, *sold));
        result.oversold += (sold - stock).max(0);
        // All orders of scarce products are paid and none is cancelled.
        if accepted.scarce.contains(sku) {
            result.lost += (ordered.min(*stock) - sold).max(0);
        }
    }

    result.wrong_stock = wrong_stock(&mut inventory, &accepted.admin.stock_changes.levels).await?;
    result.wrong_products = wrong_products(shop, &accepted.admin.products).await?
        + wrong_imports(shop, &accepted.admin.imports).await?;

    let mut analytics = connect(shop, "behavior-analytics").await?;
    let stored: i64 =
        sqlx::query_scalar("select count(*) from user_event").fetch_one(&mut analytics).await?;
    result.events_lost = i64::try_from(accepted.events).unwrap_or(i64::MAX) - stored;
    Ok(result)
}

/// The number of SKUs whose stock is wrong. The audit compares stock and ledger.
async fn wrong_stock(
    inventory: &mut PgConnection,
    levels: &[(String, i64)],
) -> Result<usize, Error> {
    let held: Vec<(String, i64)> =
        sqlx::query_as("select sku, sum(on_hand)::bigint from stock group by sku")
            .fetch_all(inventory)
            .await?;
    let wrong = levels.iter().filter(|level| !held.contains(level));
    Ok(wrong
        .inspect(|(sku, level)| output::line(format!("  stock of {sku}: expected {level}")))
        .count())
}

/// The number of products that are wrong in the catalogue or in either instance of search. The audit compares
/// the copies of the other services.
async fn wrong_products(shop: &Shop, written: &[WrittenProduct]) -> Result<usize, Error> {
    let mut catalogue = connect(shop, "product-catalog").await?;
    let products: Vec<(String, i64)> =
        sqlx::query_as("select id::text, version from product where deleted_at is null")
            .fetch_all(&mut catalogue)
            .await?;
    let products: HashMap<String, i64> = products.into_iter().collect();
    let mut wrong = 0;
    for WrittenProduct { id, brand, version } in written {
        let mut is_expected = products.get(id) == version.as_ref();
        for search in Instances::Both.names("search-sync") {
            // The space is the only character of a brand that needs escaping.
            let path = format!("/v1/search?brand={}", brand.replace(' ', "+"));
            let hits = shop.get(&search, &path).await?;
            is_expected &= hits.number("/items/0/version") == *version;
        }
        if !is_expected && wrong < SHOWN {
            output::line(format!("  product {id} ({brand}): expected version {version:?}"));
        }
        wrong += usize::from(!is_expected);
    }
    Ok(wrong)
}

/// The number of incomplete imports, plus the number of products that differ from the last import.
async fn wrong_imports(shop: &Shop, imports: &Imports) -> Result<usize, Error> {
    let Some(brand) = &imports.brand else { return Ok(0) };
    let mut catalogue = connect(shop, "product-catalog").await?;
    let (prefix, products) = IMPORTED_SKUS;
    let correct: i64 = sqlx::query_scalar(
        "select count(*) from product p join variant v on v.product_id = p.id
         where starts_with(v.sku, $1) and p.brand = $2 and p.deleted_at is null",
    )
    .bind(prefix)
    .bind(brand)
    .fetch_one(&mut catalogue)
    .await?;
    Ok(imports.incomplete + products.abs_diff(usize::try_from(correct).unwrap_or(0)))
}

/// The number of cursors that went back, plus the number of keys whose cursor differs from the published
/// sequence, for all subscribers.
async fn unprocessed_keys(shop: &Shop) -> Result<i64, Error> {
    // By (source, aggregate): the last sequence of each key.
    let mut published: HashMap<(String, String), HashMap<String, i64>> = HashMap::new();
    for service in SERVICES {
        let mut connection = connect(shop, service).await?;
        let numbers: Vec<(String, String, i64)> =
            sqlx::query_as("select aggregate, key, last from messaging.sequence")
                .fetch_all(&mut connection)
                .await?;
        for (aggregate, key, last) in numbers {
            published.entry((service.to_owned(), aggregate)).or_default().insert(key, last);
        }
    }
    let subscriptions = subscriptions()?;
    let mut count = 0;
    for service in SERVICES {
        let mut connection = connect(shop, service).await?;
        count += sqlx::query_scalar::<_, i64>("select count(*) from messaging.went_back")
            .fetch_one(&mut connection)
            .await?;
        let cursors: Vec<(String, String, String, String, i64)> =
            sqlx::query_as("select consumer, source, aggregate, key, last from messaging.cursor")
                .fetch_all(&mut connection)
                .await?;
        // By (consumer, (source, aggregate)), including subscriptions without a cursor.
        let mut processed: HashMap<(String, (String, String)), HashMap<String, i64>> =
            HashMap::new();
        for SubscribedAggregate { subscriber, publisher, aggregate } in &subscriptions {
            if *subscriber == service {
                let consumer = format!("{subscriber}.{aggregate}");
                processed
                    .insert((consumer, (publisher.clone(), aggregate.clone())), HashMap::new());
            }
        }
        for (consumer, source, aggregate, key, last) in cursors {
            processed.entry((consumer, (source, aggregate))).or_default().insert(key, last);
        }
        for ((_, publisher), processed) in processed {
            count += differences(published.get(&publisher).unwrap_or(&HashMap::new()), &processed);
        }
    }
    Ok(count)
}

/// The number of keys whose published and processed sequences differ.
fn differences(published: &HashMap<String, i64>, processed: &HashMap<String, i64>) -> i64 {
    let missing = published.iter().filter(|(key, last)| processed.get(*key) != Some(last)).count();
    let unknown = processed.keys().filter(|key| !published.contains_key(*key)).count();
    i64::try_from(missing + unknown).unwrap_or(i64::MAX)
}

/// The subscription of a service to an aggregate of another one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SubscribedAggregate {
    subscriber: String,
    publisher: String,
    aggregate: String,
}

/// All subscriptions, from the generated contracts. Streams are left out: they have no keys.
fn subscriptions() -> Result<HashSet<SubscribedAggregate>, Error> {
    let path = workspace::root().join("docs/contracts/asyncapi.json");
    let text = fs::read(&path).map_err(SuiteError::file(&path))?;
    let document: Value =
        serde_json::from_slice(&text).map_err(|source| SuiteError::Content { path, source })?;
    let operations = document["operations"].as_object().into_iter().flatten();
    // `order.receive.inventory.reservation` refers to the channel `inventory.reservation` with the address
    // `reservation.{slot}`.
    let subscription = |(name, _): (&String, &Value)| {
        let (subscriber, channel) = name.split_once(".receive.")?;
        let (publisher, aggregate) = channel.split_once('.')?;
        let address = document["channels"][channel]["address"].as_str()?;
        address.ends_with(".{slot}").then(|| SubscribedAggregate {
            subscriber: subscriber.to_owned(),
            publisher: publisher.to_owned(),
            aggregate: aggregate.to_owned(),
        })
    };
    Ok(operations.filter_map(subscription).collect())
}

async fn connect(shop: &Shop, service: &str) -> Result<PgConnection, Error> {
    Ok(PgConnection::connect(shop.databases().url(service)).await?)
}

impl Verification {
    /// Records the figures with their targets.
    pub(super) fn report(&self, figures: &mut Figures) {
        let number = |number: i64| f64::from(i32::try_from(number).unwrap_or(i32::MAX));
        let events = number(i64::try_from(self.events).unwrap_or(i64::MAX));
        figures.record("orders_accepted", as_figure(self.accepted), Target::None);
        for (name, status) in [
            ("orders_delivered", "delivered"),
            ("orders_rejected", "rejected"),
            ("orders_payment_failed", "payment_failed"),
            ("orders_expired", "expired"),
            ("orders_cancelled", "cancelled"),
        ] {
            figures.record(
                name,
                as_figure(self.ended.get(status).copied().unwrap_or(0)),
                Target::None,
            );
        }
        figures.record("events_accepted", events, Target::None);
        for (name, figure) in [
            ("imports_accepted", self.imports),
            ("products_made", self.products),
            ("counts_accepted", self.stock_changes),
            ("callbacks_taken", self.webhooks),
        ] {
            figures.record(name, as_figure(figure), Target::None);
        }
        for (name, figure) in [
            ("orders_lost", number(self.lost)),
            ("orders_doubled", as_figure(self.duplicated)),
            ("order_of_key_violations", number(self.reordered)),
            ("oversold_units", number(self.oversold)),
            ("events_lost", number(self.events_lost)),
            ("products_astray", as_figure(self.wrong_products)),
            ("levels_astray", as_figure(self.wrong_stock)),
            ("dead_letters", number(self.dead_letters)),
            ("audit_violations", as_figure(self.violations)),
            ("questions_unanswered", as_figure(self.unanswered)),
        ] {
            figures.record(name, figure, AtMost(0.0));
        }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_correct(&self) -> bool {
        let Self { lost, reordered, oversold, events_lost, dead_letters, .. } = *self;
        let Self { duplicated, wrong_products, wrong_stock, violations, unanswered, .. } = *self;
        [lost, reordered, oversold, events_lost, dead_letters] == [0; 5]
            && [duplicated, wrong_products, wrong_stock, violations, unanswered] == [0; 5]
    }
}

/// A count as a figure.
pub(crate) fn as_figure(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{SubscribedAggregate, differences, subscriptions};

    #[test]
    fn missing_and_unknown_keys_are_counted() {
        let keys = |keys: &[(&str, i64)]| -> HashMap<String, i64> {
            keys.iter().map(|(key, last)| ((*key).to_owned(), *last)).collect()
        };
        let published = keys(&[("a", 3), ("b", 1)]);
        assert_eq!(differences(&published, &published), 0);
        assert_eq!(differences(&published, &keys(&[])), 2);
        assert_eq!(differences(&published, &keys(&[("a", 2), ("b", 1)])), 1);
        assert_eq!(differences(&published, &keys(&[("a", 3), ("b", 1), ("c", 1)])), 1);
        assert_eq!(differences(&keys(&[]), &keys(&[])), 0);
    }

    #[test]
    fn subscriptions_are_read_from_the_contracts() {
        let subscriptions = subscriptions().unwrap();
        let subscription =
            |subscriber: &str, publisher: &str, aggregate: &str| SubscribedAggregate {
                subscriber: subscriber.to_owned(),
                publisher: publisher.to_owned(),
                aggregate: aggregate.to_owned(),
            };
        assert!(subscriptions.contains(&subscription("order", "inventory", "reservation")));
        assert!(subscriptions.contains(&subscription("product-catalog", "search-sync", "receipt")));
        assert!(subscriptions.iter().all(|subscription| subscription.aggregate != "user-events"));
        assert_eq!(subscriptions.len(), 19);
    }
}
