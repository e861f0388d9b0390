//! Endpoints that receive webhooks.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::WebhookEndpointId;

use super::{MissingColumn, undecodable};
use crate::domain::webhooks::{
    EndpointHealth, EndpointKeys, EndpointStatus, EndpointUrl, SigningKey, SubscribedTypes,
    WebhookEndpoint,
};

/// The columns of `webhook_endpoint` without its keys.
struct EndpointRow {
    id: Uuid,
    url: String,
    description: String,
    event_types: Vec<String>,
    status: String,
    disabled_reason: Option<String>,
    next_probe_at: Option<DateTime<Utc>>,
    failures: i32,
    failing_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

impl TryFrom<EndpointRow> for WebhookEndpoint {
    type Error = sqlx::Error;

    fn try_from(row: EndpointRow) -> Result<Self, sqlx::Error> {
        let health = HealthColumns {
            status: &row.status,
            disabled_reason: row.disabled_reason.as_deref(),
            next_probe_at: row.next_probe_at,
            failures: row.failures,
            failing_since: row.failing_since,
        };
        Ok(Self {
            id: row.id.into(),
            health: health.try_into()?,
            url: EndpointUrl::stored(&row.url).map_err(undecodable)?,
            description: row.description,
            // Types of a newer version are left out.
            event_types: row.event_types.iter().filter_map(|name| name.parse().ok()).collect(),
            created_at: row.created_at,
            changed_at: row.changed_at,
        })
    }
}

/// The columns of the health of an endpoint.
struct HealthColumns<'a> {
    status: &'a str,
    disabled_reason: Option<&'a str>,
    next_probe_at: Option<DateTime<Utc>>,
    failures: i32,
    failing_since: Option<DateTime<Utc>>,
}

#[derive(Debug, thiserror::Error)]
#[error("not the status of an endpoint: {0}")]
struct UnknownStatus(String);

impl TryFrom<HealthColumns<'_>> for EndpointHealth {
    type Error = sqlx::Error;

    fn try_from(columns: HealthColumns<'_>) -> Result<Self, sqlx::Error> {
        let HealthColumns { status, disabled_reason, next_probe_at, failures, failing_since } =
            columns;
        let missing = |column| move || undecodable(MissingColumn(column));
        let status = match status {
            "active" => EndpointStatus::Active,
            "paused" => EndpointStatus::Paused {
                next_probe_at: next_probe_at.ok_or_else(missing("next_probe_at"))?,
            },
            "disabled" => {
                let reason = disabled_reason.ok_or_else(missing("disabled_reason"))?;
                EndpointStatus::Disabled(reason.parse().map_err(undecodable)?)
            }
            other => return Err(undecodable(UnknownStatus(other.to_owned()))),
        };
        Ok(Self { status, failures: failures.try_into().map_err(undecodable)?, failing_since })
    }
}

/// Prevents other transactions from inserting an endpoint, and returns the number of endpoints.
pub(crate) async fn lock_and_count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query!("lock table webhook_endpoint in share row exclusive mode")
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar!(r#"select count(*) as "count!" from webhook_endpoint"#)
        .fetch_one(connection)
        .await
}

