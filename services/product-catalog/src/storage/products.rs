//! Products, and which of them have which SKUs.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, Sku, Version};

use crate::domain::{Content, Current, Known, Product, Write};

/// A product as it is stored.
struct Row {
    id: Uuid,
    version: i64,
    document: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Product {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let content: Content = serde_json::from_str(&row.document).map_err(undecodable)?;
        let version = Version::try_from(row.version).map_err(undecodable)?;
        let Row { id, created_at, updated_at, .. } = row;
        Ok(Self { id: id.into(), version, content, created_at, updated_at })
    }
}

/// What was stored by us cannot be read by us.
pub(super) fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// A product that is not deleted.
pub(crate) async fn find(
    connection: &mut PgConnection,
    id: ProductId,
) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select id, version, document::text as "document!", created_at, updated_at
        from product where id = $1 and deleted_at is null
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(Product::try_from).transpose()
}

/// The same, and nobody else writes it until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: ProductId,
) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select id, version, document::text as "document!", created_at, updated_at
        from product where id = $1 and deleted_at is null
        for update
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(Product::try_from).transpose()
}

/// Which products to list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// This category and all below it.
    pub(crate) category: Option<String>,
    pub(crate) brand: Option<String>,
    pub(crate) status: Option<&'static str>,
    /// The one product that has this SKU.
    pub(crate) sku: Option<String>,
    /// Written at this time or later.
    pub(crate) updated_since: Option<DateTime<Utc>>,
    /// Those after this one.
    pub(crate) after: Option<ProductId>,
}

/// The first `limit` products that fit, in the order in which they were made.
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Product>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id, version, document::text as "document!", created_at, updated_at
        from product
        where deleted_at is null
            and ($1::uuid is null or id > $1)
            -- All below a category begins with its path and a slash, and the character after the slash is the zero.
            and ($2::text is null or category = $2 or (category >= $2 || '/' and category < $2 || '0'))
            and ($3::text is null or brand = $3)
            and ($4::text is null or status = $4)
            and ($5::text is null or id = (select product_id from variant where sku = $5))
            and ($6::timestamptz is null or updated_at >= $6)
        order by id
        limit $7
        "#,
        filter.after.map(ProductId::as_uuid),
        filter.category,
        filter.brand,
        filter.status,
        filter.sku,
        filter.updated_since,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Product::try_from).collect()
}

/// A product with the number of its last event, as of one moment.
pub(crate) struct Numbered {
    /// What it is; of a deleted product what it was last, with the version of its deletion.
    pub(crate) product: Product,
    /// When it was deleted, if it was.
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    /// The number of its last event.
    pub(crate) sequence: i64,
}

/// The first `limit` products behind `after`, deleted ones too. A product and its events commit together, so what one statement
/// reads of both belongs together.
pub(crate) async fn numbered(
    connection: &mut PgConnection,
    after: Option<ProductId>,
    limit: i64,
) -> Result<Vec<Numbered>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select p.id, p.version, p.document::text as "document!", p.created_at, p.updated_at, p.deleted_at, s.last as sequence
        from product p
        join messaging.sequence s on s.aggregate = 'product' and s.key = p.id::text
        where $1::uuid is null or p.id > $1
        order by p.id
        limit $2
        "#,
        after.map(ProductId::as_uuid),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let numbered = rows.into_iter().map(|row| {
        let (id, version, document) = (row.id, row.version, row.document);
        let (created_at, updated_at) = (row.created_at, row.updated_at);
        let product = Row { id, version, document, created_at, updated_at }.try_into()?;
        Ok(Numbered { product, deleted_at: row.deleted_at, sequence: row.sequence })
    });
    numbered.collect()
}

/// How many active products stand in each category.
pub(crate) async fn count_by_category(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select category, count(*) as "count!"
        from product
        where deleted_at is null and status = 'active'
        group by category
        order by category
        limit $1
        "#,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.category, row.count)).collect())
}

