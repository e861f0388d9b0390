//! Documents: the products of the projection.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{Localized, Money, ProductId, Sku};

use super::changes;
use crate::{
    domain::{
        CatalogProduct, ProductContent, ProductStatus, ProjectedProduct, ProjectedVersion, Variant,
    },
    json,
};

/// Why documents could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteDocumentsError {
    #[error("a product could not be encoded")]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The format of [`Body`]. Increase it with every field, so that a repair fetches the products that were stored
/// without it.
const BODY_FORMAT: i16 = 2;

/// The JSON of the column `body`.
#[derive(Serialize, Deserialize)]
struct Body {
    title: Localized,
    #[serde(default)]
    description: Localized,
    #[serde(default)]
    brand: Option<String>,
    #[serde(default)]
    category: String,
    #[serde(default)]
    attributes: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    variants: Vec<BodyVariant>,
}

#[derive(Serialize, Deserialize)]
struct BodyVariant {
    sku: Sku,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
    price: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    barcode: Option<String>,
}

impl From<&Variant> for BodyVariant {
    fn from(variant: &Variant) -> Self {
        let Variant { sku, options, price, barcode } = variant.clone();
        Self { sku, options, price, barcode }
    }
}

impl From<BodyVariant> for Variant {
    fn from(variant: BodyVariant) -> Self {
        let BodyVariant { sku, options, price, barcode } = variant;
        Self { sku, options, price, barcode }
    }
}

impl From<&ProductContent> for Body {
    fn from(content: &ProductContent) -> Self {
        let attributes = content.attributes.iter();
        Self {
            title: content.title.clone(),
            description: content.description.clone(),
            brand: content.brand.clone(),
            category: content.category.clone(),
            attributes: attributes
                .map(|(name, value)| (name.clone(), json::to_json(value)))
                .collect(),
            variants: content.variants.iter().map(BodyVariant::from).collect(),
        }
    }
}

impl From<Body> for ProductContent {
    fn from(body: Body) -> Self {
        let Body { title, description, brand, category, attributes, variants } = body;
        Self {
            title,
            description,
            brand,
            category,
            attributes: json::attributes(&attributes),
            variants: variants.into_iter().map(Variant::from).collect(),
        }
    }
}

const fn status_name(status: ProductStatus) -> &'static str {
    match status {
        ProductStatus::Draft => "draft",
        ProductStatus::Active => "active",
        ProductStatus::Archived => "archived",
        ProductStatus::Deleted => "deleted",
    }
}

/// The constraint of the column `state` allows no other names.
fn status_of(name: &str) -> ProductStatus {
    match name {
        "draft" => ProductStatus::Draft,
        "active" => ProductStatus::Active,
        "archived" => ProductStatus::Archived,
        _ => ProductStatus::Deleted,
    }
}

/// Writes products that are newer than the stored ones or replace an older format, with consecutive change numbers; returns the written
/// products.
///
/// `products` must be sorted and contain each product at most once. Those in `edited` do not come from an import.
pub async fn write(
    connection: &mut PgConnection,
    products: &[CatalogProduct],
    edited: &BTreeSet<ProductId>,
) -> Result<HashSet<ProductId>, WriteDocumentsError> {
    if products.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = products.iter().map(|one| one.product_id.as_uuid()).collect();
    let versions: Vec<i64> = products.iter().map(|one| one.version.get()).collect();
    let states: Vec<&str> = products.iter().map(|one| status_name(one.status)).collect();
    let bodies = encode_bodies(products)?;
    let edits: Vec<bool> = products.iter().map(|one| edited.contains(&one.product_id)).collect();
    let (sku_products, skus): (Vec<Uuid>, Vec<&str>) = products
        .iter()
        .flat_map(|one| one.skus().map(|sku| (one.product_id.as_uuid(), sku.as_str())))
        .unzip();
    let before = changes::reserve(connection, products.len()).await?;
    let written = sqlx::query_scalar!(
        r#"
        with incoming as (
            select *
            from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $9::boolean[])
                with ordinality as i (product_id, version, state, body, is_edit, place)
        ), offered as (
            select distinct product_id, sku from unnest($5::uuid[], $6::text[]) as o (product_id, sku)
        ), stocked as (
            select distinct o.product_id from offered o join sku_stock s on s.sku = o.sku where s.available > 0
        ), written as (
            insert into document as d
                (product_id, version, state, body, body_format, in_stock, popularity, change, is_edit)
            select
                i.product_id, i.version, i.state, i.body::json, $8::smallint, s.product_id is not null,
                coalesce(p.score, 0), $7::bigint + i.place, i.is_edit
            from incoming i
            left join stocked s on s.product_id = i.product_id
            left join product_popularity p on p.product_id = i.product_id
            order by i.product_id
            on conflict (product_id) do update set
                version = excluded.version,
                state = excluded.state,
                body = excluded.body,
                body_format = excluded.body_format,
                in_stock = excluded.in_stock,
                popularity = excluded.popularity,
                change = excluded.change,
                is_edit = excluded.is_edit
            where d.version < excluded.version
                or (
                    d.version = excluded.version
                    and d.body_format < excluded.body_format
                    and d.state <> 'deleted'
                )
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
        &ids,
        &versions,
        &states as &[&str],
        &bodies as &[Option<String>],
        &sku_products,
        &skus as &[&str],
        before,
        BODY_FORMAT,
        &edits,
    )
    .fetch_all(connection)
    .await?;
    Ok(written.into_iter().map(ProductId::from).collect())
}

