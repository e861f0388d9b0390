//! Messages to webhook endpoints, and their deliveries.
//!
//! The first pending delivery of a key is the only one that may be claimed, so the messages of a key are sent one after the
//! other, by whatever process. A claim expires, so a process that dies delays its deliveries and loses none.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;
use vocabulary::{WebhookEndpointId, WebhookMessageId};

use super::json_columns::AttemptJson;
use crate::domain::webhooks::{Attempt, DeliveryStatus, WebhookMessage};

/// The maximum number of attempts in a history; older ones are dropped.
const MAX_HISTORY: i32 = 20;

/// Inserts messages, with a delivery to each endpoint that subscribes to their types and is not disabled. A message without
/// such an endpoint is not inserted.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    messages: &[WebhookMessage],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id.as_uuid()).collect();
    let types: Vec<&str> = messages.iter().map(|message| message.event_type.as_str()).collect();
    let keys: Vec<&str> = messages.iter().map(|message| message.key.as_str()).collect();
    let bodies: Vec<&[u8]> = messages.iter().map(|message| message.body.as_slice()).collect();
    let times: Vec<DateTime<Utc>> = messages.iter().map(|message| message.occurred_at).collect();
    // A message whose key has a pending one is due with that: if an endpoint fails, the worker need not look at it before.
    sqlx::query!(
        r#"
        with new as (
            select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[])
                with ordinality as u (id, event_type, key, body, occurred_at, place)
        ), message as (
            insert into webhook_message (id, event_type, body, occurred_at, created_at)
            select id, event_type, body, occurred_at, $6 from new
            where exists (
                select from webhook_endpoint e where e.status <> 'disabled' and new.event_type = any(e.event_types)
            )
        )
        insert into webhook_delivery (
            endpoint_id, message_id, key, status, in_order, started_at, next_attempt_at
        )
        select e.id, new.id, new.key, 'pending', true, $6,
            coalesce((
                select max(d.next_attempt_at) from webhook_delivery d
                where d.endpoint_id = e.id and d.key = new.key and d.status = 'pending' and d.in_order
            ), $6)
        from new
        join webhook_endpoint e on e.status <> 'disabled' and new.event_type = any(e.event_types)
        order by new.place, e.id
        "#,
        &ids,
        &types as &[&str],
        &keys as &[&str],
        &bodies as &[&[u8]],
        &times,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A delivery that this process alone may send until its claim expires.
#[derive(Debug)]
pub(crate) struct ClaimedDelivery {
    pub(crate) endpoint: WebhookEndpointId,
    pub(crate) message: WebhookMessageId,
    pub(crate) claim: Uuid,
    pub(crate) key: String,
    pub(crate) position: i64,
    pub(crate) in_order: bool,
    /// Attempts before this one.
    pub(crate) attempts: i32,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) body: Vec<u8>,
}

/// Claims at most `limit` deliveries of an endpoint that are due, until `until`. The condition on `finished_at` selects the
/// index of what is due, and keeps it away from the search for earlier deliveries.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    endpoint: WebhookEndpointId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<ClaimedDelivery>, sqlx::Error> {
    let claim = Uuid::now_v7();
    let rows = sqlx::query!(
        r#"
        update webhook_delivery d
        set claim = $5, claimed_until = $3
        from (
            select c.message_id
            from webhook_delivery c
            where c.endpoint_id = $1 and c.status = 'pending' and c.finished_at is null and c.next_attempt_at <= $2
                and (c.claimed_until is null or c.claimed_until <= $2)
                and (not c.in_order or not exists (
                    select from webhook_delivery earlier
                    where earlier.endpoint_id = c.endpoint_id and earlier.key = c.key and earlier.status = 'pending'
                        and earlier.in_order and earlier.position < c.position
                ))
            order by c.next_attempt_at, c.position
            limit $4
            for update of c skip locked
        ) due
        join webhook_message m on m.id = due.message_id
        where d.endpoint_id = $1 and d.message_id = due.message_id
        returning d.message_id, d.key, d.position, d.in_order, d.attempts, d.started_at, m.body
        "#,
        endpoint.as_uuid(),
        now,
        until,
        limit,
        claim,
    )
    .fetch_all(connection)
    .await?;
    let claimed = rows.into_iter().map(|row| ClaimedDelivery {
        endpoint,
        message: row.message_id.into(),
        claim,
        key: row.key,
        position: row.position,
        in_order: row.in_order,
        attempts: row.attempts,
        started_at: row.started_at,
        body: row.body,
    });
    Ok(claimed.collect())
}

/// What follows from an attempt.
#[derive(Debug)]
pub(crate) struct DeliveryUpdate<'a> {
    pub(crate) delivery: &'a ClaimedDelivery,
    pub(crate) attempt: &'a Attempt,
    pub(crate) status: DeliveryStatus,
    /// When it is tried again, if it is pending; otherwise when the next delivery of its key is due.
    pub(crate) next_attempt_at: DateTime<Utc>,
}

