//! Converts products of the open Icecat catalogue.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How many words of the description replace a missing category.
const CATEGORY_WORDS: usize = 3;

/// A product of Icecat: the fields that are converted.
#[derive(Debug, Deserialize)]
struct IcecatProduct {
    id: String,
    title: String,
    #[serde(default)]
    brand: String,
    price_cents: Option<i64>,
    #[serde(default)]
    ean: Vec<String>,
    #[serde(default)]
    short_description: Option<String>,
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// A line as the catalogue accepts it. A line that is no Icecat product is unchanged: the catalogue validates
/// it.
pub(super) fn converted(line: Vec<u8>) -> Vec<u8> {
    match serde_json::from_slice::<IcecatProduct>(&line) {
        Ok(product) => product.into_product().to_string().into_bytes(),
        Err(_) => line,
    }
}

impl IcecatProduct {
    /// A product with one variant, whose SKU is Icecat's id. A missing price stays missing, and the catalogue
    /// refuses the product.
    fn into_product(self) -> Value {
        let category = self.category();
        let description = self.short_description.map_or(json!({}), |text| json!({ "en": text }));
        let mut variant = json!({"sku": self.id, "options": {}});
        if let Some(amount) = self.price_cents {
            variant["price"] = json!({"amount": amount, "currency": "EUR"});
        }
        if let Some(ean) = self.ean.first() {
            variant["barcode"] = json!(ean);
        }
        json!({
            "title": {"en": self.title},
            "description": description,
            "brand": self.brand,
            "category": category,
            "attributes": self.attributes,
            "images": [],
            "status": "active",
            "variants": [variant],
        })
    }

    /// The product's type if it contains letters, else the first words of the description.
    fn category(&self) -> String {
        self.attributes
            .get("product_type")
            .and_then(Value::as_str)
            .map(words)
            .filter(|kind| kind.chars().any(char::is_alphabetic))
            .or_else(|| {
                self.short_description.as_deref().map(words).filter(|text| !text.is_empty())
            })
            .unwrap_or_else(|| "Other".to_owned())
    }
}

/// The first words of a text, up to a separator.
fn words(text: &str) -> String {
    text.split([',', ';', '/', '|', '('])
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .take(CATEGORY_WORDS)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::converted;

    fn convert(line: &Value) -> Value {
        serde_json::from_slice(&converted(line.to_string().into_bytes())).unwrap()
    }

    #[test]
    fn icecat_product_is_converted() {
        let ours = convert(&json!({
            "id": "1128895", "name": "X", "title": "A null modem adapter", "brand": "Acme", "price_cents": 595,
            "ean": ["0065030815772"], "short_description": "Null modem adapter, male to female",
            "attributes": {"width": 33.6, "colour": "Grey", "rohs": true}
        }));
        assert_eq!(
            ours,
            json!({
                "title": {"en": "A null modem adapter"},
                "description": {"en": "Null modem adapter, male to female"},
                "brand": "Acme",
                "category": "Null modem adapter",
                "attributes": {"width": 33.6, "colour": "Grey", "rohs": true},
                "images": [],
                "status": "active",
                "variants": [{"sku": "1128895", "options": {}, "barcode": "0065030815772",
                              "price": {"amount": 595, "currency": "EUR"}}],
            })
        );
    }

    #[test]
    fn category_comes_from_type_or_description() {
        let mut product = json!({
            "id": "1", "title": "T", "price_cents": null, "short_description": "For your desk",
            "attributes": {"product_type": "Desktop Board"}
        });
        let ours = convert(&product);
        assert_eq!(ours["category"], "Desktop Board");
        assert_eq!(ours["variants"][0].get("price"), None);
        product["attributes"]["product_type"] = json!("1");
        assert_eq!(convert(&product)["category"], "For your desk");
        product["short_description"] = json!("");
        assert_eq!(convert(&product)["category"], "Other");
        product["short_description"] = json!(null);
        assert_eq!(convert(&product)["description"], json!({}));
    }

    #[test]
    fn other_lines_are_unchanged() {
        for line in ["", "no JSON", r#"{"title": {"en": "ours"}, "variants": []}"#] {
            assert_eq!(converted(line.as_bytes().to_vec()), line.as_bytes());
        }
    }
}
