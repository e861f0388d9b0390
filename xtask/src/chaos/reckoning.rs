//! What became of all that was accepted.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use system_tests::{SERVICES, Shop, audit::Findings};

use super::{
    keepers::{IMPORTED, Imports, Made},
    load::{Accepted, Order},
    plan::Whom,
    whole,
};
use crate::{
    bench::figures::{
        Figures,
        Goal::{AtMost, Told},
    },
    failure::Failure,
    say, workspace,
};

/// How many orders that ended otherwise than they should are named.
const SHOWN: usize = 20;

/// What was found in the databases.
#[derive(Debug, Default)]
pub(super) struct Reckoning {
    accepted: usize,
    /// How many ended in which way.
    ended: HashMap<String, usize>,
    /// Orders that were accepted and are not there, or have not ended as was answered to whoever placed, paid or called them off;
    /// and pieces of what sells out that were not sold though somebody wanted them.
    lost: i64,
    /// Orders that are there and were not accepted: each key was asked for until it was.
    doubled: usize,
    /// Keys of which a listener has not heard as many events as were said, cursors that ever went back, and orders that took a
    /// step or were told of one out of turn.
    disordered: i64,
    /// Pieces that were promised and are not there.
    oversold: i64,
    /// User events that were accepted and are not there.
    events_lost: i64,
    events: u64,
    /// What the keepers of the shop were answered: imports, products made, pieces counted; and what providers were.
    imports: usize,
    made: usize,
    counts: usize,
    callbacks: usize,
    /// Products that are not as the last write of them was answered: in the catalogue, or in what shoppers find.
    products_astray: usize,
    /// SKUs of which there are not as many pieces as were counted.
    levels_astray: usize,
    /// Dead letters: no fault is a reason for one.
    dead_letters: i64,
    /// What the audit found in the end.
    violations: usize,
    /// Questions that were never answered.
    unanswered: usize,
}

/// Whether a status may follow another, as rows of an order's timeline.
const STEPS_BACK: &str = "
    with step as (
        select status, lag(status) over (partition by order_id order by position) as before from order_timeline
    )
    select count(*) from step
    where before is not null and status <> before and (before, status) not in (
        ('placed', 'reserved'), ('placed', 'rejected'), ('placed', 'expired'), ('placed', 'cancelled'),
        ('placed', 'confirmed'), ('reserved', 'confirmed'), ('reserved', 'payment_failed'), ('reserved', 'expired'),
        ('reserved', 'cancelled'), ('confirmed', 'shipped'), ('confirmed', 'cancelled'), ('shipped', 'delivered')
    )";

/// How many orders were told of what became of their reservation before they were told of it, or twice.
const TOLD_OUT_OF_TURN: &str = "
    with told as (
        select order_id,
            count(*) filter (where event = 'stock.reserved.v1') as reserved,
            count(*) filter (where event in ('stock.deducted.v1', 'stock.released.v1')) as closed,
            min(position) filter (where event = 'stock.reserved.v1') as reserved_at,
            min(position) filter (where event in ('stock.deducted.v1', 'stock.released.v1')) as closed_at
        from order_timeline group by order_id
    )
    select count(*) from told
    where reserved > 1 or closed > 1 or closed > reserved or closed_at < reserved_at";

/// Notes every cursor that goes back.
const WITNESS: &str = "
    create table messaging.went_back as select consumer, source, aggregate, key, last from messaging.cursor with no data;
    create function messaging.note_that_it_went_back() returns trigger language plpgsql as $$
    begin
        insert into messaging.went_back values (new.consumer, new.source, new.aggregate, new.key, new.last);
        return null;
    end $$;
    create trigger went_back after update on messaging.cursor for each row
        when (new.last < old.last) execute function messaging.note_that_it_went_back();";

/// Has the databases note what could not be seen in the end.
pub(super) async fn watch(shop: &Shop) -> Result<(), Failure> {
    for service in SERVICES {
        sqlx::raw_sql(WITNESS).execute(&mut connect(shop, service).await?).await?;
    }
    Ok(())
}

/// How many orders are neither delivered nor ended in another way.
pub(super) async fn orders_under_way(shop: &Shop) -> Result<i64, Failure> {
    let mut order = connect(shop, "order").await?;
    let under_way = "select count(*) from orders where status in ('placed', 'reserved', 'confirmed', 'shipped')";
    Ok(sqlx::query_scalar(under_way).fetch_one(&mut order).await?)
}