/// The owners of `skus`, locked until the transaction ends, and what they are now.
///
/// A SKU that changes hands while its owner is being locked is not seen; who then wants to claim it finds it taken.
pub(crate) async fn lock_owners(
    connection: &mut PgConnection,
    skus: &[&str],
) -> Result<Known, sqlx::Error> {
    let mut known = Known::default();
    let products = sqlx::query!(
        r#"
        select id, version, document::text as "document!", created_at
        from product
        where id in (select product_id from variant where sku = any($1)) and deleted_at is null
        order by id
        for update
        "#,
        skus as &[&str],
    )
    .fetch_all(&mut *connection)
    .await?;
    if products.is_empty() {
        return Ok(known);
    }
    for row in products {
        let version = Version::try_from(row.version).map_err(undecodable)?;
        let (document, created_at) = (row.document, row.created_at);
        let current = Current { version, document, created_at, skus: BTreeSet::new() };
        known.products.insert(row.id.into(), current);
    }
    let ids: Vec<Uuid> = known.products.keys().map(|id| id.as_uuid()).collect();
    let variants =
        sqlx::query!("select sku, product_id from variant where product_id = any($1)", &ids)
            .fetch_all(connection)
            .await?;
    for row in variants {
        let sku = Sku::try_from(row.sku).map_err(undecodable)?;
        let owner = ProductId::from(row.product_id);
        if let Some(current) = known.products.get_mut(&owner) {
            current.skus.insert(sku.clone());
        }
        known.owners.insert(sku, owner);
    }
    Ok(known)
}

/// Why products were not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// These SKUs belong to other products. The transaction is of no use any more.
    #[error("the SKU {} belongs to another product", .0.join(", "))]
    Taken(Vec<String>),
}

/// Writes new versions of products that the transaction has locked, or new products.
pub(crate) async fn write(
    connection: &mut PgConnection,
    writes: &[Write],
) -> Result<(), WriteError> {
    let products = || writes.iter().map(|write| &write.product);
    let ids: Vec<Uuid> = products().map(|product| product.id.as_uuid()).collect();
    let versions: Vec<i64> = products().map(|product| product.version.get()).collect();
    let statuses: Vec<&str> = products().map(|product| product.content.status.as_str()).collect();
    let categories: Vec<&str> =
        products().map(|product| product.content.category.as_str()).collect();
    let brands: Vec<Option<&str>> =
        products().map(|product| product.content.brand.as_deref()).collect();
    let documents: Vec<String> = products().map(|product| product.content.document()).collect();
    let created: Vec<DateTime<Utc>> = products().map(|product| product.created_at).collect();
    let updated: Vec<DateTime<Utc>> = products().map(|product| product.updated_at).collect();
    sqlx::query!(
        r#"
        insert into product (id, version, status, category, brand, document, created_at, updated_at)
        select id, version, status, category, brand, document::json, created_at, updated_at
        from unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[]
        ) as w (id, version, status, category, brand, document, created_at, updated_at)
        on conflict (id) do update set
            version = excluded.version,
            status = excluded.status,
            category = excluded.category,
            brand = excluded.brand,
            document = excluded.document,
            updated_at = excluded.updated_at
        "#,
        &ids,
        &versions,
        &statuses as &[&str],
        &categories as &[&str],
        &brands as &[Option<&str>],
        &documents,
        &created,
        &updated,
    )
    .execute(&mut *connection)
    .await?;
    hand_over_skus(connection, writes).await
}

async fn hand_over_skus(connection: &mut PgConnection, writes: &[Write]) -> Result<(), WriteError> {
    let freed: Vec<&str> = writes.iter().flat_map(|write| &write.freed).map(Sku::as_str).collect();
    if !freed.is_empty() {
        sqlx::query!("delete from variant where sku = any($1)", &freed as &[&str])
            .execute(&mut *connection)
            .await?;
    }
    let claims = writes.iter().flat_map(|write| {
        write.claimed.iter().map(|sku| (sku.as_str(), write.product.id.as_uuid()))
    });
    let claims: HashMap<&str, Uuid> = claims.collect();
    if claims.is_empty() {
        return Ok(());
    }
    let (skus, owners): (Vec<&str>, Vec<Uuid>) = claims.into_iter().unzip();
    let claimed = sqlx::query_scalar!(
        r#"
        insert into variant (sku, product_id)
        select sku, product_id from unnest($1::text[], $2::uuid[]) as c (sku, product_id)
        order by sku
        on conflict (sku) do nothing
        returning sku
        "#,
        &skus as &[&str],
        &owners,
    )
    .fetch_all(connection)
    .await?;
    if claimed.len() == skus.len() {
        return Ok(());
    }
    let claimed: BTreeSet<&str> = claimed.iter().map(String::as_str).collect();
    let mut taken: Vec<String> =
        skus.into_iter().filter(|sku| !claimed.contains(sku)).map(str::to_owned).collect();
    taken.sort_unstable();
    Err(WriteError::Taken(taken))
}

/// Deletes a product that the transaction has locked. Its row stays, with its last version; its SKUs are free.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    id: ProductId,
    version: Version,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update product set version = $2, updated_at = $3, deleted_at = $3 where id = $1",
        id.as_uuid(),
        version.get(),
        now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from variant where product_id = $1", id.as_uuid())
        .execute(connection)
        .await?;
    Ok(())
}
