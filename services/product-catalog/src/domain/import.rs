//! What the rows of an import do to the catalogue.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, Sku, Version};

use super::content::Content;
use super::draft::{Draft, Flaw};
use super::product::Write;
use super::rows::{MAX_ROW, Row};
use super::spreadsheet::{Columns, draft_of_group};

/// How many rules that a row breaks are told.
const MAX_TOLD: usize = 5;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;
/// What the lines of an export say beside the product; an import passes over it, for it knows products by their SKUs.
const OF_THE_EXPORT: [&str; 4] = ["id", "version", "created_at", "updated_at"];

/// A row that was read: a product, or why it is none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImportRow {
    pub(crate) line: i64,
    pub(crate) content: Result<Content, String>,
}

impl ImportRow {
    /// Reads a row: JSON, or CSV where there are columns.
    pub(crate) fn read(columns: Option<&Columns>, row: &Row) -> Self {
        let content = if row.bytes.len() > MAX_ROW {
            Err(format!("is longer than {MAX_ROW} bytes"))
        } else {
            let draft = match columns {
                Some(columns) => draft_of_group(columns, &row.bytes),
                None => draft_of_json(&row.bytes),
            };
            draft
                .and_then(|draft| draft.check().map_err(|flaws| told(&flaws)))
                .and_then(known_by_sku)
        };
        Self { line: row.line, content: content.map_err(|reason| shortened(&reason)) }
    }
}

fn draft_of_json(bytes: &[u8]) -> Result<Draft, String> {
    if let Ok(draft) = serde_json::from_slice(bytes) {
        return Ok(draft);
    }
    let mut value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| format!("is not JSON: {error}"))?;
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| !OF_THE_EXPORT.contains(&name.as_str()));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) }
    })
}

/// A product without a SKU could not be found again, and would be created anew by every import of the same file.
fn known_by_sku(content: Content) -> Result<Content, String> {
    if content.variants.is_empty() {
        return Err(
            "variants: an imported product must have a SKU, for it is known by it".to_owned()
        );
    }
    Ok(content)
}

fn told(flaws: &[Flaw]) -> String {
    let told = flaws.iter().take(MAX_TOLD).map(|flaw| format!("{}: {}", flaw.field, flaw.message));
    let mut told: Vec<String> = told.collect();
    if flaws.len() > MAX_TOLD {
        told.push(format!("and {} more", flaws.len() - MAX_TOLD));
    }
    told.join("; ")
}

/// Without what the database cannot store, and without end.
fn shortened(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(MAX_REASON).collect()
}

/// What the catalogue holds of the SKUs of some rows.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Whose they are.
    pub(crate) owners: HashMap<Sku, ProductId>,
    /// Their owners.
    pub(crate) products: HashMap<ProductId, Current>,
}

/// A product as it is now, as far as an import needs to know it.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) version: Version,
    /// Its content as it is stored.
    pub(crate) document: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) skus: BTreeSet<Sku>,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) line: i64,
    pub(crate) reason: String,
}

/// What is to be done for the first rows of a batch.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// How many rows it covers.
    pub(crate) taken: usize,
    pub(crate) writes: Vec<Write>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) refusals: Vec<Refusal>,
}

/// Decides what becomes of `rows`: a product is found by its SKUs and updated, or else created.
///
/// It ends before a row that has to do with an earlier one of the batch, so that each row sees what those before it did,
/// however the file was divided: where a file says a SKU twice, the later row counts.
pub(crate) fn plan(rows: &[ImportRow], known: &Known, now: DateTime<Utc>) -> Plan {
    let mut plan = Plan::default();
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
        let touched = content.skus().any(|sku| skus.contains(sku));
        if touched || owners.iter().any(|owner| products.contains(owner)) {
            return plan;
        }
        skus.extend(content.skus());
        products.extend(owners.iter().copied());
        match owners.iter().next() {
            _ if owners.len() > 1 => {
                let reason = format!("its SKUs belong to {} different products", owners.len());
                plan.refuse(*line, reason);
            }
            Some(owner) => plan.update(*owner, &known.products[owner], content, now),
            None => {
                plan.taken += 1;
                plan.created += 1;
                plan.writes.push(Write::create(content.clone(), now));
            }
        }
    }
    plan
}

impl Plan {
    fn refuse(&mut self, line: i64, reason: String) {
        self.taken += 1;
        self.refusals.push(Refusal { line, reason });
    }