/// Records attempts. A delivery whose claim has expired and that another process has claimed stays as it is.
pub(crate) async fn record(
    connection: &mut PgConnection,
    updates: &[DeliveryUpdate<'_>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let deliveries = || updates.iter().map(|update| update.delivery);
    let endpoints: Vec<Uuid> = deliveries().map(|delivery| delivery.endpoint.as_uuid()).collect();
    let messages: Vec<Uuid> = deliveries().map(|delivery| delivery.message.as_uuid()).collect();
    let claims: Vec<Uuid> = deliveries().map(|delivery| delivery.claim).collect();
    let statuses: Vec<&str> = updates.iter().map(|update| update.status.as_str()).collect();
    let times: Vec<DateTime<Utc>> = updates.iter().map(|update| update.next_attempt_at).collect();
    let attempts: Vec<Json<AttemptJson>> =
        updates.iter().map(|update| Json(update.attempt.into())).collect();
    sqlx::query!(
        r#"
        update webhook_delivery d
        set status = u.status, attempts = d.attempts + 1, next_attempt_at = u.next_attempt_at, claim = null,
            claimed_until = null, finished_at = case when u.status = 'pending' then null else $7::timestamptz end,
            history = case when jsonb_array_length(d.history) < $8 then d.history else d.history - 0 end || u.attempt
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::jsonb[])
            as u (endpoint_id, message_id, claim, status, next_attempt_at, attempt)
        where d.endpoint_id = u.endpoint_id and d.message_id = u.message_id and d.claim = u.claim
            and d.status = 'pending'
        "#,
        &endpoints,
        &messages,
        &claims,
        &statuses as &[&str],
        &times,
        &attempts as &[Json<AttemptJson>],
        now,
        MAX_HISTORY,
    )
    .execute(&mut *connection)
    .await?;
    // On the common path no delivery has waited: nothing to move.
    let moved = updates.iter().filter(|update| {
        let is_retried = update.status == DeliveryStatus::Pending || update.delivery.attempts > 0;
        update.delivery.in_order && is_retried
    });
    move_followers(connection, &moved.collect::<Vec<_>>()).await
}

/// Makes the later deliveries of a key due together with the one before them. Without it they would wait longer, or be
/// looked at in vain; their order does not depend on it.
async fn move_followers(
    connection: &mut PgConnection,
    updates: &[&DeliveryUpdate<'_>],
) -> Result<(), sqlx::Error> {
    if updates.is_empty() {
        return Ok(());
    }
    let deliveries = || updates.iter().map(|update| update.delivery);
    let endpoints: Vec<Uuid> = deliveries().map(|delivery| delivery.endpoint.as_uuid()).collect();
    let keys: Vec<&str> = deliveries().map(|delivery| delivery.key.as_str()).collect();
    let positions: Vec<i64> = deliveries().map(|delivery| delivery.position).collect();
    let times: Vec<DateTime<Utc>> = updates.iter().map(|update| update.next_attempt_at).collect();
    let waits: Vec<bool> =
        updates.iter().map(|update| update.status == DeliveryStatus::Pending).collect();
    sqlx::query!(
        r#"
        update webhook_delivery d
        set next_attempt_at = u.next_attempt_at
        from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[], $5::boolean[])
            as u (endpoint_id, key, position, next_attempt_at, waits)
        where d.endpoint_id = u.endpoint_id and d.key = u.key and d.status = 'pending' and d.in_order
            and d.position > u.position
            and case when u.waits then d.next_attempt_at < u.next_attempt_at else d.next_attempt_at > u.next_attempt_at end
        "#,
        &endpoints,
        &keys as &[&str],
        &positions,
        &times,
        &waits,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes all pending deliveries of an endpoint due that wait for a later attempt.
pub(crate) async fn make_due(
    connection: &mut PgConnection,
    endpoint: WebhookEndpointId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        update webhook_delivery set next_attempt_at = $2
        where endpoint_id = $1 and status = 'pending' and finished_at is null and next_attempt_at > $2
        "#,
        endpoint.as_uuid(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Discards at most `limit` pending deliveries of an endpoint, and returns their number.
pub(crate) async fn discard(
    connection: &mut PgConnection,
    endpoint: WebhookEndpointId,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let discarded = sqlx::query!(
        r#"
        update webhook_delivery d
        set status = 'discarded', finished_at = $2, claim = null, claimed_until = null
        from (
            select message_id from webhook_delivery
            where endpoint_id = $1 and status = 'pending' and finished_at is null
            limit $3
            for update skip locked
        ) old
        where d.endpoint_id = $1 and d.message_id = old.message_id
        "#,
        endpoint.as_uuid(),
        now,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(discarded.rows_affected())
}

/// Deletes at most `limit` deliveries that are older than `days` days, and returns their number. It deletes pending ones
/// as well: that old they belong to an endpoint that was disabled or deleted.
pub(crate) async fn delete_older_than(
    connection: &mut PgConnection,
    days: i32,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        r#"
        delete from webhook_delivery d
        using (
            select endpoint_id, message_id from webhook_delivery
            where started_at < now() - make_interval(days => $1)
            order by started_at
            limit $2
        ) old
        where d.endpoint_id = old.endpoint_id and d.message_id = old.message_id
        "#,
        days,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

/// Deletes at most `limit` messages without deliveries that are older than `days` days, and returns their number.
pub(crate) async fn delete_messages_older_than(
    connection: &mut PgConnection,
    days: i32,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        r#"
        delete from webhook_message m
        using (
            select id from webhook_message old
            where created_at < now() - make_interval(days => $1)
                and not exists (select from webhook_delivery d where d.message_id = old.id)
            order by created_at
            limit $2
        ) old
        where m.id = old.id
        "#,
        days,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}
