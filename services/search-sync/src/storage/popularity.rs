//! Popularity scores.

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, Version};

use super::changes;
use crate::domain::ScoreChange;

/// Writes scores that are newer than the stored ones; returns the written products. Each product may occur
/// once.
pub(crate) async fn write(
    connection: &mut PgConnection,
    scores: &[(ProductId, Version, f64)],
) -> Result<Vec<ProductId>, sqlx::Error> {
    let products: Vec<Uuid> = scores.iter().map(|(product, ..)| product.as_uuid()).collect();
    let versions: Vec<i64> = scores.iter().map(|(_, version, _)| version.get()).collect();
    let scores: Vec<f64> = scores.iter().map(|(.., score)| *score).collect();
    let written = sqlx::query_scalar!(
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
    .await?;
    Ok(written.into_iter().map(ProductId::from).collect())
}

/// Locks the change counter and compares the indexed scores of existing `products` with the current ones.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    products: &[ProductId],
) -> Result<Vec<ScoreChange>, sqlx::Error> {
    let products: Vec<Uuid> = products.iter().map(|product| product.as_uuid()).collect();
    // Read only after locking: then no concurrent transaction can write these products.
    changes::lock(connection).await?;
    let rows = sqlx::query!(
        r#"
        select d.product_id, d.popularity as indexed, p.score
        from document d join product_popularity p on p.product_id = d.product_id
        where d.product_id = any($1) and d.state <> 'deleted'
        order by d.product_id
        "#,
        &products,
    )
    .fetch_all(connection)
    .await?;
    let changes = rows.into_iter().map(|row| ScoreChange {
        product_id: row.product_id.into(),
        indexed: row.indexed,
        current: row.score,
    });
    Ok(changes.collect())
}

/// Copies the current scores to the documents, which get new change numbers.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    products: &[ProductId],
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = products.iter().map(|product| product.as_uuid()).collect();
    let before = changes::reserve(connection, products.len()).await?;
    sqlx::query!(
        r#"
        update document d set popularity = p.score, change = $2::bigint + r.place
        from unnest($1::uuid[]) with ordinality as r (product_id, place)
        join product_popularity p on p.product_id = r.product_id
        where d.product_id = r.product_id
        "#,
        &products,
        before,
    )
    .execute(connection)
    .await?;
    Ok(())
}
