//! Plans a batch of import rows: the products to create and update, and the rows to refuse.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, Sku, Version};

use super::{Content, Draft, MAX_ROW, ProductWrite, RefusedRow, Row, ValidationError};

/// The maximum number of reported errors per row.
const MAX_ERRORS: usize = 5;
/// The maximum length of a reason, in characters.
const MAX_REASON: usize = 500;

/// A parsed row: the content of a product, or the reason for its refusal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImportRow {
    pub(crate) line: i64,
    pub(crate) content: Result<Content, String>,
}

impl ImportRow {
    /// Parses and validates a row.
    pub(crate) fn read(row: &Row, parse: impl FnOnce(&[u8]) -> Result<Draft, String>) -> Self {
        let content = if row.bytes.len() > MAX_ROW {
            Err(format!("is longer than {MAX_ROW} bytes"))
        } else {
            parse(&row.bytes)
                .and_then(|draft| draft.validate().map_err(|errors| summary(&errors)))
                .and_then(require_sku)
        };
        Self { line: row.line, content: content.map_err(|reason| storable(&reason)) }
    }
}

/// Imports find products by SKU: without one, every import of the same file would create the product again.
fn require_sku(content: Content) -> Result<Content, String> {
    if content.variants.is_empty() {
        return Err("variants: an imported product must have at least one SKU".to_owned());
    }
    Ok(content)
}

fn summary(errors: &[ValidationError]) -> String {
    let first = errors.iter().take(MAX_ERRORS);
    let mut texts: Vec<String> =
        first.map(|error| format!("{}: {}", error.field, error.message)).collect();
    if errors.len() > MAX_ERRORS {
        texts.push(format!("and {} more", errors.len() - MAX_ERRORS));
    }
    texts.join("; ")
}

/// PostgreSQL cannot store NUL in a text.
fn storable(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(MAX_REASON).collect()
}

/// The products that own SKUs of a batch.
#[derive(Debug, Default)]
pub(crate) struct KnownProducts {
    /// The owner of each SKU.
    pub(crate) owners: HashMap<Sku, ProductId>,
    pub(crate) products: HashMap<ProductId, StoredProduct>,
}

/// The part of a stored product that a plan depends on.
#[derive(Debug, Clone)]
pub(crate) struct StoredProduct {
    pub(crate) version: Version,
    /// The content as encoded in the database.
    pub(crate) document: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) skus: BTreeSet<Sku>,
}

/// The result of planning the first rows of a batch.
#[derive(Debug, Default)]
pub(crate) struct ImportPlan {
    /// The number of rows that the plan covers.
    pub(crate) processed: usize,
    pub(crate) writes: Vec<ProductWrite>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) refused: Vec<RefusedRow>,
}

/// Plans `rows`: a row updates the product that owns its SKUs, or creates one. `encode` returns the stored
/// form of a content; an equal document means an unchanged product.
///
/// The plan ends before a row that depends on an earlier one, so every row sees the effects of the rows
/// before it, however the file is divided. Of two rows with the same SKU, the later one wins.
pub(crate) fn plan_import(
    rows: &[ImportRow],
    known: &KnownProducts,
    encode: impl Fn(&Content) -> String,
    now: DateTime<Utc>,
) -> ImportPlan {
    let mut plan = ImportPlan::default();
    let (mut skus, mut products) = (HashSet::<&Sku>::new(), HashSet::<ProductId>::new());
    for ImportRow { line, content } in rows {
        let content = match content {
            Ok(content) => content,
            Err(reason) => {
                plan.refuse(*line, reason.clone());
                continue;
            }
        };
        let owners: BTreeSet<ProductId> =
            content.skus().filter_map(|sku| known.owners.get(sku)).copied().collect();
        let depends_on_earlier = content.skus().any(|sku| skus.contains(sku))
            || owners.iter().any(|owner| products.contains(owner));
        if depends_on_earlier {
            return plan;
        }
        skus.extend(content.skus());
        products.extend(owners.iter().copied());
        match owners.first() {
            _ if owners.len() > 1 => {
                let reason = format!("its SKUs belong to {} different products", owners.len());
                plan.refuse(*line, reason);
            }
            Some(owner) => {
                let stored = &known.products[owner];
                let is_unchanged = encode(content) == stored.document;
                plan.update(*owner, stored, (!is_unchanged).then_some(content), now);
            }
            None => {
                plan.processed += 1;
                plan.created += 1;
                plan.writes.push(ProductWrite::create(content.clone(), now));
            }
        }
    }
    plan
}

impl ImportPlan {
    fn refuse(&mut self, line: i64, reason: String) {
        self.processed += 1;
        self.refused.push(RefusedRow { line, reason });
    }

