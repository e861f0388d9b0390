//! Plans a batch of import rows: the products to create and update, and the rows to refuse.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, Sku, Version};

use super::{
    Columns, Content, Draft, FileProduct, FileRow, ImportMode, ImportWarning, MAX_ROW, NamedFields,
    ProductPreview, ProductWrite, RefusedRow, Row, StockCount, StoredVersion, ValidationError,
    changed_fields, loss_reason, losses, product_of_row,
};

/// The maximum number of reported errors per row.
const MAX_ERRORS: usize = 5;
/// The maximum size of a refused row that is stored with its reason, in bytes.
const MAX_SOURCE: usize = 16 * 1024;
/// The maximum length of a reason, in characters.
const MAX_REASON: usize = 500;

/// A parsed row: the content of a product, or the reason for its refusal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImportRow {
    pub(crate) line: i64,
    pub(crate) content: Result<ImportContent, String>,
    pub(crate) warnings: Vec<ImportWarning>,
    /// The row as stored; empty if it is very long.
    pub(crate) source: Vec<u8>,
}

/// What a row gives of a product.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ImportContent {
    /// All of it: a line of NDJSON.
    Whole(Box<Content>),
    /// The columns of a file.
    File(Box<FileContent>),
}

/// A product of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileContent {
    skus: Vec<Sku>,
    /// As the file describes it, which may be too little for a new product.
    whole: Result<Content, RefusedRow>,
    product: FileProduct,
}

/// How rows change products that exist.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImportPolicy {
    /// For the rows of a file.
    pub(crate) mode: Option<ImportMode>,
    /// The parts that the file gives.
    pub(crate) named: NamedFields,
}

impl ImportContent {
    /// The SKUs, in the order of the variants.
    pub(crate) fn skus(&self) -> impl Iterator<Item = &Sku> {
        let (whole, file) = match self {
            Self::Whole(content) => (Some(content.skus()), None),
            Self::File(content) => (None, Some(content.skus.iter())),
        };
        whole.into_iter().flatten().chain(file.into_iter().flatten())
    }
}

impl ImportContent {
    /// The counts of stock. Only files have them.
    fn counts(&self) -> Vec<StockCount> {
        let Self::File(file) = self else { return Vec::new() };
        let counts = file.product.stock().filter_map(|(sku, quantity)| {
            let sku = file.skus.iter().find(|one| one.as_str() == sku)?.clone();
            Some(StockCount { sku, quantity })
        });
        counts.collect()
    }
}

impl FileContent {
    fn new(product: FileProduct) -> Result<Self, RefusedRow> {
        let whole = product.to_draft().and_then(|draft| valid(draft, product.line()));
        let skus = product.skus().map(|sku| Sku::try_from(sku.to_owned()));
        match (skus.collect::<Result<Vec<Sku>, _>>(), whole) {
            (Ok(skus), whole) => Ok(Self { skus, whole, product }),
            (Err(_), Err(refused)) => Err(refused),
            (Err(error), Ok(_)) => Err(RefusedRow::new(product.line(), error.to_string())),
        }
    }
}

/// The content of a draft, or why the row that begins on `line` is refused.
fn valid(draft: Draft, line: i64) -> Result<Content, RefusedRow> {
    draft.validate().map_err(|errors| RefusedRow::new(line, summary(&errors)))
}

impl ImportRow {
    /// Parses and validates a row of a file.
    ///
    /// `is_raw`: an earlier version of the service stored the row.
    pub(crate) fn of_file(row: &Row, columns: &Columns, is_raw: bool) -> Self {
        let file_row = if is_raw {
            FileRow::decode_raw(row.line, &row.bytes, columns.len())
        } else {
            FileRow::decode(&row.bytes)
        };
        let file_row =
            file_row.map_err(|error| RefusedRow::new(row.line, format!("cannot be read: {error}")));
        let product = file_row.and_then(|file_row| product_of_row(columns, &file_row));
        match product.and_then(FileContent::new) {
            Ok(content) => {
                let warnings = content.product.warnings.clone();
                let content = Ok(ImportContent::File(Box::new(content)));
                Self { line: row.line, content, warnings, source: source_of(row) }
            }
            Err(RefusedRow { line, reason, .. }) => {
                let (content, warnings) = (Err(storable(&reason)), Vec::new());
                Self { line, content, warnings, source: source_of(row) }
            }
        }
    }

