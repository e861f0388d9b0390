//! Customers whose orders overtake others under a backlog.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::CustomerId;

/// Grows with every change of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PriorityRevision(pub(crate) i64);

/// A customer with priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriorityCustomer {
    pub(crate) customer: CustomerId,
    pub(crate) added_at: DateTime<Utc>,
    /// The subject of a token.
    pub(crate) added_by: String,
}

/// All customers with priority, and the revision of the list.
pub(crate) async fn load(
    connection: &mut PgConnection,
) -> Result<(PriorityRevision, HashSet<CustomerId>), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select r.revision, c.customer_id as "customer_id?"
        from priority_customer_revision r
        left join priority_customer c on true
        "#
    )
    .fetch_all(connection)
    .await?;
    let revision = rows.first().map(|row| PriorityRevision(row.revision));
    let revision = revision.ok_or(sqlx::Error::RowNotFound)?;
    let customers = rows.into_iter().filter_map(|row| Some(row.customer_id?.into()));
    Ok((revision, customers.collect()))
}

/// Adds a customer, unless there are `limit` already. Returns whether the customer is listed now.
pub(crate) async fn add(
    connection: &mut PgConnection,
    customer: CustomerId,
    added_by: &str,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        with added as (
            insert into priority_customer (customer_id, added_by, added_at)
            select $1::uuid, $2::text, $3::timestamptz where (select count(*) from priority_customer) < $4::bigint
            on conflict do nothing
            returning customer_id
        ), changed as (
            update priority_customer_revision set revision = revision + 1 where exists (select from added)
        )
        select exists (select from added) or exists (select from priority_customer where customer_id = $1::uuid) as "listed!"
        "#,
        customer.as_uuid(),
        added_by,
        at,
        limit,
    )
    .fetch_one(connection)
    .await
}

/// Removes customers; those that are not listed change nothing.
pub(crate) async fn remove(
    connection: &mut PgConnection,
    customers: &[CustomerId],
) -> Result<(), sqlx::Error> {
    let customers: Vec<Uuid> = customers.iter().map(|customer| customer.as_uuid()).collect();
    sqlx::query!(
        r#"
        with removed as (
            delete from priority_customer where customer_id = any($1) returning customer_id
        )
        update priority_customer_revision set revision = revision + 1 where exists (select from removed)
        "#,
        &customers,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// At most `limit` customers after this one, in the order of their ids.
pub(crate) async fn list(
    connection: &mut PgConnection,
    after: Option<CustomerId>,
    limit: i64,
) -> Result<Vec<PriorityCustomer>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select customer_id, added_by, added_at from priority_customer
        where customer_id > $1 order by customer_id limit $2
        "#,
        after.map_or(Uuid::nil(), CustomerId::as_uuid),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let customer = rows.into_iter().map(|row| PriorityCustomer {
        customer: row.customer_id.into(),
        added_by: row.added_by,
        added_at: row.added_at,
    });
    Ok(customer.collect())
}
