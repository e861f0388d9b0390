//! Visitors who were erased.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::turns;
use crate::domain::event::VisitorId;

/// Deletes what is stored of a visitor, and notes that nothing of theirs is to be stored again. Answers the number of
/// the erasure. `connection` is in a transaction.
pub async fn erase(
    connection: &mut PgConnection,
    visitor: &VisitorId,
    at: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    turns::take_erasures(&mut *connection).await?;
    // A customer is a visitor whose id is known to the order service.
    if let Ok(customer) = Uuid::parse_str(visitor.as_str()) {
        sqlx::query!("delete from basket where customer_id = $1", customer)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query_scalar!(
        r#"
        with gone as (
            delete from user_event where visitor_id = $1 returning 1
        )
        insert into erasure as e (visitor_id, events, erased_at)
        select $1, count(*), $2 from gone
        on conflict (visitor_id) do update set events = e.events + excluded.events
        returning no
        "#,
        visitor.as_str(),
        at,
    )
    .fetch_one(connection)
    .await
}

/// The number of the newest erasure; zero if there is none.
pub async fn newest(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select coalesce(max(no), 0) as "no!" from erasure"#)
        .fetch_one(connection)
        .await
}

/// The next `limit` erasures behind the number `after`: the number and the visitor of each; none if it is not a visitor by
/// today's rules, of whom then nothing is known either.
pub async fn after(
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