/// Compares what was accepted with what is there, and with what the audit has counted, if it could count.
pub(super) async fn reckon(
    shop: &Shop,
    accepted: &Accepted,
    audited: Option<&Findings>,
) -> Result<Reckoning, Failure> {
    let dead_letters = audited.and_then(|audited| audited.looked_at().get("dead_letters").copied());
    let mut found = Reckoning {
        accepted: accepted.orders.len(),
        events: accepted.events,
        dead_letters: dead_letters.unwrap_or(i64::MAX),
        violations: audited.map_or(usize::MAX, Findings::count),
        unanswered: accepted.unanswered,
        imports: accepted.kept.imports.accepted,
        made: accepted.kept.made.len(),
        counts: accepted.kept.counts.accepted,
        callbacks: accepted.callbacks,
        ..Reckoning::default()
    };

    let mut order = connect(shop, "order").await?;
    let orders: Vec<(String, String)> =
        sqlx::query_as("select id::text, status from orders").fetch_all(&mut order).await?;
    let orders: HashMap<String, String> = orders.into_iter().collect();
    let as_answered = |order: &Order| {
        orders.get(&order.id).is_some_and(|status| order.ends.contains(&status.as_str()))
    };
    let astray: Vec<&Order> = accepted.orders.iter().filter(|order| !as_answered(order)).collect();
    for Order { id, ends } in astray.iter().take(SHOWN) {
        let status = orders.get(id).map_or("not there", String::as_str);
        say::line(format!("  order {id} is {status}, and should be {}", ends.join(" or ")));
    }
    found.lost = i64::try_from(astray.len()).unwrap_or(i64::MAX);
    found.ended = orders.values().fold(HashMap::new(), |mut ended, status| {
        *ended.entry(status.clone()).or_default() += 1;
        ended
    });
    let distinct: HashSet<&String> = accepted.orders.iter().map(|order| &order.id).collect();
    // An order about which nobody was told may be there or not.
    found.doubled = orders.len().saturating_sub(distinct.len() + accepted.unanswered);
    found.disordered = sqlx::query_scalar(STEPS_BACK).fetch_one(&mut order).await?;
    found.disordered +=
        sqlx::query_scalar::<_, i64>(TOLD_OUT_OF_TURN).fetch_one(&mut order).await?;
    found.disordered += unheard(shop).await?;

    let mut inventory = connect(shop, "inventory").await?;
    let promised: i64 = sqlx::query_scalar(
        "select coalesce(sum(greatest(reserved - on_hand, 0) + greatest(-on_hand, 0)), 0)::bigint from stock",
    )
    .fetch_one(&mut inventory)
    .await?;
    let sold: Vec<(String, i64, i64)> = sqlx::query_as(
        "select l.sku, sum(l.quantity)::bigint,
             coalesce(sum(l.quantity) filter (where o.status in ('confirmed', 'shipped', 'delivered')), 0)::bigint
         from order_line l join orders o on o.id = l.order_id group by l.sku",
    )
    .fetch_all(&mut order)
    .await?;
    found.oversold = promised;
    for (sku, pieces) in &accepted.pieces {
        let of_sku = sold.iter().find(|(sold, ..)| sold == sku);
        let (ordered, sold) = of_sku.map_or((0, 0), |(_, ordered, sold)| (*ordered, *sold));
        found.oversold += (sold - pieces).max(0);
        // Everybody pays for what is scarce, and nobody calls it off.
        if accepted.scarce.contains(sku) {
            found.lost += (ordered.min(*pieces) - sold).max(0);
        }
    }

    found.levels_astray = levels_astray(&mut inventory, &accepted.kept.counts.levels).await?;
    found.products_astray = products_astray(shop, &accepted.kept.made).await?
        + imported_astray(shop, &accepted.kept.imports).await?;

    let mut analytics = connect(shop, "behavior-analytics").await?;
    let stored: i64 =
        sqlx::query_scalar("select count(*) from user_event").fetch_one(&mut analytics).await?;
    found.events_lost = i64::try_from(accepted.events).unwrap_or(i64::MAX) - stored;
    Ok(found)
}

/// Of how many SKUs there are not as many pieces as these. That the ledger says the same is looked at by the audit.
async fn levels_astray(
    inventory: &mut PgConnection,
    levels: &[(String, i64)],
) -> Result<usize, Failure> {
    let held: Vec<(String, i64)> =
        sqlx::query_as("select sku, sum(on_hand)::bigint from stock group by sku")
            .fetch_all(inventory)
            .await?;
    let astray = levels.iter().filter(|level| !held.contains(level));
    Ok(astray
        .inspect(|(sku, level)| say::line(format!("  there should be {level} pieces of {sku}")))
        .count())
}