/// The JSON of each product; `None` for a deleted one.
fn encode_bodies(products: &[CatalogProduct]) -> Result<Vec<Option<String>>, serde_json::Error> {
    let body = |content: &ProductContent| serde_json::to_string(&Body::from(content));
    products.iter().map(|one| one.content.as_ref().map(body).transpose()).collect()
}

/// A row of the table, whose body is decoded on demand.
#[derive(Debug, Clone, PartialEq)]
struct DocumentRow {
    product_id: Uuid,
    version: i64,
    state: String,
    body: Option<String>,
    in_stock: bool,
    /// The SKUs of the available variants.
    available: Vec<String>,
    popularity: f64,
    change: i64,
}

/// A document that changed. Its conversion to [`ProjectedProduct`] decodes JSON, so run it on a blocking
/// thread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChangedDocument(DocumentRow);

impl ChangedDocument {
    /// The number of its last change.
    pub(crate) fn change(&self) -> i64 {
        self.0.change
    }
}

impl From<ChangedDocument> for ProjectedProduct {
    fn from(document: ChangedDocument) -> Self {
        let DocumentRow {
            product_id, version, state, body, in_stock, available, popularity, ..
        } = document.0;
        let content = body.and_then(|body| match serde_json::from_str::<Body>(&body) {
            Ok(body) => Some(body.into()),
            Err(error) => {
                // The next event of the product replaces the body.
                tracing::error!(product = %product_id, %error, "failed to decode a document");
                None
            }
        });
        let product_id = product_id.into();
        let status = status_of(&state);
        let available: BTreeSet<Sku> =
            available.iter().filter_map(|sku| sku.parse().ok()).collect();
        Self { product_id, version, status, content, in_stock, available, popularity }
    }
}

