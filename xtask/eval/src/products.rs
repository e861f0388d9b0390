//! Products as documents of the index.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use chrono::DateTime;
use flate2::read::GzDecoder;
use sample_catalogue::SampleProduct;
use search_sync::{
    index::{
        Attribute, Change, Document, Index, Localized, Price, Query, Results, SearchSettings,
        VariantOption,
    },
    json::attribute_value,
};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;
use vocabulary::Currency;

use crate::{error::Error, synonyms::seeded};

/// How many documents are written at once.
const BATCH: usize = 2_000;

/// An index in a temporary folder, which is deleted with this value, and the settings of a new shop.
#[derive(Debug)]
pub struct TemporaryIndex {
    index: Index,
    settings: SearchSettings,
    _folder: TempDir,
}

impl TemporaryIndex {
    /// Searches as a new shop does.
    pub(crate) fn search(&self, query: &Query) -> Result<Results, Error> {
        Ok(self.index.search_with(query, &self.settings, DateTime::UNIX_EPOCH)?)
    }
}

/// Builds an index of these documents.
pub fn index(documents: Vec<Document>) -> Result<TemporaryIndex, Error> {
    let folder = TempDir::new().map_err(Error::Folder)?;
    let index = Index::open(folder.path())?;
    let mut writer = index.writer()?;
    let changes: Vec<Change> =
        documents.into_iter().map(|document| Change::Upsert(Box::new(document))).collect();
    for (number, part) in changes.chunks(BATCH).enumerate() {
        writer.apply(part, &number.to_string())?;
    }
    writer.compact()?.close()?;
    Ok(TemporaryIndex { index, settings: seeded()?, _folder: folder })
}

/// The first products of the sample catalogue with their documents. Every variant is in stock.
pub fn sample(count: usize) -> Vec<(SampleProduct, Document)> {
    let products = sample_catalogue::products(sample_catalogue::DEFAULT_SEED).take(count);
    (1_u128..)
        .zip(products)
        .map(|(number, product)| {
            let document = sample_document(&product, number);
            (product, document)
        })
        .collect()
}

fn sample_document(product: &SampleProduct, number: u128) -> Document {
    let text = |text: &sample_catalogue::Bilingual| Localized {
        zh: Some(text.zh.clone()),
        en: Some(text.en.clone()),
    };
    let options: BTreeSet<(&str, &str)> = product
        .variants
        .iter()
        .flat_map(|variant| variant.options.iter().map(|(name, value)| (*name, *value)))
        .collect();
    let price = |amount: i64| Price { amount, currency: Currency::CNY };
    Document {
        product_id: Uuid::from_u128(number),
        version: 1,
        title: text(&product.title),
        description: text(&product.description),
        brand: product.brand.to_owned(),
        category: product.category.to_owned(),
        attributes: product
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Attribute::Words(vec![value.clone()])))
            .collect(),
        skus: product.variants.iter().map(|variant| variant.sku.clone()).collect(),
        barcodes: product.variants.iter().map(|variant| variant.barcode.clone()).collect(),
        options: options
            .into_iter()
            .map(|(name, value)| VariantOption {
                name: name.to_owned(),
                value: value.to_owned(),
                in_stock: true,
            })
            .collect(),
        prices: product.variants.iter().map(|variant| price(variant.price.amount)).collect(),
        in_stock: true,
        ..Document::default()
    }
}

/// The products of a file, NDJSON, perhaps as `.gz`, with their documents' ids.
///
/// A line has an `id` and a `title`, and may have `brand`, `category`, `description` or `short_description`,
/// `attributes`, `name` (the code of the manufacturer) and `price_cents`. Titles and descriptions are texts, or
/// objects with `zh` and `en`.
pub fn read(path: &Path) -> Result<(Vec<Document>, BTreeMap<Uuid, String>), Error> {
    let file = File::open(path).map_err(Error::file(path))?;
    let reader: Box<dyn BufRead> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(BufReader::new(GzDecoder::new(file)))
    } else {
        Box::new(BufReader::new(file))
    };
    let mut documents = Vec::new();
    let mut ids = BTreeMap::new();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(Error::file(path))?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |reason: String| Error::Line { path: path.to_owned(), line: number, reason };
        let product: Value =
            serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let id = plain_text(&product["id"]).ok_or_else(|| wrong("there is no id".to_owned()))?;
        let product_id = Uuid::from_u128(u128::try_from(number).unwrap_or_default());
        ids.insert(product_id, id);
        documents.push(document(product_id, &product));
    }
    Ok((documents, ids))
}

fn document(product_id: Uuid, product: &Value) -> Document {
    let text = |key: &str| product[key].as_str().unwrap_or_default().to_owned();
    let price =
        product["price_cents"].as_i64().map(|amount| Price { amount, currency: Currency::EUR });
    let attributes = product["attributes"].as_object().into_iter().flatten();
    let described = product.get("description").unwrap_or(&product["short_description"]);
    Document {
        product_id,
        version: 1,
        title: localized(&product["title"]),
        description: localized(described),
        brand: text("brand"),
        category: text("category"),
        attributes: attributes
            .filter_map(|(key, value)| {
                Some((key.clone(), Attribute::from_value(&attribute_value(value)?)?))
            })
            .collect(),
        skus: product["name"].as_str().map(str::to_owned).into_iter().collect(),
        prices: price.into_iter().collect(),
        in_stock: true,
        ..Document::default()
    }
}

/// A text of unknown language is taken for English.
fn localized(value: &Value) -> Localized {
    let language = |key: &str| value[key].as_str().map(str::to_owned);
    match value.as_str() {
        Some(text) => Localized { zh: None, en: Some(text.to_owned()) },
        None => Localized { zh: language("zh"), en: language("en") },
    }
}

/// An id may be a number.
fn plain_text(value: &Value) -> Option<String> {
    let number = || value.is_number().then(|| value.to_string());
    value.as_str().map(str::to_owned).or_else(number)
}
