//! The published popularity of each product.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::Version;

use crate::domain::popularity::{ChangeThreshold, Popularity};

/// The score of every product with a published popularity.
pub(crate) async fn scores(
    connection: &mut PgConnection,
) -> Result<HashMap<Uuid, f64>, sqlx::Error> {
    let rows =
        sqlx::query!("select product_id, score from popularity").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row.score)).collect())
}

/// Writes the scores, each product once, whose change from the stored score reaches the threshold. Returns
/// what was written.
pub(crate) async fn upsert_changed(
    connection: &mut PgConnection,
    scores: &[(Uuid, f64)],
    threshold: ChangeThreshold,
    at: DateTime<Utc>,
) -> Result<Vec<Popularity>, sqlx::Error> {
    let products: Vec<Uuid> = scores.iter().map(|(product, _)| *product).collect();
    let scores: Vec<f64> = scores.iter().map(|(_, score)| *score).collect();
    let rows = sqlx::query!(
        r#"
        insert into popularity as p (product_id, version, score, changed_at)
        select product_id, 1, score, $3
        from unnest($1::uuid[], $2::double precision[]) as u (product_id, score)
        order by product_id
        on conflict (product_id) do update set
            version = p.version + 1,
            score = excluded.score,
            changed_at = excluded.changed_at
        where abs(excluded.score - p.score) >= $4 and abs(excluded.score - p.score) > $5 * p.score
        returning product_id, version, score
        "#,
        &products,
        &scores,
        at,
        threshold.min_change,
        threshold.min_share,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| popularity(row.product_id, row.version, row.score)).collect()
}

/// Makes the version of each product higher than the given one. A product without a score gets zero. Returns what was written.
pub(crate) async fn raise_versions(
    connection: &mut PgConnection,
    versions: &[(Uuid, i64)],
    at: DateTime<Utc>,
) -> Result<Vec<Popularity>, sqlx::Error> {
    let (products, versions): (Vec<Uuid>, Vec<i64>) = versions.iter().copied().unzip();
    let rows = sqlx::query!(
        r#"
        insert into popularity as p (product_id, version, score, changed_at)
        select product_id, version + 1, 0, $3
        from unnest($1::uuid[], $2::bigint[]) as u (product_id, version)
        order by product_id
        on conflict (product_id) do update set
            version = greatest(p.version, excluded.version),
            changed_at = excluded.changed_at
        returning product_id, version, score
        "#,
        &products,
        &versions,
        at,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| popularity(row.product_id, row.version, row.score)).collect()
}

fn popularity(product: Uuid, version: i64, score: f64) -> Result<Popularity, sqlx::Error> {
    let version =
        Version::try_from(version).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Popularity { product_id: product.into(), version, score })
}
