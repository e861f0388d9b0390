//! The list of erased customers, and what each service has done for them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::CustomerId;

use crate::{domain::OrderStatus, names::SERVICE};

/// Lists customers as erased, with a step for each of `services`. Returns those that were not listed before.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    customers: &[CustomerId],
    requested_by: &str,
    at: DateTime<Utc>,
    services: &[&str],
) -> Result<Vec<CustomerId>, sqlx::Error> {
    let ids: Vec<Uuid> = customers.iter().map(|customer| customer.as_uuid()).collect();
    let listed = sqlx::query_scalar!(
        r#"
        with listed as (
            insert into customer_erasure (customer_id, requested_by, requested_at)
            select distinct id, $2, $3::timestamptz from unnest($1::uuid[]) as erased (id) order by id
            on conflict do nothing
            returning customer_id
        ),
        steps as (
            insert into customer_erasure_step (customer_id, service)
            select customer_id, service from listed, unnest($4::text[]) as s (service)
        )
        select customer_id from listed
        "#,
        &ids,
        requested_by,
        at,
        services as &[&str],
    );
    Ok(listed.fetch_all(connection).await?.into_iter().map(CustomerId::from).collect())
}

/// Marks the steps of at most `limit` customers after `after` as not completed, except those of this service. Returns these
/// customers, sorted.
pub(crate) async fn reopen(
    connection: &mut PgConnection,
    after: Option<CustomerId>,
    limit: i64,
) -> Result<Vec<CustomerId>, sqlx::Error> {
    let customers = sqlx::query_scalar!(
        "select customer_id from customer_erasure where customer_id > $1 order by customer_id limit $2 for update",
        after.map_or(Uuid::nil(), CustomerId::as_uuid),
        limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query!(
        "update customer_erasure_step set completed_at = null where customer_id = any($1) and service <> $2",
        &customers,
        SERVICE.name,
    )
    .execute(connection)
    .await?;
    Ok(customers.into_iter().map(CustomerId::from).collect())
}

/// Records that `service` has erased these customers, each at its time.
pub(crate) async fn complete(
    connection: &mut PgConnection,
    service: &str,
    completed: &[(CustomerId, DateTime<Utc>)],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = completed.iter().map(|(customer, _)| customer.as_uuid()).collect();
    let times: Vec<DateTime<Utc>> = completed.iter().map(|(_, at)| *at).collect();
    sqlx::query!(
        r#"
        update customer_erasure_step s set completed_at = c.at
        from (select id, max(at) as at from unnest($1::uuid[], $2::timestamptz[]) as c (id, at) group by id) c
        where s.customer_id = c.id and s.service = $3
        "#,
        &ids,
        &times,
        service,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks at most `limit` customers after `after` whose addresses this service has not all erased, and returns them, sorted. It
/// skips those that another instance has locked.
pub(crate) async fn lock_pending(
    connection: &mut PgConnection,
    after: Option<CustomerId>,
    limit: i64,
) -> Result<Vec<CustomerId>, sqlx::Error> {
    let pending = sqlx::query_scalar!(
        r#"
        select customer_id from customer_erasure_step
        where service = 'order' and completed_at is null and customer_id > $1
        order by customer_id limit $2
        for update skip locked
        "#,
        after.map_or(Uuid::nil(), CustomerId::as_uuid),
        limit,
    );
    Ok(pending.fetch_all(connection).await?.into_iter().map(CustomerId::from).collect())
}

/// Erases the addresses of the customers' orders that do not need them any more. Only the country stays.
pub(crate) async fn erase_addresses(
    connection: &mut PgConnection,
    customers: &[CustomerId],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = customers.iter().map(|customer| customer.as_uuid()).collect();
    sqlx::query!(
        r#"
        update orders set shipping_address = jsonb_build_object(
            'name', '', 'line1', '', 'city', '', 'country', shipping_address -> 'country', 'erased', true
        )
        where id in (
            select id from orders
            where customer_id = any($1) and status <> all($2) and shipping_address -> 'erased' is null
            order by id
            for update skip locked
        )
        "#,
        &ids,
        &needing_address() as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Erases the addresses in the messages to carriers about the customers' orders that do not need them any more. The messages stay: later
/// ones of their orders wait for them.
pub(crate) async fn erase_messages(
    connection: &mut PgConnection,
    customers: &[CustomerId],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = customers.iter().map(|customer| customer.as_uuid()).collect();
    sqlx::query!(
        r#"
        update webhook_message m
        set body = convert_to((convert_from(m.body, 'UTF8')::jsonb #- '{data,address}')::text, 'UTF8')
        where m.event_type = 'shipment.requested' and convert_from(m.body, 'UTF8')::jsonb -> 'data' ? 'address'
            and m.id in (
                select d.message_id from orders o
                join webhook_delivery d on d.key = o.id::text
                where o.customer_id = any($1) and o.status <> all($2)
            )
        "#,
        &ids,
        &needing_address() as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Completes the step of this service for those of the locked `customers` who have no address left. Returns for how many of the others
/// nothing but time is missing: another transaction has an order locked, or may insert one.
///
/// An order may be inserted by a transaction that has not seen the erasure. So the first call notes which transactions exist, and a
/// later one completes the step once all of them have ended.
pub(crate) async fn complete_without_addresses(
    connection: &mut PgConnection,
    customers: &[CustomerId],
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let ids: Vec<Uuid> = customers.iter().map(|customer| customer.as_uuid()).collect();
    // A horizon of the future is that of another server, from which the database was restored.
    sqlx::query_scalar!(
        r#"
        with step as (
            select s.customer_id,
                horizon <= pg_snapshot_xmin(pg_current_snapshot()) or horizon > pg_snapshot_xmax(pg_current_snapshot()) as has_passed,
                not exists (
                    select from orders o
                    where o.customer_id = s.customer_id and o.shipping_address -> 'erased' is null
                ) as is_clean,
                exists (
                    select from orders o
                    where o.customer_id = s.customer_id and o.status <> all($3) and o.shipping_address -> 'erased' is null
                ) as was_locked,
                exists (
                    select from orders o where o.customer_id = s.customer_id and o.status = any($3)
                ) as is_waiting
            from customer_erasure_step s
            where s.customer_id = any($1) and s.service = 'order'
        ),
        written as (
            update customer_erasure_step s
            set completed_at = case when coalesce(has_passed, false) and is_clean then $2::timestamptz end,
                horizon = coalesce(s.horizon, pg_snapshot_xmax(pg_current_snapshot()))
            from step
            where s.customer_id = step.customer_id and s.service = 'order'
        )
        select count(*) as "count!" from step
        where was_locked or not is_waiting and not (coalesce(has_passed, false) and is_clean)
        "#,
        &ids,
        now,
        &needing_address() as &[&str],
    )
    .fetch_one(connection)
    .await
}

/// An erasure, with what each service has done for it.
#[derive(Debug)]
pub(crate) struct CustomerErasure {
    pub(crate) customer: CustomerId,
    pub(crate) requested_at: DateTime<Utc>,
    /// Orders that still need their address.
    pub(crate) open_orders: i64,
    /// Each service with the time at which it was done.
    pub(crate) steps: Vec<(String, Option<DateTime<Utc>>)>,
}

/// The erasure of a customer, if one was requested.
pub(crate) async fn get(
    connection: &mut PgConnection,
    customer: CustomerId,
) -> Result<Option<CustomerErasure>, sqlx::Error> {
    let erasure = sqlx::query!(
        r#"
        select e.requested_at,
            (select count(*) from orders o where o.customer_id = e.customer_id and o.status = any($2)) as "open_orders!"
        from customer_erasure e where e.customer_id = $1
        "#,
        customer.as_uuid(),
        &needing_address() as &[&str],
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(erasure) = erasure else { return Ok(None) };
    let steps = sqlx::query!(
        "select service, completed_at from customer_erasure_step where customer_id = $1 order by service",
        customer.as_uuid(),
    );
    let steps = steps.fetch_all(connection).await?;
    Ok(Some(CustomerErasure {
        customer,
        requested_at: erasure.requested_at,
        open_orders: erasure.open_orders,
        steps: steps.into_iter().map(|step| (step.service, step.completed_at)).collect(),
    }))
}

/// The statuses in which an order needs its address.
fn needing_address() -> Vec<&'static str> {
    let statuses = OrderStatus::ALL.into_iter().filter(|status| status.needs_address());
    statuses.map(OrderStatus::as_str).collect()
}
