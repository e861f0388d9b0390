//! The copy of the catalogue: product versions and offers.

use std::collections::{BTreeMap, HashMap};

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;
use vocabulary::{Localized, ProductId, Sku, Version};

use super::{cost_rules::RulesRevision, money, priority_customers::PriorityRevision, undecodable};
use crate::domain::{CatalogListing, Offer};

/// Advances products to these versions, and returns the products that advanced. A product with the same or a later version
/// stays as it is. Each product occurs once.
pub(crate) async fn advance_versions(
    connection: &mut PgConnection,
    versions: &[(ProductId, Version)],
) -> Result<Vec<ProductId>, sqlx::Error> {
    let products: Vec<Uuid> = versions.iter().map(|(product, _)| product.as_uuid()).collect();
    let versions: Vec<i64> = versions.iter().map(|(_, version)| version.get()).collect();
    let advanced = sqlx::query_scalar!(
        r#"
        insert into product as p (product_id, version)
        select product_id, version from unnest($1::uuid[], $2::bigint[]) as u (product_id, version)
        order by product_id
        on conflict (product_id) do update set version = excluded.version
        where p.version < excluded.version
        returning product_id
        "#,
        &products,
        &versions,
    )
    .fetch_all(connection)
    .await?;
    Ok(advanced.into_iter().map(ProductId::from).collect())
}

/// Marks the offers of `products` that are not in `listed` as not for sale.
pub(crate) async fn withdraw_unlisted(
    connection: &mut PgConnection,
    products: &[ProductId],
    listed: &[(&Sku, &Offer, bool)],
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = products.iter().map(|product| product.as_uuid()).collect();
    let listed_products: Vec<Uuid> =
        listed.iter().map(|(_, offer, _)| offer.product.as_uuid()).collect();
    let skus: Vec<&str> = listed.iter().map(|(sku, ..)| sku.as_str()).collect();
    sqlx::query!(
        r#"
        update offer set for_sale = false
        where product_id = any($1) and for_sale
            and (product_id, sku) not in (select * from unnest($2::uuid[], $3::text[]))
        "#,
        &products,
        &listed_products,
        &skus as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Inserts or updates offers; the flag tells whether the SKU is for sale.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    offers: &[(&Sku, &Offer, bool)],
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = offers.iter().map(|(_, offer, _)| offer.product.as_uuid()).collect();
    let skus: Vec<&str> = offers.iter().map(|(sku, ..)| sku.as_str()).collect();
    let amounts: Vec<i64> = offers.iter().map(|(_, offer, _)| offer.price.amount()).collect();
    let currencies: Vec<String> =
        offers.iter().map(|(_, offer, _)| offer.price.currency().to_string()).collect();
    let titles = offers.iter().map(|(_, offer, _)| serde_json::to_value(&offer.title));
    let titles: Vec<_> = titles.collect::<Result<_, _>>().map_err(undecodable)?;
    let options = offers.iter().map(|(_, offer, _)| serde_json::to_value(&offer.options));
    let options: Vec<_> = options.collect::<Result<_, _>>().map_err(undecodable)?;
    let images: Vec<Option<&str>> =
        offers.iter().map(|(_, offer, _)| offer.image.as_deref()).collect();
    let for_sale: Vec<bool> = offers.iter().map(|(.., for_sale)| *for_sale).collect();
    sqlx::query!(
        r#"
        insert into offer as o (product_id, sku, amount, currency, title, options, image, for_sale)
        select distinct on (product_id, sku) product_id, sku, amount, currency, title, options, image, for_sale
        from unnest(
            $1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::jsonb[], $6::boolean[], $7::jsonb[], $8::text[]
        ) as u (product_id, sku, amount, currency, title, for_sale, options, image)
        order by product_id, sku
        on conflict (product_id, sku) do update set
            amount = excluded.amount, currency = excluded.currency, title = excluded.title, options = excluded.options,
            image = excluded.image, for_sale = excluded.for_sale
        where (o.amount, o.currency, o.title, o.options, o.image, o.for_sale) is distinct from (
            excluded.amount, excluded.currency, excluded.title, excluded.options, excluded.image, excluded.for_sale
        )
        "#,
        &products,
        &skus as &[&str],
        &amounts,
        &currencies,
        &titles,
        &for_sale,
        &options,
        &images as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What the copy of the catalogue tells about some SKUs, and the revisions of what is kept in memory: the rules that decide what orders
/// cost, and the customers with priority.
#[derive(Debug)]
pub(crate) struct Listings {
    pub(crate) by_sku: HashMap<Sku, CatalogListing>,
    pub(crate) rules: RulesRevision,
    pub(crate) priority_customers: PriorityRevision,
}

/// The listings of those of `skus` that the copy contains. If several products list a SKU, a product that sells it wins,
/// then the newest product. The revisions come with them: statements of their own would cost every batch of orders round
/// trips.
pub(crate) async fn listings(
    connection: &mut PgConnection,
    skus: &[&str],
) -> Result<Listings, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select v.revision, p.revision as priority_revision, o.sku as "sku?", o.product_id as "product_id?", o.amount as "amount?", o.currency as "currency?",
            o.title as "title?: Json<Localized>", o.options as "options?: Json<BTreeMap<String, String>>",
            o.image as "image?", o.for_sale as "for_sale?"
        from cost_rule_revision v
        cross join priority_customer_revision p
        left join (
            select distinct on (sku) sku, product_id, amount, currency, title, options, image, for_sale
            from offer where sku = any($1)
            order by sku, for_sale desc, product_id desc
        ) o on true
        "#,
        skus as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let rules = RulesRevision(first.revision);
    let priority_customers = PriorityRevision(first.priority_revision);
    let mut by_sku = HashMap::new();
    for row in rows {
        let (Some(sku), Some(product), Some(amount), Some(currency), Some(title)) =
            (row.sku, row.product_id, row.amount, row.currency, row.title)
        else {
            continue;
        };
        let price = money(amount, &currency)?;
        let offer = Offer {
            product: product.into(),
            price,
            title: title.0,
            options: row.options.map(|options| options.0).unwrap_or_default(),
            image: row.image,
        };
        let listing = if row.for_sale == Some(true) {
            CatalogListing::ForSale(offer)
        } else {
            CatalogListing::NotForSale(offer)
        };
        by_sku.insert(sku.try_into().map_err(undecodable)?, listing);
    }
    Ok(Listings { by_sku, rules, priority_customers })
}
