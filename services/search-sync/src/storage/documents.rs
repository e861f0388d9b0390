//! Documents: what the index has, or will have in a moment.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::ProductId;

use super::changes;
use crate::domain::{Content, Listing};

/// Why documents could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The content cannot be put into JSON.
    #[error("a product cannot be encoded")]
    Encode(#[from] serde_json::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Writes products, each at most once and sorted, and answers those that were written: what is held in the same or a later
/// version stays as it is. Their new numbers follow one another.
pub async fn write(
    connection: &mut PgConnection,
    listings: &[Listing],
) -> Result<HashSet<ProductId>, WriteError> {
    if listings.is_empty() {
        return Ok(HashSet::new());
    }
    let products: Vec<Uuid> = listings.iter().map(|one| one.product_id.as_uuid()).collect();
    let versions: Vec<i64> = listings.iter().map(|one| one.version.get()).collect();
    let states: Vec<&str> = listings.iter().map(|one| one.state.as_str()).collect();
    let body = |content: &Content| serde_json::to_string(content);
    let bodies: Vec<Option<String>> = listings
        .iter()
        .map(|one| one.content.as_ref().map(body).transpose())
        .collect::<Result<_, _>>()?;
    let offers =
        || listings.iter().flat_map(|one| one.skus().map(|sku| (one.product_id.as_uuid(), sku)));
    let offering: Vec<Uuid> = offers().map(|(product, _)| product).collect();
    let offered: Vec<&str> = offers().map(|(_, sku)| sku.as_str()).collect();
    let before = changes::reserve(connection, listings.len()).await?;
    let written = sqlx::query_scalar!(
        r#"
        with incoming as (
            select *
            from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[])
                with ordinality as i (product_id, version, state, body, place)
        ), offered as (
            select distinct product_id, sku from unnest($5::uuid[], $6::text[]) as o (product_id, sku)
        ), stocked as (
            select distinct o.product_id from offered o join sku_stock s on s.sku = o.sku where s.available > 0
        ), written as (
            insert into document as d (product_id, version, state, body, in_stock, popularity, change)
            select
                i.product_id,
                i.version,
                i.state,
                i.body::json,
                s.product_id is not null,
                coalesce(p.score, 0),
                $7::bigint + i.place
            from incoming i
            left join stocked s on s.product_id = i.product_id
            left join product_popularity p on p.product_id = i.product_id
            order by i.product_id
            on conflict (product_id) do update set
                version = excluded.version,
                state = excluded.state,
                body = excluded.body,
                in_stock = excluded.in_stock,
                popularity = excluded.popularity,
                change = excluded.change
            where d.version < excluded.version
            returning product_id
        ), withdrawn as (
            delete from document_sku k
            using written w
            where k.product_id = w.product_id
                and not exists (select from offered o where o.product_id = k.product_id and o.sku = k.sku)
        ), listed as (
            insert into document_sku (product_id, sku)
            select o.product_id, o.sku from offered o join written w on w.product_id = o.product_id
            order by o.product_id, o.sku
            on conflict do nothing
        )
        select product_id from written
        "#,
        &products,
        &versions,
        &states as &[&str],
        &bodies as &[Option<String>],
        &offering,
        &offered as &[&str],
        before,
    )
    .fetch_all(connection)
    .await?;
    Ok(written.into_iter().map(ProductId::from).collect())
}

/// A document with the number of its last change.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which product.
    pub product_id: Uuid,
    /// The catalogue's version of it.
    pub version: i64,
    /// [`crate::domain::State`] as text.
    pub state: String,
    /// [`Content`] as JSON; `None` for a deleted product.
    pub body: Option<String>,
    /// Whether any of its variants can be had.
    pub in_stock: bool,
    /// How much it is sought after.
    pub popularity: f64,
    /// The number of its last change.
    pub change: i64,
}

/// The first `limit` documents whose last change is behind the number `after`, by number.
pub async fn after(
    connection: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"
        select product_id, version, state, body::text as body, in_stock, popularity, change
        from document
        where change > $1
        order by change
        limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// How many documents have changed behind the number `after`.
pub async fn count_after(connection: &mut PgConnection, after: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from document where change > $1"#, after)
        .fetch_one(connection)
        .await
}

/// The number of the last change of any document: zero where there is none.
pub async fn last_change(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select coalesce(max(change), 0) as "last!" from document"#)
        .fetch_one(connection)
        .await
}

/// A document without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which product.
    pub product_id: Uuid,
    /// The catalogue's version of it.
    pub version: i64,
    /// Whether it is for sale, and so belongs into the index.
    pub active: bool,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The number of its last change.
    pub change: i64,
}

/// What is held of one product.
pub async fn find(
    connection: &mut PgConnection,
    product: ProductId,
) -> Result<Option<Held>, sqlx::Error> {
    sqlx::query_as!(
        Held,
        r#"
        select product_id, version, state = 'active' as "active!", state = 'deleted' as "deleted!", change
        from document
        where product_id = $1
        "#,
        product.as_uuid(),
    )
    .fetch_optional(connection)
    .await
}

/// All that is held, tombstones too, by product.
pub async fn held(connection: &mut PgConnection) -> Result<Vec<Held>, sqlx::Error> {
    sqlx::query_as!(
        Held,
        r#"
        select product_id, version, state = 'active' as "active!", state = 'deleted' as "deleted!", change
        from document
        order by product_id
        "#,
    )
    .fetch_all(connection)
    .await
}

/// Gives documents new numbers, so that every index takes them once more.
pub async fn touch(connection: &mut PgConnection, products: &[Uuid]) -> Result<u64, sqlx::Error> {
    let before = changes::reserve(connection, products.len()).await?;
    let touched = sqlx::query!(
        r#"
        update document d set change = $2::bigint + t.place
        from unnest($1::uuid[]) with ordinality as t (product_id, place)
        where d.product_id = t.product_id
        "#,
        products,
        before,
    );
    Ok(touched.execute(connection).await?.rows_affected())
}

/// Makes tombstones of documents that are still held in these versions; answers of how many.
pub async fn bury(
    connection: &mut PgConnection,
    gone: &[(ProductId, i64)],
) -> Result<u64, sqlx::Error> {
    let products: Vec<Uuid> = gone.iter().map(|(product, _)| product.as_uuid()).collect();
    let versions: Vec<i64> = gone.iter().map(|(_, version)| *version).collect();
    let before = changes::reserve(connection, gone.len()).await?;
    let buried = sqlx::query!(
        r#"
        with gone as (
            select * from unnest($1::uuid[], $2::bigint[]) with ordinality as g (product_id, version, place)
        ), buried as (
            update document d
            set state = 'deleted', body = null, in_stock = false, change = $3::bigint + g.place
            from gone g
            where d.product_id = g.product_id and d.version = g.version and d.state <> 'deleted'
            returning d.product_id
        ), withdrawn as (
            delete from document_sku k using buried b where k.product_id = b.product_id
        )
        select count(*) as "count!" from buried
        "#,
        &products,
        &versions,
        before,
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(buried.count).unwrap_or_default())
}