    /// Parses and validates a line of NDJSON.
    pub(crate) fn read(row: &Row, parse: impl FnOnce(&[u8]) -> Result<Draft, String>) -> Self {
        let content = if row.bytes.len() > MAX_ROW {
            Err(format!("is longer than {MAX_ROW} bytes"))
        } else {
            parse(&row.bytes)
                .and_then(|draft| draft.validate().map_err(|errors| summary(&errors)))
                .and_then(require_sku)
        };
        let content = content
            .map(|content| ImportContent::Whole(Box::new(content)))
            .map_err(|reason| storable(&reason));
        Self { line: row.line, content, warnings: Vec::new(), source: source_of(row) }
    }
}

fn source_of(row: &Row) -> Vec<u8> {
    if row.bytes.len() > MAX_SOURCE { Vec::new() } else { row.bytes.clone() }
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
    /// Products that a dry run would have created by now.
    pub(crate) imagined: HashSet<ProductId>,
}

/// The part of a stored product that a plan depends on.
#[derive(Debug, Clone)]
pub(crate) struct StoredProduct {
    pub(crate) version: Version,
    /// The content as encoded in the database.
    pub(crate) document: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) skus: BTreeSet<Sku>,
}

/// The result of planning the first rows of a batch.
#[derive(Debug, Default)]
pub(crate) struct ImportPlan {
    /// The number of rows that the plan covers.
    pub(crate) processed: usize,
    pub(crate) writes: Vec<ProductWrite>,
    /// The line of each write.
    pub(crate) lines: Vec<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) refused: Vec<RefusedRow>,
    pub(crate) warnings: Vec<ImportWarning>,
    /// Of rows that were not refused.
    pub(crate) counts: Vec<StockCount>,
}

/// Encodes and decodes stored products.
#[derive(Clone, Copy)]
pub(crate) struct DocumentCodec {
    /// The stored form of a content; an equal document means an unchanged product.
    pub(crate) encode: fn(&Content) -> String,
    /// None for a document that cannot be read.
    pub(crate) decode: fn(&str) -> Option<Content>,
}