/// Up to `limit` documents whose change number is greater than `after`, by change number.
pub(crate) async fn changed_after(
    connection: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<ChangedDocument>, sqlx::Error> {
    let rows = sqlx::query_as!(
        DocumentRow,
        r#"
        select product_id, version, state, body::text as body, in_stock, popularity, change,
            array(
                select k.sku from document_sku k join sku_stock s on s.sku = k.sku
                where k.product_id = d.product_id and s.available > 0
            ) as "available!"
        from document d
        where change > $1
        order by change
        limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(ChangedDocument).collect())
}

/// Up to `limit` edited documents whose change number is greater than `after`, by change number.
pub(crate) async fn edited_after(
    connection: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<ChangedDocument>, sqlx::Error> {
    let rows = sqlx::query_as!(
        DocumentRow,
        r#"
        select product_id, version, state, body::text as body, in_stock, popularity, change,
            array(
                select k.sku from document_sku k join sku_stock s on s.sku = k.sku
                where k.product_id = d.product_id and s.available > 0
            ) as "available!"
        from document d
        where is_edit and change > $1
        order by change
        limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(ChangedDocument).collect())
}

/// The number of documents whose change number is greater than `after`.
pub(crate) async fn count_changed_after(
    connection: &mut PgConnection,
    after: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from document where change > $1"#, after)
        .fetch_one(connection)
        .await
}

/// The greatest change number of any document; zero if there are no documents.
pub(crate) async fn last_change(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select coalesce(max(change), 0) as "last!" from document"#)
        .fetch_one(connection)
        .await
}

struct VersionRow {
    product_id: Uuid,
    version: i64,
    active: bool,
    deleted: bool,
    outdated: bool,
    change: i64,
}

impl From<VersionRow> for ProjectedVersion {
    fn from(row: VersionRow) -> Self {
        let VersionRow { product_id, version, active, deleted, outdated, change } = row;
        Self { product_id: product_id.into(), version, active, deleted, outdated, change }
    }
}

/// The stored version of one product.
pub async fn find_version(
    connection: &mut PgConnection,
    product: ProductId,
) -> Result<Option<ProjectedVersion>, sqlx::Error> {
    let row = sqlx::query_as!(
        VersionRow,
        r#"
        select
            product_id,
            version,
            state = 'active' as "active!",
            state = 'deleted' as "deleted!",
            body_format < $2 as "outdated!",
            change
        from document
        where product_id = $1
        "#,
        product.as_uuid(),
        BODY_FORMAT,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(ProjectedVersion::from))
}

/// The stored versions of all products, deleted ones included, sorted by product.
pub(crate) async fn list_versions(
    connection: &mut PgConnection,
) -> Result<Vec<ProjectedVersion>, sqlx::Error> {
    let rows = sqlx::query_as!(
        VersionRow,
        r#"
        select
            product_id,
            version,
            state = 'active' as "active!",
            state = 'deleted' as "deleted!",
            body_format < $1 as "outdated!",
            change
        from document
        order by product_id
        "#,
        BODY_FORMAT,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(ProjectedVersion::from).collect())
}

/// Gives documents new change numbers, so that every index reads them again.
pub(crate) async fn renumber(
    connection: &mut PgConnection,
    products: &[ProductId],
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = products.iter().map(|product| product.as_uuid()).collect();
    let before = changes::reserve(connection, products.len()).await?;
    sqlx::query!(
        r#"
        update document d set change = $2::bigint + t.place
        from unnest($1::uuid[]) with ordinality as t (product_id, place)
        where d.product_id = t.product_id
        "#,
        &products,
        before,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes documents that still have the expected versions, with their SKUs: the caller writes what replaces them in the same
/// transaction.
pub(crate) async fn remove(
    connection: &mut PgConnection,
    expected: &[(ProductId, i64)],
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = expected.iter().map(|(product, _)| product.as_uuid()).collect();
    let versions: Vec<i64> = expected.iter().map(|(_, version)| *version).collect();
    changes::lock(connection).await?;
    sqlx::query!(
        r#"
        with expected as (
            select * from unnest($1::uuid[], $2::bigint[]) as e (product_id, version)
        ), removed as (
            delete from document d using expected e
            where d.product_id = e.product_id and d.version = e.version
            returning d.product_id
        )
        delete from document_sku k using removed r where k.product_id = r.product_id
        "#,
        &products,
        &versions,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks documents as deleted if they still have these versions; returns how many.
pub(crate) async fn mark_deleted(
    connection: &mut PgConnection,
    expected: &[(ProductId, i64)],
) -> Result<u64, sqlx::Error> {
    let products: Vec<Uuid> = expected.iter().map(|(product, _)| product.as_uuid()).collect();
    let versions: Vec<i64> = expected.iter().map(|(_, version)| *version).collect();
    let before = changes::reserve(connection, expected.len()).await?;
    let deleted = sqlx::query!(
        r#"
        with expected as (
            select * from unnest($1::uuid[], $2::bigint[]) with ordinality as e (product_id, version, place)
        ), deleted as (
            update document d
            set state = 'deleted', body = null, in_stock = false, change = $3::bigint + e.place
            from expected e
            where d.product_id = e.product_id and d.version = e.version and d.state <> 'deleted'
            returning d.product_id
        ), removed_skus as (
            delete from document_sku k using deleted d where k.product_id = d.product_id
        )
        select count(*) as "count!" from deleted
        "#,
        &products,
        &versions,
        before,
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(deleted.count).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::{Body, ChangedDocument, DocumentRow};
    use crate::domain::{ProductContent, ProductStatus, ProjectedProduct};

    const BODY: &str = r#"{"title":{"zh":"键盘"},"description":{},"brand":null,"category":"a/b","attributes":{"键数":87,"颜色":["黑","白"]},"variants":[{"sku":"A","price":{"amount":300,"currency":"CNY"}}]}"#;

    fn decode(body: &str) -> ProjectedProduct {
        let row = DocumentRow {
            product_id: Uuid::from_u128(7),
            version: 3,
            state: "active".to_owned(),
            body: Some(body.to_owned()),
            in_stock: true,
            available: vec!["A".to_owned()],
            popularity: 2.0,
            change: 9,
        };
        ChangedDocument(row).into()
    }

    #[test]
    fn the_json_of_a_body_is_stable() {
        let content: ProductContent = serde_json::from_str::<Body>(BODY).unwrap().into();
        assert_eq!(serde_json::to_string(&Body::from(&content)).unwrap(), BODY);
        assert_eq!(decode(BODY).content, Some(content));
        assert_eq!(decode(BODY).available, BTreeSet::from(["A".parse().unwrap()]));
        let variant = r#"{"sku":"A","options":{"颜色":"红"},"price":{"amount":300,"currency":"CNY"},"barcode":"6901234567892"}"#;
        let with_options =
            BODY.replace(r#"{"sku":"A","price":{"amount":300,"currency":"CNY"}}"#, variant);
        let content: ProductContent = serde_json::from_str::<Body>(&with_options).unwrap().into();
        assert_eq!(serde_json::to_string(&Body::from(&content)).unwrap(), with_options);
    }

    #[test]
    fn an_undecodable_body_has_no_content() {
        let product = decode("{");
        assert_eq!((product.status, product.content), (ProductStatus::Active, None));
    }
}
