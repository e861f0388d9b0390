//! Distinct products, as many as a bench wants: as the catalogue imports them, and as documents of the index.

use std::{collections::BTreeSet, path::Path};

use sample_catalogue::SampleProduct;
use search_sync::{
    index::{Attribute, Document, Localized, Price, VariantOption},
    json::attribute_value,
};
use serde_json::{Value, json};
use suite::import;
use uuid::Uuid;

use crate::error::Error;

/// The seed of the generated products.
const SEED: u64 = 11;

/// The file of real products.
const REAL: &str = "icecat-products.ndjson.gz";

/// An endless iterator over distinct products.
///
/// Without a folder they are those of the sample catalogue. With one, every second product is a real one: as it is
/// the first time, then as another edition with a code, a title and a price of its own. The other half stays, because
/// the real ones are in English and most queries are in Chinese.
pub(super) struct Products {
    real: Vec<Value>,
    number: usize,
    sample: Box<dyn Iterator<Item = SampleProduct>>,
}

impl Products {
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, Error> {
        let mut real = Vec::new();
        if let Some(folder) = folder {
            let lines = import::with_prefix(&folder.join(REAL), "")?;
            let products = lines.split(|byte| *byte == b'\n');
            let products = products.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
            // The catalogue refuses products without a price.
            real = products.filter(|one| one["variants"][0]["price"].is_object()).collect();
        }
        let sample = Box::new(sample_catalogue::products(SEED));
        Ok(Self { real, number: 0, sample })
    }

    /// The real product or the edition of one with this number.
    fn real(&self, number: usize) -> Option<Value> {
        let edition = number.checked_div(self.real.len())?;
        let mut product = self.real.get(number % self.real.len())?.clone();
        if edition > 0 {
            let title = product["title"]["en"].as_str().unwrap_or_default();
            product["title"]["en"] = format!("{title} MK{edition}").into();
            let variant = &mut product["variants"][0];
            let sku = variant["sku"].as_str().unwrap_or_default();
            variant["sku"] = format!("{sku}-{edition}").into();
            let amount = variant["price"]["amount"].as_i64().unwrap_or_default();
            let raised = i64::try_from(edition).unwrap_or_default() * 100;
            variant["price"]["amount"] = (amount + raised).into();
            // A barcode belongs to one product.
            variant.as_object_mut()?.remove("barcode");
        }
        Some(product)
    }
}

impl Iterator for Products {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let number = self.number;
        self.number += 1;
        if number.is_multiple_of(2)
            && let Some(product) = self.real(number / 2)
        {
            return Some(product);
        }
        serde_json::to_value(self.sample.next()?).ok()
    }
}

/// The first SKU of a product.
pub(super) fn sku(product: &Value) -> &str {
    product["variants"][0]["sku"].as_str().unwrap_or_default()
}

/// Raises the prices of a product, so that its import is a change.
pub(super) fn raise_prices(product: &mut Value) {
    for variant in product["variants"].as_array_mut().into_iter().flatten() {
        if let Some(amount) = variant["price"]["amount"].as_i64() {
            variant["price"]["amount"] = json!(amount + 1);
        }
    }
}

/// The document that search-sync makes of a product that is out of stock.
pub(super) fn document(number: usize, product: &Value) -> Document {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let localized = |value: &Value| Localized { zh: text(&value["zh"]), en: text(&value["en"]) };
    let variants = || product["variants"].as_array().into_iter().flatten();
    let options: BTreeSet<(&str, &str)> = variants()
        .filter_map(|variant| variant["options"].as_object())
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    let price = |variant: &Value| {
        let price = &variant["price"];
        let currency = price["currency"].as_str()?.parse().ok()?;
        Some(Price { amount: price["amount"].as_i64()?, currency })
    };
    let attributes = product["attributes"].as_object().into_iter().flatten();
    Document {
        product_id: Uuid::from_u128(u128::try_from(number).unwrap_or_default() + 1),
        version: 1,
        title: localized(&product["title"]),
        description: localized(&product["description"]),
        brand: text(&product["brand"]).unwrap_or_default(),
        category: text(&product["category"]).unwrap_or_default(),
        attributes: attributes
            .filter_map(|(name, value)| {
                Some((name.clone(), Attribute::from_value(&attribute_value(value)?)?))
            })
            .collect(),
        skus: variants().filter_map(|variant| text(&variant["sku"])).collect(),
        barcodes: variants().filter_map(|variant| text(&variant["barcode"])).collect(),
        options: options
            .into_iter()
            .map(|(name, value)| VariantOption {
                name: name.to_owned(),
                value: value.to_owned(),
                in_stock: false,
            })
            .collect(),
        prices: variants().filter_map(price).collect(),
        ..Document::default()
    }
}

/// Products as the body of an import.
pub(super) fn ndjson<'a>(products: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut body = Vec::new();
    for product in products {
        body.extend(product.to_string().into_bytes());
        body.push(b'\n');
    }
    body
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{Products, document, sku};

    fn products(real: Vec<Value>) -> Products {
        let sample = Box::new(sample_catalogue::products(1));
        Products { real, number: 0, sample }
    }

    fn real(sku: &str) -> Value {
        let price = json!({"amount": 500, "currency": "EUR"});
        let variant = json!({"sku": sku, "options": {}, "price": price, "barcode": "1"});
        json!({"title": {"en": "Cable"}, "attributes": {"length": 2}, "variants": [variant]})
    }

    #[test]
    fn multiplied_products_are_distinct() {
        let found: Vec<Value> = products(vec![real("A"), real("B")]).take(40).collect();
        let skus: BTreeSet<&str> = found.iter().map(sku).collect();
        assert_eq!(skus.len(), 40);
        assert!(skus.contains("A") && skus.contains("B-9"));
        assert_eq!(found[4]["title"]["en"], "Cable MK1");
    }

    #[test]
    fn products_become_documents() {
        let document = document(0, &real("A"));
        assert_eq!((document.skus, document.prices[0].amount), (vec!["A".to_owned()], 500));
        assert_eq!(document.attributes.len(), 1);
    }
}