pub(crate) async fn insert(
    connection: &mut PgConnection,
    endpoint: &WebhookEndpoint,
    key: &SigningKey,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        insert into webhook_endpoint (id, url, description, event_types, signing_key, created_at, changed_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        endpoint.id.as_uuid(),
        endpoint.url.as_str(),
        endpoint.description,
        &names(endpoint) as &[&str],
        key.as_bytes(),
        endpoint.created_at,
        endpoint.changed_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn names(endpoint: &WebhookEndpoint) -> Vec<&'static str> {
    endpoint.event_types.iter().map(|kind| kind.as_str()).collect()
}

/// All endpoints, oldest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
) -> Result<Vec<WebhookEndpoint>, sqlx::Error> {
    let rows = sqlx::query_as!(
        EndpointRow,
        r#"
        select id, url, description, event_types, status, disabled_reason, next_probe_at, failures, failing_since,
            created_at, changed_at
        from webhook_endpoint order by id
        "#
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(WebhookEndpoint::try_from).collect()
}

pub(crate) async fn get(
    connection: &mut PgConnection,
    id: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, sqlx::Error> {
    let row = sqlx::query_as!(
        EndpointRow,
        r#"
        select id, url, description, event_types, status, disabled_reason, next_probe_at, failures, failing_since,
            created_at, changed_at
        from webhook_endpoint where id = $1
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(WebhookEndpoint::try_from).transpose()
}

/// Like [`get`], and locks the endpoint.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, sqlx::Error> {
    let row = sqlx::query_as!(
        EndpointRow,
        r#"
        select id, url, description, event_types, status, disabled_reason, next_probe_at, failures, failing_since,
            created_at, changed_at
        from webhook_endpoint where id = $1
        for update
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(WebhookEndpoint::try_from).transpose()
}

/// Updates what a client may change.
pub(crate) async fn update(
    connection: &mut PgConnection,
    endpoint: &WebhookEndpoint,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhook_endpoint set url = $2, description = $3, event_types = $4, changed_at = $5 where id = $1",
        endpoint.id.as_uuid(),
        endpoint.url.as_str(),
        endpoint.description,
        &names(endpoint) as &[&str],
        endpoint.changed_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes an endpoint, and returns whether it existed. Nothing reads its deliveries any more; their age deletes them.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    id: WebhookEndpointId,
) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query!("delete from webhook_endpoint where id = $1", id.as_uuid())
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

pub(crate) async fn keys(
    connection: &mut PgConnection,
    id: WebhookEndpointId,
) -> Result<Option<EndpointKeys>, sqlx::Error> {
    let row = sqlx::query!(
        "select signing_key, previous_key, previous_key_expires_at from webhook_endpoint where id = $1",
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| keys_of(row.signing_key, row.previous_key, row.previous_key_expires_at)))
}

fn keys_of(
    current: Vec<u8>,
    previous: Option<Vec<u8>>,
    expires_at: Option<DateTime<Utc>>,
) -> EndpointKeys {
    let previous = previous.map(SigningKey::new).zip(expires_at);
    EndpointKeys { current: SigningKey::new(current), previous }
}

pub(crate) async fn set_keys(
    connection: &mut PgConnection,
    id: WebhookEndpointId,
    keys: &EndpointKeys,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let previous = keys.previous.as_ref();
    sqlx::query!(
        r#"
        update webhook_endpoint
        set signing_key = $2, previous_key = $3, previous_key_expires_at = $4, changed_at = $5
        where id = $1
        "#,
        id.as_uuid(),
        keys.current.as_bytes(),
        previous.map(|(key, _)| key.as_bytes()),
        previous.map(|(_, expires_at)| *expires_at),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks those of `endpoints` that exist, and returns their health.
pub(crate) async fn lock_health(
    connection: &mut PgConnection,
    endpoints: &[WebhookEndpointId],
) -> Result<Vec<(WebhookEndpointId, EndpointHealth)>, sqlx::Error> {
    let ids: Vec<Uuid> = endpoints.iter().map(|endpoint| endpoint.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"
        select id, status, disabled_reason, next_probe_at, failures, failing_since
        from webhook_endpoint where id = any($1)
        order by id
        for update
        "#,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let healths = rows.into_iter().map(|row| {
        let health = HealthColumns {
            status: &row.status,
            disabled_reason: row.disabled_reason.as_deref(),
            next_probe_at: row.next_probe_at,
            failures: row.failures,
            failing_since: row.failing_since,
        };
        Ok((row.id.into(), health.try_into()?))
    });
    healths.collect()
}

pub(crate) async fn set_health(
    connection: &mut PgConnection,
    id: WebhookEndpointId,
    health: EndpointHealth,
) -> Result<(), sqlx::Error> {
    let (next_probe_at, reason) = match health.status {
        EndpointStatus::Active => (None, None),
        EndpointStatus::Paused { next_probe_at } => (Some(next_probe_at), None),
        EndpointStatus::Disabled(reason) => (None, Some(reason.as_str())),
    };
    sqlx::query!(
        r#"
        update webhook_endpoint
        set status = $2, next_probe_at = $3, disabled_reason = $4, failures = $5, failing_since = $6
        where id = $1
        "#,
        id.as_uuid(),
        health.status.as_str(),
        next_probe_at,
        reason,
        i32::try_from(health.failures).unwrap_or(i32::MAX),
        health.failing_since,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The types that an endpoint subscribes to.
pub(crate) async fn subscribed_types(
    connection: &mut PgConnection,
) -> Result<SubscribedTypes, sqlx::Error> {
    let names = sqlx::query_scalar!(
        r#"select distinct unnest(event_types) as "name!" from webhook_endpoint where status <> 'disabled'"#
    )
    .fetch_all(connection)
    .await?;
    Ok(SubscribedTypes::of(names.iter().map(String::as_str)))
}

/// An endpoint that is not disabled, and what waits for it.
#[derive(Debug)]
pub(crate) struct OpenEndpoint {
    pub(crate) id: WebhookEndpointId,
    pub(crate) url: EndpointUrl,
    pub(crate) keys: EndpointKeys,
    pub(crate) health: EndpointHealth,
    /// Whether a delivery is due that no process is sending.
    pub(crate) has_due: bool,
    /// When the next delivery after those is due.
    pub(crate) next_due_at: Option<DateTime<Utc>>,
}

pub(crate) async fn open_endpoints(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<OpenEndpoint>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select e.id, e.url, e.signing_key, e.previous_key, e.previous_key_expires_at, e.status, e.next_probe_at, e.failures,
            e.failing_since,
            exists (
                select from webhook_delivery d
                where d.endpoint_id = e.id and d.status = 'pending' and d.finished_at is null and d.next_attempt_at <= $1
                    and (d.claimed_until is null or d.claimed_until <= $1)
            ) as "has_due!",
            (
                select min(d.next_attempt_at) from webhook_delivery d
                where d.endpoint_id = e.id and d.status = 'pending' and d.finished_at is null and d.next_attempt_at > $1
            ) as next_due_at
        from webhook_endpoint e
        where e.status <> 'disabled'
        order by e.id
        "#,
        now,
    )
    .fetch_all(connection)
    .await?;
    let endpoints = rows.into_iter().map(|row| {
        let health = HealthColumns {
            status: &row.status,
            disabled_reason: None,
            next_probe_at: row.next_probe_at,
            failures: row.failures,
            failing_since: row.failing_since,
        };
        Ok(OpenEndpoint {
            id: row.id.into(),
            url: EndpointUrl::stored(&row.url).map_err(undecodable)?,
            keys: keys_of(row.signing_key, row.previous_key, row.previous_key_expires_at),
            health: health.try_into()?,
            has_due: row.has_due,
            next_due_at: row.next_due_at,
        })
    });
    endpoints.collect()
}
