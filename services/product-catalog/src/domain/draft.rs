//! A product as somebody wishes it to be, and the rules that it must keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vocabulary::{Currency, Localized, Money, Sku};

use super::content::{Attribute, Content, Status, Variant};

/// The most levels that a category may have.
const MAX_LEVELS: usize = 5;
/// The most variants of one product.
const MAX_VARIANTS: usize = 100;
/// The most attributes of one product; real data sheets have close to two hundred.
const MAX_ATTRIBUTES: usize = 400;
/// The most pictures of one product.
const MAX_IMAGES: usize = 50;
/// The most entries of a list of texts, and the most options of a variant.
const MAX_ENTRIES: usize = 100;
/// The longest title, in characters.
const MAX_TITLE: usize = 500;
/// The longest description.
const MAX_DESCRIPTION: usize = 20_000;
/// The longest text of an attribute.
const MAX_TEXT: usize = 8_000;
/// The longest name: of a brand, a level of a category, an attribute, an option or its value.
const MAX_NAME: usize = 120;
/// The longest address of a picture.
const MAX_ADDRESS: usize = 2_000;
/// How many flaws are told at most.
const MAX_FLAWS: usize = 100;

/// A product as it is sent: of the right shape, not yet checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProductDraft)]
pub(crate) struct Draft {
    /// Its name, in at least one language; at most 500 characters.
    pub(crate) title: Localized,
    /// What is said about it; at most 20,000 characters.
    #[serde(default)]
    pub(crate) description: Localized,
    /// Who makes it.
    #[serde(default)]
    pub(crate) brand: Option<String>,
    /// Where it stands in the shop: one to five levels, divided by `/`.
    #[schema(example = "数码/电脑外设/机械键盘")]
    pub(crate) category: String,
    /// Facts about it, at most 400: text, numbers, booleans, or lists of text.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) attributes: BTreeMap<String, Value>,
    /// Addresses of pictures, `http` or `https`; at most 50.
    #[serde(default)]
    pub(crate) images: Vec<String>,
    /// Whether it is for sale; `active` unless said.
    #[serde(default)]
    pub(crate) status: Status,
    /// What of it can be bought: 1 to 100; a draft may have none.
    #[serde(default)]
    pub(crate) variants: Vec<DraftVariant>,
}

/// A variant as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VariantDraft)]
pub(crate) struct DraftVariant {
    /// Unique in the whole catalogue: 1 to 64 ASCII letters, digits and `-_./+#`.
    #[schema(example = "KB-F87-RED")]
    pub(crate) sku: String,
    /// What sets it apart from the other variants.
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
    /// What one piece costs.
    pub(crate) price: DraftPrice,
    /// Its EAN or UPC: 8 to 14 digits.
    #[serde(default)]
    pub(crate) barcode: Option<String>,
}

/// A price as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceDraft, example = json!({"amount": 12900, "currency": "CNY"}))]
pub(crate) struct DraftPrice {
    /// Minor units: 12900 is 129.00. Zero or more.
    pub(crate) amount: i64,
    /// Three capital letters.
    pub(crate) currency: String,
}

/// One rule that one field breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Such as `variants[0].price.amount`.
    pub(crate) field: String,
    /// `invalid`, `required`, `too_long`, `too_many` or `duplicate`.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

impl Draft {
    /// The product, or every rule that it breaks. White space around names is taken away, empty texts are none.
    pub(crate) fn check(self) -> Result<Content, Vec<Flaw>> {
        let mut flaws = Flaws(Vec::new());
        let title = flaws.localized("title", self.title, MAX_TITLE);
        if title.is_empty() {
            flaws.add("title", "required", "must be given in at least one language");
        }
        let description = flaws.localized("description", self.description, MAX_DESCRIPTION);
        let brand = self.brand.and_then(|brand| flaws.name("brand", &brand));
        let category = flaws.category(&self.category);
        let attributes = flaws.attributes(self.attributes);
        flaws.images(&self.images);
        if self.variants.is_empty() && self.status != Status::Draft {
            flaws.add(
                "variants",
                "required",
                "must have at least one, unless the product is a draft",
            );
        }
        let variants = flaws.variants(self.variants);
        if !flaws.0.is_empty() {
            return Err(flaws.0);
        }
        let (images, status) = (self.images, self.status);
        Ok(Content { title, description, brand, category, attributes, images, status, variants })
    }
}

/// Collects flaws.
struct Flaws(Vec<Flaw>);

impl Flaws {
    fn add(&mut self, field: impl Display, code: &'static str, message: impl Into<String>) {
        if self.0.len() < MAX_FLAWS {
            self.0.push(Flaw { field: field.to_string(), code, message: message.into() });
        }
    }

    fn count(&mut self, field: &str, found: usize, limit: usize) -> bool {
        if found > limit {
            self.add(field, "too_many", format!("may have at most {limit}, not {found}"));
        }
        found <= limit
    }

