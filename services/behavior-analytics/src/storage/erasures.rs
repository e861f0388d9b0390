//! Erased visitors.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::write_locks;
use crate::domain::identity::VisitorId;

/// Deletes a visitor's events and baskets, and records the erasure, so that later events of the visitor are
/// dropped. Returns the number of the erasure. Requires a transaction.
pub(crate) async fn erase(
    connection: &mut PgConnection,
    visitor: &VisitorId,
    at: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    write_locks::lock_erasures(&mut *connection).await?;
    // A customer's id is also the visitor id.
    if let Some(customer) = visitor.customer() {
        sqlx::query!("delete from basket where customer_id = $1", customer.as_uuid())
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query_scalar!(
        r#"
        with deleted as (
            delete from user_event where visitor_id = $1 returning 1
        )
        insert into erasure as e (visitor_id, events, erased_at)
        select $1, count(*), $2 from deleted
        on conflict (visitor_id) do update set events = e.events + excluded.events
        returning no
        "#,
        visitor.as_str(),
        at,
    )
    .fetch_one(connection)
    .await
}

/// The number of the newest erasure; 0 if there is none.
pub(crate) async fn newest(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select coalesce(max(no), 0) as "no!" from erasure"#)
        .fetch_one(connection)
        .await
}

/// The first `limit` erasures with a number greater than `after`. The visitor is `None` if the stored id is
/// not valid; the model has learned nothing from such a visitor.
pub(crate) async fn after(
    connection: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Option<VisitorId>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select no, visitor_id from erasure where no > $1 order by no limit $2",
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.no, VisitorId::parse(&row.visitor_id).ok())).collect())
}
