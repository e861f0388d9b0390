//! How much products are sought after.

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, Version};

use super::changes;

/// Writes scores, each product once and sorted, and answers those that were written: what is held in the same or a later
/// version stays as it is.
pub async fn write(
    connection: &mut PgConnection,
    scores: &[(ProductId, Version, f64)],
) -> Result<Vec<Uuid>, sqlx::Error> {
    let products: Vec<Uuid> = scores.iter().map(|(product, ..)| product.as_uuid()).collect();
    let versions: Vec<i64> = scores.iter().map(|(_, version, _)| version.get()).collect();
    let scores: Vec<f64> = scores.iter().map(|(.., score)| *score).collect();
    sqlx::query_scalar!(
        r#"
        insert into product_popularity as p (product_id, version, score)
        select * from unnest($1::uuid[], $2::bigint[], $3::float8[]) as s (product_id, version, score)
        order by product_id
        on conflict (product_id) do update set version = excluded.version, score = excluded.score
        where p.version < excluded.version
        returning product_id
        "#,
        &products,
        &versions,
        &scores,
    )
    .fetch_all(connection)
    .await
}

/// A product whose score in the index may have to change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Which product.
    pub product_id: Uuid,
    /// The score that the index has.
    pub indexed: f64,
    /// The score that was heard last.
    pub score: f64,
}

/// The scores of those of `products` that may be in the index, under the lock of the changes.
pub async fn lock(
    connection: &mut PgConnection,
    products: &[Uuid],
) -> Result<Vec<Scored>, sqlx::Error> {
    // Read only after the lock was had: then none of these products is being written unseen.
    changes::lock(connection).await?;
    sqlx::query_as!(
        Scored,
        r#"
        select d.product_id, d.popularity as indexed, p.score
        from document d join product_popularity p on p.product_id = d.product_id
        where d.product_id = any($1) and d.state <> 'deleted'
        order by d.product_id
        "#,
        products,
    )
    .fetch_all(connection)
    .await
}

/// Hands scores on to the documents, which get new numbers.
pub async fn rank(connection: &mut PgConnection, products: &[Uuid]) -> Result<(), sqlx::Error> {
    let before = changes::reserve(connection, products.len()).await?;
    sqlx::query!(
        r#"
        update document d set popularity = p.score, change = $2::bigint + r.place
        from unnest($1::uuid[]) with ordinality as r (product_id, place)
        join product_popularity p on p.product_id = r.product_id
        where d.product_id = r.product_id
        "#,
        products,
        before,
    )
    .execute(connection)
    .await?;
    Ok(())
}
