//! How often bounded promotions were used.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{CustomerId, OrderId, PromotionId};

use crate::domain::costs::PromotionUses;

/// The uses of promotions by customers. Until the end of the transaction no other transaction counts uses of the same
/// promotions: of several orders at once each counts the others.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    wanted: &[(PromotionId, CustomerId)],
) -> Result<PromotionUses, sqlx::Error> {
    let promotions: Vec<Uuid> = wanted.iter().map(|(promotion, _)| promotion.as_uuid()).collect();
    // Sorted, so that two transactions never deadlock.
    sqlx::query!(
        "select promotion_id from promotion_counter where promotion_id = any($1) order by promotion_id for update",
        &promotions,
    )
    .fetch_all(&mut *connection)
    .await?;
    // A statement of its own: it sees what the transactions before have committed.
    read(connection, wanted).await
}

/// The uses of promotions by customers, at this moment.
pub(crate) async fn read(
    connection: &mut PgConnection,
    wanted: &[(PromotionId, CustomerId)],
) -> Result<PromotionUses, sqlx::Error> {
    let promotions: Vec<Uuid> = wanted.iter().map(|(promotion, _)| promotion.as_uuid()).collect();
    let customers: Vec<Uuid> = wanted.iter().map(|(_, customer)| customer.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"
        select c.promotion_id, c.uses, w.customer_id as "customer_id!",
            (
                select count(*) from promotion_use u
                where u.promotion_id = c.promotion_id and u.customer_id = w.customer_id
            ) as "own!"
        from (select distinct * from unnest($1::uuid[], $2::uuid[])) as w (promotion_id, customer_id)
        join promotion_counter c on c.promotion_id = w.promotion_id
        "#,
        &promotions,
        &customers,
    )
    .fetch_all(connection)
    .await?;
    let mut uses = PromotionUses::default();
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    for row in rows {
        let promotion = row.promotion_id.into();
        uses.set_total(promotion, number(row.uses));
        uses.set_by_customer(promotion, row.customer_id.into(), number(row.own));
    }
    Ok(uses)
}

/// How many orders use each of `promotions`.
pub(crate) async fn totals(
    connection: &mut PgConnection,
    promotions: &[PromotionId],
) -> Result<HashMap<PromotionId, u64>, sqlx::Error> {
    let ids: Vec<Uuid> = promotions.iter().map(|promotion| promotion.as_uuid()).collect();
    let rows = sqlx::query!(
        "select promotion_id, uses from promotion_counter where promotion_id = any($1)",
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let total = |uses: i64| u64::try_from(uses).unwrap_or_default();
    Ok(rows.into_iter().map(|row| (row.promotion_id.into(), total(row.uses))).collect())
}

/// Counts orders as uses of promotions, whose counters are locked.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    uses: &[(PromotionId, OrderId, CustomerId)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let promotions: Vec<Uuid> = uses.iter().map(|(promotion, ..)| promotion.as_uuid()).collect();
    let orders: Vec<Uuid> = uses.iter().map(|(_, order, _)| order.as_uuid()).collect();
    let customers: Vec<Uuid> = uses.iter().map(|(.., customer)| customer.as_uuid()).collect();
    sqlx::query!(
        r#"
        with used as (
            insert into promotion_use (promotion_id, order_id, customer_id, used_at)
            select *, $4 from unnest($1::uuid[], $2::uuid[], $3::uuid[])
            returning promotion_id
        )
        update promotion_counter c set uses = c.uses + u.orders
        from (select promotion_id, count(*) as orders from used group by promotion_id) u
        where c.promotion_id = u.promotion_id
        "#,
        &promotions,
        &orders,
        &customers,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// No longer counts orders, whose rows are locked, as uses of promotions.
pub(crate) async fn release(
    connection: &mut PgConnection,
    uses: &[(PromotionId, OrderId)],
) -> Result<(), sqlx::Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let promotions: Vec<Uuid> = uses.iter().map(|(promotion, _)| promotion.as_uuid()).collect();
    let orders: Vec<Uuid> = uses.iter().map(|(_, order)| order.as_uuid()).collect();
    // The counters are locked in the order of their keys, so that two transactions never deadlock.
    sqlx::query!(
        r#"
        with counter as materialized (
            select promotion_id from promotion_counter where promotion_id = any($1) order by promotion_id for update
        ), released as (
            delete from promotion_use
            where (promotion_id, order_id) in (select * from unnest($1::uuid[], $2::uuid[]))
            returning promotion_id
        )
        update promotion_counter c set uses = c.uses - r.orders
        from counter
        join (select promotion_id, count(*) as orders from released group by promotion_id) r using (promotion_id)
        where c.promotion_id = counter.promotion_id
        "#,
        &promotions,
        &orders,
    )
    .execute(connection)
    .await?;
    Ok(())
}
