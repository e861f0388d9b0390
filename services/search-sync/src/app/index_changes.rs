//! Copies changes of the projection to a version of the index.

use std::collections::BTreeSet;

use messaging::Outbox;
use vocabulary::Sku;

use crate::{
    domain::{ProductContent, ProductStatus, ProjectedProduct, Variant},
    index::{
        Attribute, Change, Document, IndexVersion, Localized, Price, VariantOption, VersionError,
    },
    storage::documents,
};

/// How many documents one commit contains. An edit waits for the running commit.
const BATCH_SIZE: i64 = 250;

/// How many documents are read at once while an index is filled.
const FILL_BATCH_SIZE: i64 = 500;

/// How many edits are indexed at once before other changes.
const EDITS_MAX: i64 = 100;

/// Why changes could not be copied to the index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexChangesError {
    #[error("the projection could not be read")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Index(#[from] VersionError),
}

/// The result of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexedBatch {
    /// The number of copied documents.
    pub(crate) changes: usize,
    /// Whether more changes may follow.
    pub(crate) more: bool,
}

/// Commits the next changes to the index.
pub(crate) async fn index_batch(
    version: &mut IndexVersion,
    outbox: &Outbox,
) -> Result<IndexedBatch, IndexChangesError> {
    let documents = {
        let mut connection = outbox.pool().acquire().await?;
        documents::changed_after(&mut connection, version.applied(), BATCH_SIZE).await?
    };
    let Some(through) = documents.last().map(documents::ChangedDocument::change) else {
        return Ok(IndexedBatch { changes: 0, more: false });
    };
    let changes = documents.len();
    version
        .commit(through, move || {
            documents.into_iter().map(|document| to_change(document.into())).collect()
        })
        .await?;
    Ok(IndexedBatch {
        changes,
        more: i64::try_from(changes).is_ok_and(|count| count == BATCH_SIZE),
    })
}

/// Commits the edits among the changes that wait, before the others; returns their number.
pub(crate) async fn index_edits(
    version: &mut IndexVersion,
    outbox: &Outbox,
) -> Result<usize, IndexChangesError> {
    let edits = {
        let mut connection = outbox.pool().acquire().await?;
        documents::edited_after(&mut connection, version.edits_applied(), EDITS_MAX).await?
    };
    let Some(through) = edits.last().map(documents::ChangedDocument::change) else { return Ok(0) };
    let count = edits.len();
    let edits = move || edits.into_iter().map(|document| to_change(document.into())).collect();
    version.commit_edits(through, edits).await?;
    Ok(count)
}

/// Fills an empty version with the changes that are in the projection now, without a commit for each batch. The next
/// batch is read while the index takes the one before.
pub(crate) async fn fill(
    version: &mut IndexVersion,
    outbox: &Outbox,
) -> Result<(), IndexChangesError> {
    let last = documents::last_change(&mut *outbox.pool().acquire().await?).await?;
    let mut batch = read_through(outbox, version.applied(), last).await?;
    while let Some(through) = batch.last().map(documents::ChangedDocument::change) {
        // A document that changes meanwhile gets a number above the last one, so no product comes twice.
        let add = version.add(through, move || {
            batch.into_iter().map(|document| to_change(document.into())).collect()
        });
        let (added, next) = tokio::join!(add, read_through(outbox, through, last));
        added?;
        batch = next?;
    }
    // An empty projection needs a checkpoint, too.
    Ok(version.commit(last, Vec::new).await?)
}

/// The next documents with change numbers from `after` to `last`.
async fn read_through(
    outbox: &Outbox,
    after: i64,
    last: i64,
) -> Result<Vec<documents::ChangedDocument>, sqlx::Error> {
    let mut connection = outbox.pool().acquire().await?;
    let mut found = documents::changed_after(&mut connection, after, FILL_BATCH_SIZE).await?;
    found.truncate(found.partition_point(|document| document.change() <= last));
    Ok(found)
}

/// Commits all changes that are in the projection.
pub(crate) async fn catch_up(
    version: &mut IndexVersion,
    outbox: &Outbox,
) -> Result<(), IndexChangesError> {
    while index_batch(version, outbox).await?.more {}
    Ok(())
}