/// Plans `rows`: a row updates the product that owns its SKUs, or creates one.
///
/// The plan ends before a row that depends on an earlier one, so every row sees the effects of the rows
/// before it, however the file is divided. Of two rows with the same SKU, the later one wins.
pub(crate) fn plan_import(
    rows: &[ImportRow],
    known: &KnownProducts,
    policy: &ImportPolicy,
    codec: DocumentCodec,
    now: DateTime<Utc>,
) -> ImportPlan {
    let mut plan = ImportPlan::default();
    let (mut skus, mut products) = (HashSet::<&Sku>::new(), HashSet::<ProductId>::new());
    for row in rows {
        let ImportRow { line, content, warnings, .. } = row;
        let content = match content {
            Ok(content) => content,
            Err(reason) => {
                plan.refuse(row, RefusedRow::new(*line, reason.clone()));
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
        if owners.len() > 1 {
            let reason = format!("its SKUs belong to {} different products", owners.len());
            plan.refuse(row, RefusedRow::new(*line, reason));
            continue;
        }
        let owner = owners.first().map(|owner| (*owner, &known.products[owner]));
        let stored = owner.map(|(_, stored)| stored);
        let counts = content.counts();
        let content = match next_content(content, stored, policy, codec, *line) {
            Ok(content) => content,
            Err(refused) => {
                plan.refuse(row, refused);
                continue;
            }
        };
        plan.warnings.extend(warnings.iter().cloned());
        if content.has_ended_sale(now) {
            let message = "a sale that has ended was left out".to_owned();
            plan.warnings.push(ImportWarning { line: *line, message });
        }
        let content = content.without_ended_sales(now);
        plan.counts.extend(counts);
        if let Some((owner, stored)) = owner {
            let is_unchanged = (codec.encode)(&content) == stored.document;
            if !is_unchanged {
                plan.lines.push(*line);
            }
            plan.update(owner, stored, (!is_unchanged).then_some(content), now);
        } else {
            plan.processed += 1;
            plan.created += 1;
            plan.lines.push(*line);
            plan.writes.push(ProductWrite::create(content, now));
        }
    }
    plan
}

/// The content of a product after a row.
fn next_content(
    given: &ImportContent,
    stored: Option<&StoredProduct>,
    policy: &ImportPolicy,
    codec: DocumentCodec,
    line: i64,
) -> Result<Content, RefusedRow> {
    let file = match given {
        ImportContent::Whole(content) => return Ok(Content::clone(content)),
        ImportContent::File(file) => file,
    };
    let refuse = |reason: &str| RefusedRow::new(line, storable(reason));
    let stored = stored
        .map(|stored| {
            (codec.decode)(&stored.document)
                .ok_or_else(|| refuse("the stored product cannot be read"))
        })
        .transpose()?;
    let next = match (stored, policy.mode) {
        (None, _) | (Some(_), Some(ImportMode::Replace)) => file.whole.clone(),
        (Some(stored), Some(ImportMode::Merge)) => {
            file.product.merged_into(stored).and_then(|draft| valid(draft, line))
        }
        (Some(stored), None) => {
            let next = file.whole.clone()?;
            let losses = losses(&stored, &next, &policy.named);
            if losses.is_empty() { Ok(next) } else { Err(refuse(&loss_reason(&losses))) }
        }
    };
    next.map_err(|refused| RefusedRow::new(refused.line, storable(&refused.reason)))
}

impl ImportPlan {
    fn refuse(&mut self, row: &ImportRow, refused: RefusedRow) {
        self.processed += 1;
        self.refused.push(RefusedRow { source: row.source.clone(), ..refused });
    }

    /// Without new content, the product is unchanged.
    fn update(
        &mut self,
        id: ProductId,
        stored: &StoredProduct,
        content: Option<Content>,
        now: DateTime<Utc>,
    ) {
        self.processed += 1;
        let Some(content) = content else {
            self.unchanged += 1;
            return;
        };
        self.updated += 1;
        let StoredProduct { version, created_at, updated_at, ref skus, .. } = *stored;
        let stored = StoredVersion { version, created_at, updated_at, skus };
        self.writes.push(ProductWrite::replace(id, &stored, content, now));
    }
}

impl ImportPlan {
    /// What the first `limit` writes change.
    pub(crate) fn previews(
        &self,
        known: &KnownProducts,
        codec: DocumentCodec,
        limit: usize,
    ) -> Vec<ProductPreview> {
        let writes = self.writes.iter().zip(&self.lines).take(limit);
        let preview = |(write, line): (&ProductWrite, &i64)| {
            let id = write.product.id;
            let stored = known.products.get(&id);
            let before = stored.and_then(|stored| (codec.decode)(&stored.document));
            ProductPreview {
                line: *line,
                product: stored.filter(|_| !known.imagined.contains(&id)).map(|_| id),
                changes: changed_fields(before.as_ref(), &write.product.content),
            }
        };
        writes.map(preview).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use chrono::DateTime;
    use vocabulary::{Currency, Localized, Money};

    use super::{
        Content, DocumentCodec, Draft, ImportContent, ImportPlan, ImportPolicy, ImportRow,
        KnownProducts, MAX_ROW, ProductId, Row, Sku, StoredProduct, Version, plan_import,
    };
    use crate::domain::{DraftPrice, DraftVariant, ProductStatus, Variant};

    fn content(title: &str, skus: &[&str]) -> Content {
        let price = Money::new(1, Currency::CNY).unwrap();
        let variant = |sku: &&str| Variant {
            sku: sku.parse().unwrap(),
            options: BTreeMap::new(),
            price,
            compare_at_price: None,
            sale: None,
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
        let content = Ok(ImportContent::Whole(Box::new(content(title, skus))));
        ImportRow { line, content, warnings: Vec::new(), source: Vec::new() }
    }

    fn encode(content: &Content) -> String {
        format!("{content:?}")
    }

    fn plan(rows: &[ImportRow], known: &KnownProducts) -> ImportPlan {
        let codec = DocumentCodec { encode, decode: |_| None };
        plan_import(rows, known, &ImportPolicy::default(), codec, DateTime::UNIX_EPOCH)
    }

    fn known(products: &[(Content, ProductId)]) -> KnownProducts {
        let mut known = KnownProducts::default();
        for (content, id) in products {
            let skus: BTreeSet<Sku> = content.skus().cloned().collect();
            known.owners.extend(skus.iter().map(|sku| (sku.clone(), *id)));
            let (document, created_at) = (encode(content), DateTime::UNIX_EPOCH);
            let (version, updated_at) = (Version::FIRST, created_at);
            let stored = StoredProduct { version, document, created_at, updated_at, skus };
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
        let (compare_at_price, sale) = (None, None);
        let variants = vec![DraftVariant { sku, options, price, compare_at_price, sale, barcode }];
        assert_eq!(
            reason(&row(1), Ok(Draft { variants, ..draft })),
            "variants[0].price.amount: an amount of money must not be negative"
        );
    }
}
