//! Rows of `messaging.cursor`: how far each consumer has processed each key.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;

use super::{
    plan::{Hold, Position},
    received_event::Key,
};
use crate::error::Error;

/// Locks the cursors of `keys` in key order and returns them. Keys without a row are omitted.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    keys: &BTreeSet<Key>,
) -> Result<HashMap<Key, Position>, Error> {
    let (sources, names): (Vec<&str>, Vec<&str>) =
        keys.iter().map(|(source, key)| (source.as_str(), key.as_str())).unzip();
    let rows = sqlx::query!(
        r#"
        select source as "source!", key as "key!", last as "last!", hold as "hold!"
        from messaging.lock_cursors($1, $2, $3, $4)
        "#,
        consumer,
        aggregate,
        &sources as &[&str],
        &names as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let position = |last, hold: &str| Position { last, hold: parse(hold) };
    Ok(rows.into_iter().map(|row| ((row.source, row.key), position(row.last, &row.hold))).collect())
}

/// Reads the cursors of `keys` without locking them. Keys without a row are omitted. A replay that pauses the consumers waits for the
/// end of the transaction, as after [`lock`].
pub(super) async fn read(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    keys: &BTreeSet<Key>,
) -> Result<HashMap<Key, Position>, Error> {
    sqlx::query!("lock table messaging.cursor in row share mode").execute(&mut *connection).await?;
    let mut positions = HashMap::with_capacity(keys.len());
    for (source, key) in keys {
        let row = sqlx::query!(
            "select last, hold from messaging.cursor where consumer = $1 and source = $2 and aggregate = $3 and key = $4",
            consumer,
            source,
            aggregate,
            key,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = row {
            let position = Position { last: row.last, hold: parse(&row.hold) };
            positions.insert((source.clone(), key.clone()), position);
        }
    }
    Ok(positions)
}

/// Whether events of these keys are missing before these numbers: the first ones of a batch.
pub(super) async fn has_gap(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    first: &HashMap<Key, i64>,
) -> Result<bool, Error> {
    let (mut sources, mut keys, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for ((source, key), number) in first {
        sources.push(source.as_str());
        keys.push(key.as_str());
        numbers.push(*number);
    }
    let has_gap = sqlx::query_scalar!(
        r#"
        select exists (
            select from unnest($3::text[], $4::text[], $5::bigint[]) as u (source, key, number)
            left join lateral (
                select c.last from messaging.cursor c
                where c.consumer = $1 and c.source = u.source and c.aggregate = $2 and c.key = u.key
                limit 1
            ) known on true
            where u.number > coalesce(known.last, 0) + 1
        ) as "has_gap!"
        "#,
        consumer,
        aggregate,
        &sources as &[&str],
        &keys as &[&str],
        &numbers,
    );
    Ok(has_gap.fetch_one(connection).await?)
}

/// Saves the cursors that have moved. If a key without a row has one now, another process has taken over:
/// then the transaction must be rolled back.
pub(crate) async fn save(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    before: &HashMap<Key, Position>,
    after: &HashMap<Key, Position>,
) -> Result<(), Error> {
    let moved = after.iter().filter(|(key, position)| before.get(*key) != Some(position));
    let (known, new): (Vec<_>, Vec<_>) = moved.partition(|(key, _)| before.contains_key(*key));
    if !known.is_empty() {
        // The rows exist and are locked. An upsert finds each row by its key, whatever statistics the planner
        // has.
        let Columns { sources, keys, lasts, holds } = Columns::of(&known);
        sqlx::query!(
            r#"
            insert into messaging.cursor as c (consumer, aggregate, source, key, last, hold)
            select $1, $2, u.*
            from unnest($3::text[], $4::text[], $5::bigint[], $6::text[]) as u (source, key, last, hold)
            on conflict (consumer, source, aggregate, key) do update set last = excluded.last, hold = excluded.hold
            "#,
            consumer,
            aggregate,
            &sources as &[&str],
            &keys as &[&str],
            &lasts,
            &holds as &[&str],
        )
        .execute(&mut *connection)
        .await?;
    }
    if !new.is_empty() {
        let Columns { sources, keys, lasts, holds } = Columns::of(&new);
        let inserted = sqlx::query!(
            r#"
            insert into messaging.cursor (consumer, aggregate, source, key, last, hold)
            select $1, $2, u.*
            from unnest($3::text[], $4::text[], $5::bigint[], $6::text[]) as u (source, key, last, hold)
            order by source, key
            on conflict do nothing
            "#,
            consumer,
            aggregate,
            &sources as &[&str],
            &keys as &[&str],
            &lasts,
            &holds as &[&str],
        )
        .execute(connection)
        .await?;
        if inserted.rows_affected() != u64::try_from(new.len()).unwrap_or(u64::MAX) {
            return Err(Error::Superseded("a consumer's keys"));
        }
    }
    Ok(())
}

/// Positions as parallel arrays.
struct Columns<'a> {
    sources: Vec<&'a str>,
    keys: Vec<&'a str>,
    lasts: Vec<i64>,
    holds: Vec<&'static str>,
}

impl<'a> Columns<'a> {
    fn of(positions: &[(&'a Key, &Position)]) -> Self {
        Self {
            sources: positions.iter().map(|(key, _)| key.0.as_str()).collect(),
            keys: positions.iter().map(|(key, _)| key.1.as_str()).collect(),
            lasts: positions.iter().map(|(_, position)| position.last).collect(),
            holds: positions.iter().map(|(_, position)| text(position.hold)).collect(),
        }
    }
}

const fn text(hold: Hold) -> &'static str {
    match hold {
        Hold::Free => "free",
        Hold::Parked => "parked",
        Hold::Blocked => "blocked",
    }
}

/// Parses the column. A check constraint admits no other values.
fn parse(text: &str) -> Hold {
    match text {
        "parked" => Hold::Parked,
        "blocked" => Hold::Blocked,
        _ => Hold::Free,
    }
}