/// How many of these products are not as the last answer said: in the catalogue, or to who searches for them at any instance.
/// What the other services hold of them is looked at by the audit.
async fn products_astray(shop: &Shop, made: &[Made]) -> Result<usize, Failure> {
    let mut catalogue = connect(shop, "product-catalog").await?;
    let products: Vec<(String, i64)> =
        sqlx::query_as("select id::text, version from product where deleted_at is null")
            .fetch_all(&mut catalogue)
            .await?;
    let products: HashMap<String, i64> = products.into_iter().collect();
    let mut astray = 0;
    for Made { id, brand, version } in made {
        let mut is_right = products.get(id) == version.as_ref();
        for search in Whom::Both.of("search-sync") {
            // No brand has a character that would have to be escaped but the space.
            let path = format!("/v1/search?brand={}", brand.replace(' ', "+"));
            let found = shop.get(&search, &path).await?;
            is_right &= found.number("/items/0/version") == *version;
        }
        if !is_right && astray < SHOWN {
            say::line(format!("  product {id} ({brand}) should be of version {version:?}"));
        }
        astray += usize::from(!is_right);
    }
    Ok(astray)
}

/// How many imports did not take all that was in them, and how many of their products are not as the last one said.
async fn imported_astray(shop: &Shop, imports: &Imports) -> Result<usize, Failure> {
    let Some(brand) = &imports.brand else { return Ok(0) };
    let mut catalogue = connect(shop, "product-catalog").await?;
    let (prefix, products) = IMPORTED;
    let right: i64 = sqlx::query_scalar(
        "select count(*) from product p join variant v on v.product_id = p.id
         where starts_with(v.sku, $1) and p.brand = $2 and p.deleted_at is null",
    )
    .bind(prefix)
    .bind(brand)
    .fetch_one(&mut catalogue)
    .await?;
    Ok(imports.broken + products.abs_diff(usize::try_from(right).unwrap_or(0)))
}

/// How many keys of how many listeners have ever gone back, have not come as far as what was said of them, or were never heard of at all.
async fn unheard(shop: &Shop) -> Result<i64, Failure> {
    // By (source, aggregate): the keys, and how far each has come.
    let mut said: HashMap<(String, String), HashMap<String, i64>> = HashMap::new();
    for service in SERVICES {
        let mut connection = connect(shop, service).await?;
        let numbers: Vec<(String, String, i64)> =
            sqlx::query_as("select aggregate, key, last from messaging.sequence")
                .fetch_all(&mut connection)
                .await?;
        for (aggregate, key, last) in numbers {
            said.entry((service.to_owned(), aggregate)).or_default().insert(key, last);
        }
    }
    let ears = ears()?;
    let mut unheard = 0;
    for service in SERVICES {
        let mut connection = connect(shop, service).await?;
        unheard += sqlx::query_scalar::<_, i64>("select count(*) from messaging.went_back")
            .fetch_one(&mut connection)
            .await?;
        let cursors: Vec<(String, String, String, String, i64)> =
            sqlx::query_as("select consumer, source, aggregate, key, last from messaging.cursor")
                .fetch_all(&mut connection)
                .await?;
        // By (consumer, (source, aggregate)): those that should have heard something, too.
        let mut heard: HashMap<(String, (String, String)), HashMap<String, i64>> = HashMap::new();
        for Ear { listener, speaker, aggregate } in &ears {
            if *listener == service {
                let consumer = format!("{listener}.{aggregate}");
                heard.insert((consumer, (speaker.clone(), aggregate.clone())), HashMap::new());
            }
        }
        for (consumer, source, aggregate, key, last) in cursors {
            heard.entry((consumer, (source, aggregate))).or_default().insert(key, last);
        }
        for ((_, speaker), heard) in heard {
            unheard += apart(said.get(&speaker).unwrap_or(&HashMap::new()), &heard);
        }
    }
    Ok(unheard)
}

/// How many keys a listener has not heard of as far as was said of them, or has heard of though nothing was said.
fn apart(said: &HashMap<String, i64>, heard: &HashMap<String, i64>) -> i64 {
    let missing = said.iter().filter(|(key, last)| heard.get(*key) != Some(last)).count();
    let invented = heard.keys().filter(|key| !said.contains_key(*key)).count();
    i64::try_from(missing + invented).unwrap_or(i64::MAX)
}

/// That a service hears what another one says of an aggregate.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Ear {
    listener: String,
    speaker: String,
    aggregate: String,
}

