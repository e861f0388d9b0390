//! Products, and the owners of SKUs.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, Sku, Version};

use super::{document, undecodable};
use crate::domain::{
    KnownProducts, Product, ProductFilter, ProductStatus, ProductWrite, SequencedProduct,
    StoredProduct,
};

struct ProductRow {
    id: Uuid,
    version: i64,
    document: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<ProductRow> for Product {
    type Error = sqlx::Error;

    fn try_from(row: ProductRow) -> Result<Self, sqlx::Error> {
        let ProductRow { id, version, document, created_at, updated_at } = row;
        Ok(Self {
            id: id.into(),
            version: Version::try_from(version).map_err(undecodable)?,
            content: document::decode(&document)?,
            created_at,
            updated_at,
        })
    }
}

/// A product that is not deleted.
pub(crate) async fn find(
    connection: &mut PgConnection,
    id: ProductId,
) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query_as!(
        ProductRow,
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

/// A product that is not deleted, locked until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: ProductId,
) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query_as!(
        ProductRow,
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

/// At most `limit` products of which a sale has started or ended at `now`, locked until the transaction ends.
/// Products that another process has locked are passed over.
pub(crate) async fn lock_due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Product>, sqlx::Error> {
    let rows = sqlx::query_as!(
        ProductRow,
        r#"
        select id, version, document::text as "document!", created_at, updated_at
        from product
        where price_changes_at <= $1 and deleted_at is null
        order by price_changes_at
        limit $2
        for update skip locked
        "#,
        now,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Product::try_from).collect()
}

/// When the next sale starts or ends.
pub(crate) async fn next_price_change(
    connection: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select min(price_changes_at) from product where price_changes_at is not null and deleted_at is null"
    )
    .fetch_one(connection)
    .await
}

/// The first `limit` products that match, in the order of their creation.
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &ProductFilter,
    limit: i64,
) -> Result<Vec<Product>, sqlx::Error> {
    let rows = sqlx::query_as!(
        ProductRow,
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
        filter.status.map(ProductStatus::as_str),
        filter.sku,
        filter.updated_since,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Product::try_from).collect()
}

/// The first `limit` products after `after`, deleted ones included. A product commits together with its
/// events, so one statement reads a consistent pair of product and sequence number.
pub(crate) async fn list_with_sequence(
    connection: &mut PgConnection,
    after: Option<ProductId>,
    limit: i64,
) -> Result<Vec<SequencedProduct>, sqlx::Error> {
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
    let products = rows.into_iter().map(|row| {
        let (id, version, document) = (row.id, row.version, row.document);
        let (created_at, updated_at) = (row.created_at, row.updated_at);
        let product = ProductRow { id, version, document, created_at, updated_at }.try_into()?;
        Ok(SequencedProduct { product, deleted_at: row.deleted_at, sequence: row.sequence })
    });
    products.collect()
}

/// Those of `ids` that do not exist, or were deleted.
pub(crate) async fn find_missing(
    connection: &mut PgConnection,
    ids: &[ProductId],
) -> Result<BTreeSet<ProductId>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let missing = sqlx::query_scalar!(
        r#"
        select given.id as "id!"
        from unnest($1::uuid[]) as given (id)
        where not exists (select from product p where p.id = given.id and p.deleted_at is null)
        "#,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(missing.into_iter().map(ProductId::from).collect())
}

/// The number of active products per category.
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

/// The products that own `skus`, locked until the transaction ends.
///
/// A SKU that moves to another product during the locking is missed; a later claim of it fails as taken.
pub(crate) async fn lock_owners(
    connection: &mut PgConnection,
    skus: &[&str],
) -> Result<KnownProducts, sqlx::Error> {
    let mut known = KnownProducts::default();
    let products = sqlx::query!(
        r#"
        select id, version, document::text as "document!", created_at, updated_at
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
        let (document, created_at, updated_at) = (row.document, row.created_at, row.updated_at);
        let skus = BTreeSet::new();
        let stored = StoredProduct { version, document, created_at, updated_at, skus };
        known.products.insert(row.id.into(), stored);
    }
    let ids: Vec<Uuid> = known.products.keys().map(|id| id.as_uuid()).collect();
    let variants =
        sqlx::query!("select sku, product_id from variant where product_id = any($1)", &ids)
            .fetch_all(connection)
            .await?;
    for row in variants {
        let sku = Sku::try_from(row.sku).map_err(undecodable)?;
        let owner = ProductId::from(row.product_id);
        if let Some(stored) = known.products.get_mut(&owner) {
            stored.skus.insert(sku.clone());
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
    /// These SKUs belong to other products. The transaction must be rolled back.
    #[error("the SKU {} belongs to another product", .0.join(", "))]
    SkusTaken(Vec<String>),
}

/// Inserts new products, and updates products that the transaction has locked.
pub(crate) async fn write(
    connection: &mut PgConnection,
    writes: &[ProductWrite],
) -> Result<(), WriteError> {
    let products = || writes.iter().map(|write| &write.product);
    let ids: Vec<Uuid> = products().map(|product| product.id.as_uuid()).collect();
    let versions: Vec<i64> = products().map(|product| product.version.get()).collect();
    let statuses: Vec<&str> = products().map(|product| product.content.status.as_str()).collect();
    let categories: Vec<&str> =
        products().map(|product| product.content.category.as_str()).collect();
    let brands: Vec<Option<&str>> =
        products().map(|product| product.content.brand.as_deref()).collect();
    let documents: Vec<String> =
        products().map(|product| document::encode(&product.content)).collect();
    let created: Vec<DateTime<Utc>> = products().map(|product| product.created_at).collect();
    let updated: Vec<DateTime<Utc>> = products().map(|product| product.updated_at).collect();
    let price_changes: Vec<Option<DateTime<Utc>>> =
        products().map(Product::next_price_change).collect();
    sqlx::query!(
        r#"
        insert into product (id, version, status, category, brand, document, created_at, updated_at, price_changes_at)
        select id, version, status, category, brand, document::json, created_at, updated_at, price_changes_at
        from unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
            $9::timestamptz[]
        ) as w (id, version, status, category, brand, document, created_at, updated_at, price_changes_at)
        on conflict (id) do update set
            version = excluded.version,
            status = excluded.status,
            category = excluded.category,
            brand = excluded.brand,
            document = excluded.document,
            updated_at = excluded.updated_at,
            price_changes_at = excluded.price_changes_at
        "#,
        &ids,
        &versions,
        &statuses as &[&str],
        &categories as &[&str],
        &brands as &[Option<&str>],
        &documents,
        &created,
        &updated,
        &price_changes as &[Option<DateTime<Utc>>],
    )
    .execute(&mut *connection)
    .await?;
    move_skus(connection, writes).await
}

async fn move_skus(
    connection: &mut PgConnection,
    writes: &[ProductWrite],
) -> Result<(), WriteError> {
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
    Err(WriteError::SkusTaken(taken))
}

/// Deletes a product that the transaction has locked. Its row stays, with the last version; its SKUs become
/// free.
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
