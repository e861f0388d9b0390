//! Reports, computed from the stored events when they are asked for.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The events of one kind on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyEvents {
    /// The day, in UTC, on which the door took them in.
    pub day: NaiveDate,
    /// Their kind.
    pub kind: String,
    /// How many.
    pub events: i64,
    /// By how many visitors.
    pub visitors: i64,
}

/// The events that were taken in at or after `from` and before `to`, by day and kind.
pub async fn daily_events(
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

/// What people did with a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopProduct {
    /// Which.
    pub product_id: Uuid,
    /// How often its page was shown.
    pub views: i64,
    /// How often it was clicked in a list.
    pub clicks: i64,
    /// How often it was put into a cart.
    pub carts: i64,
    /// In how many orders it was.
    pub orders: i64,
}

/// The `limit` products that people did most with, an order counting more than a cart, and a cart more than a view.
pub async fn top_products(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<TopProduct>, sqlx::Error> {
    sqlx::query_as!(
        TopProduct,
        r#"
        with touched as (
            select kind, product_id
            from user_event
            where received_at >= $1 and received_at < $2 and kind <> 'order_completed' and product_id is not null
            union all
            select e.kind, o.product_id
            from user_event e
            cross join lateral (
                select e.product_id where e.product_id is not null
                union
                -- The door takes other spellings of a UUID too, which PostgreSQL does not read.
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
        from touched
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

/// What became of every event that stood in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conservation {
    /// How many were read.
    pub received: i64,
    /// How many of them were stored.
    pub stored: i64,
    /// How many were stored before.
    pub duplicates: i64,
    /// How many are of visitors who were erased.
    pub dropped: i64,
    /// How many of the stored ones are there now.
    pub kept: i64,
    /// How many went with their visitors.
    pub erased: i64,
    /// How many went because they grew old.
    pub expired: i64,
}

impl Conservation {
    /// Whether none is lost and none is counted twice.
    pub const fn holds(&self) -> bool {
        self.received == self.stored + self.duplicates + self.dropped
            && self.stored == self.kept + self.erased + self.expired
    }
}

/// What became of every event, as of one instant.
pub async fn conservation(connection: &mut PgConnection) -> Result<Conservation, sqlx::Error> {
    sqlx::query_as!(
        Conservation,
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