    fn update(&mut self, id: ProductId, current: &Current, content: &Content, now: DateTime<Utc>) {
        self.taken += 1;
        if content.document() == current.document {
            self.unchanged += 1;
            return;
        }
        self.updated += 1;
        let Current { version, created_at, skus, .. } = current;
        self.writes.push(Write::replace(id, *version, *created_at, skus, content.clone(), now));
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::{Current, ImportRow, Known, ProductId, Row, Sku, Version, plan};

    fn row(line: i64, title: &str, skus: &[&str]) -> ImportRow {
        let price = json!({"amount": 1, "currency": "CNY"});
        let variants: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "price": price})).collect();
        let text =
            json!({"title": {"en": title}, "category": "a", "variants": variants}).to_string();
        ImportRow::read(None, &Row { line, bytes: text.into_bytes() })
    }

    fn known(products: &[(&ImportRow, ProductId)]) -> Known {
        let mut known = Known::default();
        for (row, id) in products {
            let content = row.content.as_ref().unwrap();
            let skus: std::collections::BTreeSet<Sku> = content.skus().cloned().collect();
            known.owners.extend(skus.iter().map(|sku| (sku.clone(), *id)));
            let document = content.document();
            let created_at = DateTime::UNIX_EPOCH;
            known
                .products
                .insert(*id, Current { version: Version::FIRST, document, created_at, skus });
        }
        known
    }

    #[test]
    fn rows_create_update_or_leave() {
        let [p, q] = [ProductId::new(), ProductId::new()];
        let known = known(&[(&row(0, "P", &["A", "B"]), p), (&row(0, "Q", &["C"]), q)]);
        let rows = [row(1, "P2", &["B", "D"]), row(2, "Q", &["C"]), row(3, "New", &["E"])];
        let plan = plan(&rows, &known, DateTime::UNIX_EPOCH);
        assert_eq!((plan.taken, plan.created, plan.updated, plan.unchanged), (3, 1, 1, 1));
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
    fn a_row_over_two_products_is_refused() {
        let known = known(&[
            (&row(0, "P", &["A"]), ProductId::new()),
            (&row(0, "Q", &["B"]), ProductId::new()),
        ]);
        let plan = plan(&[row(7, "X", &["A", "B"])], &known, DateTime::UNIX_EPOCH);
        assert_eq!(plan.refusals[0].line, 7);
        assert_eq!(plan.refusals[0].reason, "its SKUs belong to 2 different products");
    }

    #[test]
    fn a_batch_ends_before_a_row_that_needs_an_earlier_one() {
        let p = ProductId::new();
        let known = known(&[(&row(0, "P", &["A", "B"]), p)]);
        let now = DateTime::UNIX_EPOCH;
        let same_sku = [row(1, "X", &["N"]), row(2, "Y", &["N"])];
        let same_owner = [row(1, "X", &["A"]), row(2, "Y", &["B"])];
        assert_eq!(plan(&same_sku, &known, now).taken, 1);
        assert_eq!(plan(&same_owner, &known, now).taken, 1);
    }

    #[test]
    fn rows_that_are_no_products_say_why() {
        let reason = |text: &str| {
            ImportRow::read(None, &Row { line: 1, bytes: text.as_bytes().to_vec() })
                .content
                .unwrap_err()
        };
        assert!(reason("{").starts_with("is not JSON: "));
        assert!(reason("{\"title\":\"x\"}").starts_with("title: invalid type: string"));
        let price = r#"{"title":{"en":"x"},"category":"a","variants":[{"sku":"A","price":{"amount":-1,"currency":"CNY"}}]}"#;
        assert_eq!(
            reason(price),
            "variants[0].price.amount: an amount of money must not be negative"
        );
        assert!(
            reason(&price.replace("\"category\"", "\"colour\"")).contains("unknown field `colour`")
        );
        assert!(
            reason(r#"{"title":{"en":"x"},"category":"a","status":"draft"}"#)
                .starts_with("variants: ")
        );
    }

    #[test]
    fn a_line_of_the_export_is_taken_back() {
        let text = r#"{"id":"x","version":3,"created_at":"t","updated_at":"t","title":{"en":"x"},"category":"a","variants":[{"sku":"A","price":{"amount":1,"currency":"CNY"}}]}"#;
        let read = ImportRow::read(None, &Row { line: 1, bytes: text.as_bytes().to_vec() });
        assert_eq!(read, row(1, "x", &["A"]));
    }
}