    /// Without new content, the product is unchanged.
    fn update(
        &mut self,
        id: ProductId,
        stored: &StoredProduct,
        content: Option<&Content>,
        now: DateTime<Utc>,
    ) {
        self.processed += 1;
        let Some(content) = content else {
            self.unchanged += 1;
            return;
        };
        self.updated += 1;
        let StoredProduct { version, created_at, skus, .. } = stored;
        let content = content.clone();
        self.writes.push(ProductWrite::replace(id, *version, *created_at, skus, content, now));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use chrono::DateTime;
    use vocabulary::{Currency, Localized, Money};

    use super::{
        Content, Draft, ImportPlan, ImportRow, KnownProducts, MAX_ROW, ProductId, Row, Sku,
        StoredProduct, Version, plan_import,
    };
    use crate::domain::{DraftPrice, DraftVariant, ProductStatus, Variant};

    fn content(title: &str, skus: &[&str]) -> Content {
        let price = Money::new(1, Currency::CNY).unwrap();
        let variant = |sku: &&str| Variant {
            sku: sku.parse().unwrap(),
            options: BTreeMap::new(),
            price,
            barcode: None,
        };
        Content {
            title: Localized { zh: None, en: Some(title.to_owned()) },
            description: Localized::default(),
            brand: None,
            category: "a".to_owned(),
            attributes: BTreeMap::new(),
            images: Vec::new(),
            status: ProductStatus::Active,
            variants: skus.iter().map(variant).collect(),
        }
    }

    fn row(line: i64, title: &str, skus: &[&str]) -> ImportRow {
        ImportRow { line, content: Ok(content(title, skus)) }
    }

    fn encode(content: &Content) -> String {
        format!("{content:?}")
    }

    fn plan(rows: &[ImportRow], known: &KnownProducts) -> ImportPlan {
        plan_import(rows, known, encode, DateTime::UNIX_EPOCH)
    }

    fn known(products: &[(Content, ProductId)]) -> KnownProducts {
        let mut known = KnownProducts::default();
        for (content, id) in products {
            let skus: BTreeSet<Sku> = content.skus().cloned().collect();
            known.owners.extend(skus.iter().map(|sku| (sku.clone(), *id)));
            let (document, created_at) = (encode(content), DateTime::UNIX_EPOCH);
            let stored = StoredProduct { version: Version::FIRST, document, created_at, skus };
            known.products.insert(*id, stored);
        }
        known
    }

    #[test]
    fn rows_create_update_or_leave_products() {
        let [p, q] = [ProductId::new(), ProductId::new()];
        let known = known(&[(content("P", &["A", "B"]), p), (content("Q", &["C"]), q)]);
        let plan =
            plan(&[row(1, "P2", &["B", "D"]), row(2, "Q", &["C"]), row(3, "New", &["E"])], &known);
        assert_eq!((plan.processed, plan.created, plan.updated, plan.unchanged), (3, 1, 1, 1));
        let [update, create] = plan.writes.as_slice() else { panic!("{:?}", plan.writes) };
        assert_eq!((update.product.id, update.product.version.get()), (p, 2));
        let skus = |skus: &[Sku]| skus.iter().map(Sku::to_string).collect::<Vec<_>>();
        assert_eq!(
            (skus(&update.freed), skus(&update.claimed)),
            (vec!["A".to_owned()], vec!["D".to_owned()])
        );
        assert_eq!(skus(&create.claimed), ["E"]);
    }

    #[test]
    fn row_with_skus_of_two_products_is_refused() {
        let known = known(&[
            (content("P", &["A"]), ProductId::new()),
            (content("Q", &["B"]), ProductId::new()),
        ]);
        let plan = plan(&[row(7, "X", &["A", "B"])], &known);
        assert_eq!(plan.refused[0].line, 7);
        assert_eq!(plan.refused[0].reason, "its SKUs belong to 2 different products");
    }

    #[test]
    fn plan_ends_before_a_dependent_row() {
        let known = known(&[(content("P", &["A", "B"]), ProductId::new())]);
        let same_sku = [row(1, "X", &["N"]), row(2, "Y", &["N"])];
        let same_owner = [row(1, "X", &["A"]), row(2, "Y", &["B"])];
        assert_eq!(plan(&same_sku, &known).processed, 1);
        assert_eq!(plan(&same_owner, &known).processed, 1);
    }

    #[test]
    fn refused_rows_report_the_reason() {
        let row = |length: usize| Row { line: 1, bytes: vec![b'x'; length] };
        let reason = |row: &Row, draft: Result<Draft, String>| {
            ImportRow::read(row, |_| draft).content.unwrap_err()
        };
        let draft = Draft {
            title: Localized { zh: None, en: Some("x".to_owned()) },
            description: Localized::default(),
            brand: None,
            category: "a".to_owned(),
            attributes: BTreeMap::new(),
            images: Vec::new(),
            status: ProductStatus::Draft,
            variants: Vec::new(),
        };
        assert_eq!(reason(&row(MAX_ROW + 1), Ok(draft.clone())), "is longer than 262144 bytes");
        assert_eq!(reason(&row(1), Err("no\0 product".to_owned())), "no product");
        assert!(reason(&row(1), Ok(draft.clone())).starts_with("variants: "));
        let price = DraftPrice { amount: -1, currency: "CNY".to_owned() };
        let (sku, options, barcode) = ("A".to_owned(), BTreeMap::new(), None);
        let variants = vec![DraftVariant { sku, options, price, barcode }];
        assert_eq!(
            reason(&row(1), Ok(Draft { variants, ..draft })),
            "variants[0].price.amount: an amount of money must not be negative"
        );
    }
}
