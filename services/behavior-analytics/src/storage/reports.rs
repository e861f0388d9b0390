//! Reports, computed from the stored events on request.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::report::{DailyEvents, EventConservation, ProductActivity};

/// The events that were received at or after `from` and before `to`, by day and kind.
pub(crate) async fn daily_events(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<DailyEvents>, sqlx::Error> {
    sqlx::query_as!(
        DailyEvents,
        r#"
        select day as "day!", kind, sum(events)::bigint as "events!", count(*) as "visitors!"
        from (
            select (received_at at time zone 'utc')::date as day, kind, visitor_id, count(*) as events
            from user_event
            where received_at >= $1 and received_at < $2
            group by 1, 2, 3
        ) of_visitor
        group by day, kind
        order by day, kind
        "#,
        from,
        to,
    )
    .fetch_all(connection)
    .await
}

/// The `limit` products with the most activity. An order counts as ten views, a cart as four.
pub(crate) async fn top_products(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<ProductActivity>, sqlx::Error> {
    sqlx::query_as!(
        ProductActivity,
        r#"
        with activity as (
            select kind, product_id
            from user_event
            where received_at >= $1 and received_at < $2 and kind <> 'order_completed' and product_id is not null
            union all
            select e.kind, o.product_id
            from user_event e
            cross join lateral (
                select e.product_id where e.product_id is not null
                union
                -- POST /v1/events also accepts spellings of a UUID that PostgreSQL cannot parse; those are skipped.
                select case when id ~* '^[0-9a-f-]{32,36}$' then id::uuid end
                from jsonb_array_elements_text(e.properties -> 'product_ids') as id
            ) o (product_id)
            where e.received_at >= $1 and e.received_at < $2 and e.kind = 'order_completed' and o.product_id is not null
        )
        select
            product_id as "product_id!",
            count(*) filter (where kind = 'product_viewed') as "views!",
            count(*) filter (where kind = 'product_clicked') as "clicks!",
            count(*) filter (where kind = 'cart_added') as "carts!",
            count(*) filter (where kind = 'order_completed') as "orders!"
        from activity
        group by product_id
        order by
            sum(case kind when 'order_completed' then 10 when 'cart_added' then 4 when 'cart_removed' then 0 else 1 end) desc,
            product_id
        limit $3
        "#,
        from,
        to,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The outcomes of all events, read in one snapshot.
pub(crate) async fn conservation(
    connection: &mut PgConnection,
) -> Result<EventConservation, sqlx::Error> {
    sqlx::query_as!(
        EventConservation,
        r#"
        select
            coalesce(sum(received), 0)::bigint as "received!",
            coalesce(sum(stored), 0)::bigint as "stored!",
            coalesce(sum(duplicates), 0)::bigint as "duplicates!",
            coalesce(sum(dropped), 0)::bigint as "dropped!",
            (select count(*) from user_event) as "kept!",
            (select coalesce(sum(events), 0)::bigint from erasure) as "erased!",
            coalesce(sum(expired), 0)::bigint as "expired!"
        from intake_count
        "#,
    )
    .fetch_one(connection)
    .await
}
