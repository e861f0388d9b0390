//! Reports, computed from the stored events on request.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::report::{DailyEvents, DailyVerdict, EventConservation, ProductActivity};

/// The events that were received at or after `from` and before `to`, by day and kind.
pub(crate) async fn daily_events(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<DailyEvents>, sqlx::Error> {
    sqlx::query_as!(
        DailyEvents,
        r#"
        select
            day as "day!",
            kind,
            sum(events)::bigint as "events!",
            sum(counted)::bigint as "counted!",
            count(*) as "visitors!"
        from (
            select
                (received_at at time zone 'utc')::date as day,
                kind,
                visitor_id,
                count(*) as events,
                count(*) filter (where verdict = 'counted') as counted
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

/// The verdicts on the events that were received at or after `from` and before `to`, by day.
pub(crate) async fn verdicts(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<DailyVerdict>, sqlx::Error> {
    sqlx::query_as!(
        DailyVerdict,
        r#"
        select
            (received_at at time zone 'utc')::date as "day!",
            verdict,
            signed,
            count(*) as "events!",
            sum(weight) as "weight!"
        from user_event
        where received_at >= $1 and received_at < $2
        group by 1, 2, 3
        order by 1, 2, 3
        "#,
        from,
        to,
    )
    .fetch_all(connection)
    .await
}

/// The `limit` products with the most activity. A paid order counts as ten views, a cart as four. Events that
/// a rule excludes do not count.
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
            select e.kind, e.product_id
            from user_event e
            join product p on p.product_id = e.product_id
            where
                e.received_at >= $1 and e.received_at < $2 and e.verdict in ('counted', 'unknown_product')
                and e.kind in ('product_viewed', 'product_clicked', 'cart_added')
            union all
            select 'order', o.product_id
            from basket b
            cross join lateral unnest(b.products) as o (product_id)
            where b.bought_at >= $1 and b.bought_at < $2
        )
        select
            product_id as "product_id!",
            count(*) filter (where kind = 'product_viewed') as "views!",
            count(*) filter (where kind = 'product_clicked') as "clicks!",
            count(*) filter (where kind = 'cart_added') as "carts!",
            count(*) filter (where kind = 'order') as "orders!"
        from activity
        group by product_id
        order by sum(case kind when 'order' then 10 when 'cart_added' then 4 else 1 end) desc, product_id
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