/// Active products are in the index, all others are not.
fn to_change(product: ProjectedProduct) -> Change {
    let ProjectedProduct { product_id, version, status, content, in_stock, available, popularity } =
        product;
    let product_id = product_id.as_uuid();
    let (ProductStatus::Active, Some(content)) = (status, content) else {
        return Change::Delete(product_id);
    };
    let content = document(content, &available);
    Change::Upsert(Box::new(Document { product_id, version, in_stock, popularity, ..content }))
}

/// The fields that come from the content. The prices are those of the available variants, if there are any: a
/// price that cannot be paid must not advertise the product.
fn document(content: ProductContent, available: &BTreeSet<Sku>) -> Document {
    let ProductContent { title, description, brand, category, attributes, variants } = content;
    let is_available = |variant: &&Variant| available.contains(&variant.sku);
    let sold_out = !variants.iter().any(|variant| is_available(&variant));
    let priced = variants.iter().filter(|variant| sold_out || is_available(variant));
    let price = |variant: &Variant| Price {
        amount: variant.price.amount(),
        currency: variant.price.currency(),
    };
    let localized = |text: vocabulary::Localized| Localized { zh: text.zh, en: text.en };
    Document {
        title: localized(title),
        description: localized(description),
        brand: brand.unwrap_or_default(),
        category,
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name, Attribute::from_value(&value)?)))
            .collect(),
        skus: variants.iter().map(|variant| variant.sku.to_string()).collect(),
        barcodes: variants.iter().filter_map(|variant| variant.barcode.clone()).collect(),
        options: variants
            .iter()
            .flat_map(|variant| {
                let in_stock = is_available(&variant);
                let options = variant.options.iter();
                options.map(move |(name, value)| VariantOption {
                    name: name.clone(),
                    value: value.clone(),
                    in_stock,
                })
            })
            .collect(),
        prices: priced.map(price).collect(),
        ..Document::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use uuid::Uuid;

    use super::to_change;
    use crate::{
        domain::{ProductContent, ProductStatus, ProjectedProduct, Variant},
        index::{Change, Document},
        json::attribute_value,
    };

    fn product(status: ProductStatus, content: Option<ProductContent>) -> ProjectedProduct {
        ProjectedProduct {
            product_id: Uuid::from_u128(7).into(),
            version: 3,
            status,
            content,
            in_stock: true,
            available: BTreeSet::new(),
            popularity: 2.0,
        }
    }

    fn content() -> ProductContent {
        let variant = |sku: &str, amount: i64| Variant {
            sku: sku.parse().unwrap(),
            options: [("颜色".to_owned(), sku.to_owned())].into(),
            barcode: Some(format!("690{amount}")),
            price: serde_json::from_value(json!({"amount": amount, "currency": "CNY"})).unwrap(),
        };
        ProductContent {
            title: serde_json::from_value(json!({"zh": "键盘"})).unwrap(),
            category: "a/b".to_owned(),
            attributes: [("键数".to_owned(), attribute_value(&json!(87)).unwrap())].into(),
            variants: vec![variant("A", 300), variant("B", 100)],
            ..ProductContent::default()
        }
    }

    fn amounts(document: &Document) -> Vec<i64> {
        document.prices.iter().map(|price| price.amount).collect()
    }

    #[test]
    fn prices_are_those_of_available_variants() {
        let mut product = product(ProductStatus::Active, Some(content()));
        product.available = BTreeSet::from(["A".parse().unwrap()]);
        let Change::Upsert(document) = to_change(product) else { panic!("deleted") };
        assert_eq!(amounts(&document), [300]);
        let options: Vec<_> =
            document.options.iter().map(|one| (one.value.as_str(), one.in_stock)).collect();
        assert_eq!(options, [("A", true), ("B", false)]);
        assert_eq!(document.barcodes, ["690300", "690100"]);
    }

    #[test]
    fn only_active_products_are_indexed() {
        let active = product(ProductStatus::Active, Some(content()));
        let Change::Upsert(document) = to_change(active) else { panic!("deleted") };
        assert_eq!((document.version, amounts(&document)), (3, vec![300, 100]));
        assert_eq!((document.skus.len(), document.attributes.len()), (2, 1));
        for (status, content) in [
            (ProductStatus::Draft, Some(content())),
            (ProductStatus::Archived, Some(content())),
            (ProductStatus::Deleted, None),
            (ProductStatus::Active, None),
        ] {
            let change = to_change(product(status, content));
            assert_eq!(change, Change::Delete(Uuid::from_u128(7)), "{status:?}");
        }
    }
}