/// Who hears whom, as it is written down of the topologies of all services. Streams are left out: they have no keys.
fn ears() -> Result<HashSet<Ear>, Failure> {
    let path = workspace::root().join("docs/contracts/asyncapi.json");
    let text = fs::read(&path).map_err(Failure::file(&path))?;
    let written: Value =
        serde_json::from_slice(&text).map_err(|source| Failure::Content { path, source })?;
    let operations = written["operations"].as_object().into_iter().flatten();
    // `order.receive.inventory.reservation`, by the channel `inventory.reservation` with its address `reservation.{slot}`.
    let ear = |(name, _): (&String, &Value)| {
        let (listener, channel) = name.split_once(".receive.")?;
        let (speaker, aggregate) = channel.split_once('.')?;
        let address = written["channels"][channel]["address"].as_str()?;
        address.ends_with(".{slot}").then(|| Ear {
            listener: listener.to_owned(),
            speaker: speaker.to_owned(),
            aggregate: aggregate.to_owned(),
        })
    };
    Ok(operations.filter_map(ear).collect())
}

async fn connect(shop: &Shop, service: &str) -> Result<PgConnection, Failure> {
    Ok(PgConnection::connect(shop.databases().url(service)).await?)
}

impl Reckoning {
    /// Tells the figures, each beside what is wanted.
    pub(super) fn tell(&self, figures: &mut Figures) {
        let number = |number: i64| f64::from(i32::try_from(number).unwrap_or(i32::MAX));
        let events = number(i64::try_from(self.events).unwrap_or(i64::MAX));
        figures.take("orders_accepted", whole(self.accepted), Told);
        for (name, status) in [
            ("orders_delivered", "delivered"),
            ("orders_rejected", "rejected"),
            ("orders_payment_failed", "payment_failed"),
            ("orders_expired", "expired"),
            ("orders_cancelled", "cancelled"),
        ] {
            figures.take(name, whole(self.ended.get(status).copied().unwrap_or(0)), Told);
        }
        figures.take("events_accepted", events, Told);
        for (name, figure) in [
            ("imports_accepted", self.imports),
            ("products_made", self.made),
            ("counts_accepted", self.counts),
            ("callbacks_taken", self.callbacks),
        ] {
            figures.take(name, whole(figure), Told);
        }
        for (name, figure) in [
            ("orders_lost", number(self.lost)),
            ("orders_doubled", whole(self.doubled)),
            ("order_of_key_violations", number(self.disordered)),
            ("oversold_units", number(self.oversold)),
            ("events_lost", number(self.events_lost)),
            ("products_astray", whole(self.products_astray)),
            ("levels_astray", whole(self.levels_astray)),
            ("dead_letters", number(self.dead_letters)),
            ("audit_violations", whole(self.violations)),
            ("questions_unanswered", whole(self.unanswered)),
        ] {
            figures.take(name, figure, AtMost(0.0));
        }
    }

    /// Whether everything is as it should be.
    pub(super) fn is_sound(&self) -> bool {
        let Self { lost, disordered, oversold, events_lost, dead_letters, .. } = *self;
        let Self { doubled, products_astray, levels_astray, violations, unanswered, .. } = *self;
        [lost, disordered, oversold, events_lost, dead_letters] == [0; 5]
            && [doubled, products_astray, levels_astray, violations, unanswered] == [0; 5]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Ear, apart, ears};

    #[test]
    fn who_has_heard_nothing_has_missed_everything() {
        let keys = |keys: &[(&str, i64)]| -> HashMap<String, i64> {
            keys.iter().map(|(key, last)| ((*key).to_owned(), *last)).collect()
        };
        let said = keys(&[("a", 3), ("b", 1)]);
        assert_eq!(apart(&said, &said), 0);
        assert_eq!(apart(&said, &keys(&[])), 2);
        assert_eq!(apart(&said, &keys(&[("a", 2), ("b", 1)])), 1);
        assert_eq!(apart(&said, &keys(&[("a", 3), ("b", 1), ("c", 1)])), 1);
        assert_eq!(apart(&keys(&[]), &keys(&[])), 0);
    }

    #[test]
    fn all_who_hear_keys_are_known() {
        let ears = ears().unwrap();
        let ear = |listener: &str, speaker: &str, aggregate: &str| Ear {
            listener: listener.to_owned(),
            speaker: speaker.to_owned(),
            aggregate: aggregate.to_owned(),
        };
        assert!(ears.contains(&ear("order", "inventory", "reservation")));
        assert!(ears.contains(&ear("product-catalog", "search-sync", "receipt")));
        assert!(ears.iter().all(|ear| ear.aggregate != "user-events"));
        assert_eq!(ears.len(), 14);
    }
}