    /// Notes if `text` is too long, or holds the one character that databases refuse. Real data sheets have other control
    /// characters in them, left there by programs that mistook one encoding for another; they do no harm.
    fn text(&mut self, field: impl Display, text: &str, limit: usize) {
        if text.chars().nth(limit).is_some() {
            self.add(&field, "too_long", format!("may have at most {limit} characters"));
        }
        if text.contains('\0') {
            self.add(&field, "invalid", "must not hold the character NUL");
        }
    }

    /// A one-line text without white space around it; `None` where nothing is left.
    fn name(&mut self, field: impl Display, text: &str) -> Option<String> {
        let text = text.trim();
        if text.chars().nth(MAX_NAME).is_some() {
            self.add(&field, "too_long", format!("may have at most {MAX_NAME} characters"));
        }
        if text.chars().any(char::is_control) {
            self.add(&field, "invalid", "must not hold control characters");
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn localized(&mut self, field: &str, text: Localized, limit: usize) -> Localized {
        let mut check = |language: &str, text: Option<String>| {
            let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
            self.text(format_args!("{field}.{language}"), &text, limit);
            Some(text)
        };
        Localized { zh: check("zh", text.zh), en: check("en", text.en) }
    }

    fn category(&mut self, path: &str) -> String {
        let levels: Vec<&str> = path.split('/').map(str::trim).collect();
        if levels.iter().any(|level| level.is_empty()) {
            self.add("category", "invalid", "must be 1 to 5 names divided by /, such as a/b/c");
        } else if levels.len() > MAX_LEVELS {
            self.add("category", "too_many", format!("may have at most {MAX_LEVELS} levels"));
        }
        for level in &levels {
            self.name("category", level);
        }
        levels.join("/")
    }

    fn attributes(&mut self, given: BTreeMap<String, Value>) -> BTreeMap<String, Attribute> {
        if !self.count("attributes", given.len(), MAX_ATTRIBUTES) {
            return BTreeMap::new();
        }
        let mut checked = BTreeMap::new();
        for (key, value) in given {
            let Some(name) = self.name(format_args!("attributes.{key}"), &key) else {
                self.add("attributes", "invalid", "must not have an empty key");
                continue;
            };
            if let Some(value) = self.attribute(&name, value) {
                checked.insert(name, value);
            }
        }
        checked
    }

    fn attribute(&mut self, name: &str, value: Value) -> Option<Attribute> {
        let field = format!("attributes.{name}");
        match value {
            Value::Bool(flag) => Some(Attribute::Flag(flag)),
            Value::Number(number) => Some(Attribute::Number(number)),
            Value::String(text) => {
                self.text(&field, &text, MAX_TEXT);
                Some(Attribute::Text(text))
            }
            Value::Array(values) if self.count(&field, values.len(), MAX_ENTRIES) => {
                let mut texts = Vec::with_capacity(values.len());
                for (place, value) in values.into_iter().enumerate() {
                    let Value::String(text) = value else {
                        self.add(format_args!("{field}[{place}]"), "invalid", "must be text");
                        continue;
                    };
                    self.text(format_args!("{field}[{place}]"), &text, MAX_TEXT);
                    texts.push(text);
                }
                Some(Attribute::Texts(texts))
            }
            Value::Array(_) => None,
            Value::Null | Value::Object(_) => {
                let message = "must be text, a number, a boolean or a list of texts";
                self.add(&field, "invalid", message);
                None
            }
        }
    }

    fn images(&mut self, images: &[String]) {
        if !self.count("images", images.len(), MAX_IMAGES) {
            return;
        }
        for (place, image) in images.iter().enumerate() {
            let field = format!("images[{place}]");
            let rest = image.strip_prefix("https://").or_else(|| image.strip_prefix("http://"));
            let fits = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
            if !fits || image.chars().any(|c| c.is_control() || c.is_whitespace()) {
                self.add(
                    &field,
                    "invalid",
                    "must be an address that begins with http:// or https://",
                );
            }
            if image.chars().nth(MAX_ADDRESS).is_some() {
                self.add(&field, "too_long", format!("may have at most {MAX_ADDRESS} characters"));
            }
        }
    }

    fn variants(&mut self, given: Vec<DraftVariant>) -> Vec<Variant> {
        if !self.count("variants", given.len(), MAX_VARIANTS) {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let mut checked = Vec::with_capacity(given.len());
        for (place, variant) in given.into_iter().enumerate() {
            let field = format!("variants[{place}]");
            let sku = self.parsed(format_args!("{field}.sku"), Sku::try_from(variant.sku));
            if sku.as_ref().is_some_and(|sku| !seen.insert(sku.clone())) {
                self.add(format_args!("{field}.sku"), "duplicate", "stands in this product twice");
            }
            let options = self.options(&field, variant.options);
            let price = self.price(&field, &variant.price);
            let barcode = variant.barcode.filter(|barcode| !barcode.is_empty());
            let digits = |code: &String| code.bytes().all(|byte| byte.is_ascii_digit());
            if barcode.as_ref().is_some_and(|code| !(8..=14).contains(&code.len()) || !digits(code))
            {
                self.add(format_args!("{field}.barcode"), "invalid", "must be 8 to 14 digits");
            }
            if let (Some(sku), Some(price)) = (sku, price) {
                checked.push(Variant { sku, options, price, barcode });
            }
        }
        checked
    }

    fn options(
        &mut self,
        field: &str,
        given: BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        if !self.count(&format!("{field}.options"), given.len(), MAX_ENTRIES) {
            return BTreeMap::new();
        }
        let mut checked = BTreeMap::new();
        for (key, value) in given {
            let path = format!("{field}.options.{key}");
            match (self.name(&path, &key), self.name(&path, &value)) {
                (Some(key), Some(value)) => drop(checked.insert(key, value)),
                (_, _) => self.add(&path, "invalid", "must have a name and a value"),
            }
        }
        checked
    }

    fn price(&mut self, field: &str, given: &DraftPrice) -> Option<Money> {
        let currency: Option<Currency> =
            self.parsed(format_args!("{field}.price.currency"), given.currency.parse());
        // An amount is wrong in any currency, so both are told at once.
        let amount = Money::new(given.amount, currency.unwrap_or(Currency::CNY));
        let price = self.parsed(format_args!("{field}.price.amount"), amount);
        currency.and(price)
    }

    fn parsed<T, E: Display>(&mut self, field: impl Display, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.add(field, "invalid", error.to_string())).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Attribute, Draft, MAX_ATTRIBUTES};

    fn draft(changes: serde_json::Value) -> Draft {
        let mut draft = json!({
            "title": {"en": "Keyboard"}, "category": "a/b", "variants": [
                {"sku": "K-1", "price": {"amount": 12900, "currency": "CNY"}, "barcode": "6901234567892"}
            ]
        });
        super::super::merge(&mut draft, changes);
        serde_json::from_value(draft).unwrap()
    }

    fn flaws(changes: serde_json::Value) -> Vec<(String, &'static str)> {
        let flaws = draft(changes).check().unwrap_err();
        flaws.into_iter().map(|flaw| (flaw.field, flaw.code)).collect()
    }

    #[test]
    fn a_good_product_is_taken_in_one_form() {
        let spaced =
            json!({"title": {"en": " Keyboard ", "zh": " "}, "category": " a / b ", "brand": ""});
        let content = draft(spaced).check().unwrap();
        assert_eq!(content, draft(json!({})).check().unwrap());
        assert_eq!((content.category.as_str(), content.brand), ("a/b", None));
    }

    #[test]
    fn every_kind_of_attribute_keeps_its_kind() {
        let given = json!({"flag": true, "whole": 6, "real": 6.0, "text": "x", "list": ["a", "b"], "none": []});
        let content = draft(json!({ "attributes": given })).check().unwrap();
        assert_eq!(content.attributes["flag"], Attribute::Flag(true));
        assert_eq!(content.attributes["none"], Attribute::Texts(Vec::new()));
        let written = serde_json::to_value(&content.attributes).unwrap();
        assert_eq!(written, given);
        let read: super::Content =
            serde_json::from_str(&serde_json::to_string(&content).unwrap()).unwrap();
        assert_eq!(read, content);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_its_place() {
        let bad = json!({
            "title": {"en": " "},
            "category": "a//b",
            "attributes": {"a": {"b": 1}, "c": [1], "e": null},
            "images": ["ftp://x", "https:///x"],
            "variants": [
                {"sku": "bad sku", "price": {"amount": -1, "currency": "yuan"}, "barcode": "12"},
                {"sku": "A", "price": {"amount": i64::MAX, "currency": "CNY"}, "options": {" ": "x"}},
                {"sku": "A", "price": {"amount": 0, "currency": "CNY"}}
            ]
        });
        let expected = [
            ("title", "required"),
            ("category", "invalid"),
            ("attributes.a", "invalid"),
            ("attributes.c[0]", "invalid"),
            ("images[0]", "invalid"),
            ("images[1]", "invalid"),
            ("variants[0].sku", "invalid"),
            ("variants[0].price.currency", "invalid"),
            ("variants[0].price.amount", "invalid"),
            ("variants[0].barcode", "invalid"),
            ("variants[1].options. ", "invalid"),
            ("variants[1].price.amount", "invalid"),
            ("variants[2].sku", "duplicate"),
        ];
        // A null in a merge patch takes the attribute away, so it never reaches the rules.
        assert_eq!(flaws(bad), expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn everything_is_bounded() {
        let many: serde_json::Map<_, _> =
            (0..=MAX_ATTRIBUTES).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(flaws(json!({ "attributes": many })), [("attributes".to_owned(), "too_many")]);
        assert_eq!(
            flaws(json!({"title": {"en": "x".repeat(501)}})),
            [("title.en".to_owned(), "too_long")]
        );
        assert_eq!(
            flaws(json!({"category": "a/b/c/d/e/f"})),
            [("category".to_owned(), "too_many")]
        );
        assert_eq!(flaws(json!({"brand": "a\u{0}b"})), [("brand".to_owned(), "invalid")]);
    }

    #[test]
    fn only_a_draft_may_have_nothing_to_sell() {
        assert_eq!(flaws(json!({"variants": []})), [("variants".to_owned(), "required")]);
        assert!(draft(json!({"variants": [], "status": "draft"})).check().is_ok());
    }
}
