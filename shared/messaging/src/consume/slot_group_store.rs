//! Rows of `messaging.slot_groups`: what the replicas of a service use, and have used.

use sqlx::PgConnection;

use crate::{error::Error, slot_groups::DEFAULT_SLOT_GROUPS};

/// Records that this replica uses these numbers of slot groups, and returns all that are recorded. Those that were not used for a week
/// are forgotten if a larger one is in use: they have no queue of their own. Of an aggregate without a record, releases before this one
/// have used the default.
pub(super) async fn register(
    connection: &mut PgConnection,
    aggregates: &[&str],
    groups: &[i16],
) -> Result<Vec<(String, i16)>, Error> {
    sqlx::query!(
        r#"
        insert into messaging.slot_groups (aggregate, groups)
        select u.aggregate, $2 from unnest($1::text[]) as u (aggregate)
        where not exists (select from messaging.slot_groups s where s.aggregate = u.aggregate)
        order by u.aggregate
        on conflict do nothing
        "#,
        aggregates as &[&str],
        i16::from(DEFAULT_SLOT_GROUPS),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"
        with registered as (
            insert into messaging.slot_groups (aggregate, groups)
            select aggregate, groups from unnest($1::text[], $2::smallint[]) as u (aggregate, groups)
            order by aggregate, groups
            on conflict (aggregate, groups) do update set used_at = now()
            returning aggregate, groups
        )
        delete from messaging.slot_groups s using registered r
        where s.aggregate = r.aggregate and s.groups < r.groups and s.used_at < now() - interval '7 days'
        "#,
        aggregates as &[&str],
        groups,
    )
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query!("select aggregate, groups from messaging.slot_groups")
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.aggregate, row.groups)).collect())
}

/// Records that queues of a larger number of slot groups exist.
pub(super) async fn add(
    connection: &mut PgConnection,
    aggregate: &str,
    groups: i16,
) -> Result<(), Error> {
    sqlx::query!(
        "insert into messaging.slot_groups (aggregate, groups) values ($1, $2) on conflict do nothing",
        aggregate,
        groups,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets larger numbers of slot groups than `groups`, and these queues of theirs, which exist no longer.
pub(super) async fn forget_above(
    connection: &mut PgConnection,
    aggregate: &str,
    groups: i16,
    queues: &[String],
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        with unassigned as (delete from messaging.queue_assignment where queue = any($3))
        delete from messaging.slot_groups where aggregate = $1 and groups > $2
        "#,
        aggregate,
        groups,
        queues,
    )
    .execute(connection)
    .await?;
    Ok(())
}
