//! Drafts: products as clients send them, and the rules for valid products.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use chrono::{DateTime, SubsecRound as _, Utc};
use vocabulary::{Currency, Localized, Money, Sku};

use super::{
    Attribute, Content, Number, ProductStatus, SLASH_IN_NAME, Sale, Variant, html_text::plain_text,
};

/// The maximum number of levels of a category.
const MAX_LEVELS: usize = 5;
const MAX_VARIANTS: usize = 100;
/// Real data sheets have almost two hundred attributes.
const MAX_ATTRIBUTES: usize = 400;
const MAX_IMAGES: usize = 50;
/// The maximum number of texts in an attribute, and of options of a variant.
const MAX_ENTRIES: usize = 100;
/// Lengths are in characters.
const MAX_TITLE: usize = 500;
const MAX_DESCRIPTION: usize = 20_000;
/// The maximum length of an attribute's text.
const MAX_TEXT: usize = 8_000;
/// The maximum length of a brand, of a level of a category, and of the name of an attribute or the name or
/// value of an option.
const MAX_NAME: usize = 120;
/// The maximum length of an image's URL.
const MAX_URL: usize = 2_000;
/// The maximum number of reported errors.
const MAX_ERRORS: usize = 100;

/// A product that has not been validated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) title: Localized,
    pub(crate) description: Localized,
    pub(crate) brand: Option<String>,
    /// Levels separated by `/`; `\/` is a slash in a name.
    pub(crate) category: String,
    pub(crate) attributes: BTreeMap<String, DraftAttribute>,
    /// URLs.
    pub(crate) images: Vec<String>,
    pub(crate) status: ProductStatus,
    pub(crate) variants: Vec<DraftVariant>,
}

/// The value of an attribute that has not been validated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DraftAttribute {
    Flag(bool),
    Number(Number),
    Text(String),
    /// An entry that is not text is none.
    List(Vec<Option<String>>),
    /// A value of any other type.
    Unsupported,
}

/// A variant that has not been validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DraftVariant {
    pub(crate) sku: String,
    pub(crate) options: BTreeMap<String, String>,
    /// The regular price.
    pub(crate) price: DraftPrice,
    pub(crate) compare_at_price: Option<DraftPrice>,
    pub(crate) sale: Option<DraftSale>,
    pub(crate) barcode: Option<String>,
}

/// A sale that has not been validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DraftSale {
    pub(crate) price: DraftPrice,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

/// A price that has not been validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DraftPrice {
    /// Minor units: 12900 is 129.00.
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValidationError {
    /// For example `variants[0].price.amount`.
    pub(crate) field: String,
    /// `invalid`, `required`, `too_long`, `too_many` or `duplicate`.
    pub(crate) code: &'static str,
    /// In English.
    pub(crate) message: String,
}

impl Draft {
    /// The content, or every error. White space around names is removed, and empty texts become none. HTML in
    /// descriptions becomes plain text.
    pub(crate) fn validate(self) -> Result<Content, Vec<ValidationError>> {
        let mut errors = ValidationErrors(Vec::new());
        let title = errors.localized("title", self.title, MAX_TITLE);
        if title.is_empty() {
            errors.add("title", "required", "must be given in at least one language");
        }
        let Localized { zh, en } = self.description;
        let plain = |text: Option<String>| text.map(|text| plain_text(&text));
        let description = Localized { zh: plain(zh), en: plain(en) };
        let description = errors.localized("description", description, MAX_DESCRIPTION);
        let brand = self.brand.and_then(|brand| errors.name("brand", &brand));
        let category = errors.category("category", &self.category);
        let attributes = errors.attributes(self.attributes);
        errors.images(&self.images);
        if self.variants.is_empty() && self.status != ProductStatus::Draft {
            errors.add(
                "variants",
                "required",
                "must have at least one, unless the product is a draft",
            );
        }
        let variants = errors.variants(self.variants);
        if !errors.0.is_empty() {
            return Err(errors.0);
        }
        let (images, status) = (self.images, self.status);
        Ok(Content { title, description, brand, category, attributes, images, status, variants })
    }
}

/// Collects the errors of a draft.
pub(super) struct ValidationErrors(pub(super) Vec<ValidationError>);

impl ValidationErrors {
    pub(super) fn add(
        &mut self,
        field: impl Display,
        code: &'static str,
        message: impl Into<String>,
    ) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(ValidationError {
                field: field.to_string(),
                code,
                message: message.into(),
            });
        }
    }

    pub(super) fn count(&mut self, field: &str, found: usize, limit: usize) -> bool {
        if found > limit {
            self.add(field, "too_many", format!("may have at most {limit}, not {found}"));
        }
        found <= limit
    }

    /// Refuses a text that is too long, or contains NUL, which PostgreSQL cannot store. Other control
    /// characters are allowed: real data sheets contain some, left over from wrong conversions between
    /// encodings.
    fn text(&mut self, field: impl Display, text: &str, limit: usize) {
        if text.chars().nth(limit).is_some() {
            self.add(&field, "too_long", format!("may have at most {limit} characters"));
        }
        if text.contains('\0') {
            self.add(&field, "invalid", "must not contain the character NUL");
        }
    }

    /// A single-line text, trimmed; none if it is empty.
    pub(super) fn name(&mut self, field: impl Display, text: &str) -> Option<String> {
        let text = text.trim();
        if text.chars().nth(MAX_NAME).is_some() {
            self.add(&field, "too_long", format!("may have at most {MAX_NAME} characters"));
        }
        if text.chars().any(char::is_control) {
            self.add(&field, "invalid", "must not contain control characters");
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

    pub(super) fn category(&mut self, field: &str, path: &str) -> String {
        // The slash separates levels wherever the category is used, so a name contains another character.
        let path = path.replace("\\/", &SLASH_IN_NAME.to_string());
        let levels: Vec<&str> = path.split('/').map(str::trim).collect();
        if levels.iter().any(|level| level.is_empty()) {
            self.add(field, "invalid", "must be 1 to 5 names separated by /, such as a/b/c");
        } else if levels.len() > MAX_LEVELS {
            self.add(field, "too_many", format!("may have at most {MAX_LEVELS} levels"));
        }
        for level in &levels {
            self.name(field, level);
        }
        levels.join("/")
    }

    fn attributes(
        &mut self,
        given: BTreeMap<String, DraftAttribute>,
    ) -> BTreeMap<String, Attribute> {
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

    fn attribute(&mut self, name: &str, value: DraftAttribute) -> Option<Attribute> {
        let field = format!("attributes.{name}");
        match value {
            DraftAttribute::Flag(flag) => Some(Attribute::Flag(flag)),
            DraftAttribute::Number(number) => Some(Attribute::Number(number)),
            DraftAttribute::Text(text) => {
                self.text(&field, &text, MAX_TEXT);
                Some(Attribute::Text(text))
            }
            DraftAttribute::List(values) if self.count(&field, values.len(), MAX_ENTRIES) => {
                let mut texts = Vec::with_capacity(values.len());
                for (index, value) in values.into_iter().enumerate() {
                    let Some(text) = value else {
                        self.add(format_args!("{field}[{index}]"), "invalid", "must be text");
                        continue;
                    };
                    self.text(format_args!("{field}[{index}]"), &text, MAX_TEXT);
                    texts.push(text);
                }
                Some(Attribute::Texts(texts))
            }
            DraftAttribute::List(_) => None,
            DraftAttribute::Unsupported => {
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
        for (index, image) in images.iter().enumerate() {
            let field = format!("images[{index}]");
            let rest = image.strip_prefix("https://").or_else(|| image.strip_prefix("http://"));
            let fits = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
            if !fits || image.chars().any(|c| c.is_control() || c.is_whitespace()) {
                self.add(&field, "invalid", "must be a URL that begins with http:// or https://");
            }
            if image.chars().nth(MAX_URL).is_some() {
                self.add(&field, "too_long", format!("may have at most {MAX_URL} characters"));
            }
        }
    }

    fn variants(&mut self, given: Vec<DraftVariant>) -> Vec<Variant> {
        if !self.count("variants", given.len(), MAX_VARIANTS) {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let mut checked = Vec::with_capacity(given.len());
        for (index, variant) in given.into_iter().enumerate() {
            let field = format!("variants[{index}]");
            let sku = self.parsed(format_args!("{field}.sku"), Sku::try_from(variant.sku));
            if sku.as_ref().is_some_and(|sku| !seen.insert(sku.clone())) {
                self.add(format_args!("{field}.sku"), "duplicate", "occurs twice in this product");
            }
            let options = self.options(&field, variant.options);
            let price = self.price(&format!("{field}.price"), &variant.price);
            let compare_at_price =
                self.compare_at_price(&field, variant.compare_at_price.as_ref(), price);
            let sale = self.sale(&field, variant.sale.as_ref(), price);
            let barcode = variant.barcode.filter(|barcode| !barcode.is_empty());
            let digits = |code: &String| code.bytes().all(|byte| byte.is_ascii_digit());
            if barcode.as_ref().is_some_and(|code| !(8..=14).contains(&code.len()) || !digits(code))
            {
                self.add(format_args!("{field}.barcode"), "invalid", "must be 8 to 14 digits");
            }
            if let (Some(sku), Some(price)) = (sku, price) {
                checked.push(Variant { sku, options, price, compare_at_price, sale, barcode });
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
            self.parsed(format_args!("{field}.currency"), Currency::known(&given.currency));
        // The amount is checked with any currency, so that both errors are reported at once.
        let amount = Money::new(given.amount, currency.unwrap_or(Currency::CNY));
        let price = self.parsed(format_args!("{field}.amount"), amount);
        currency.and(price)
    }

    fn compare_at_price(
        &mut self,
        field: &str,
        given: Option<&DraftPrice>,
        price: Option<Money>,
    ) -> Option<Money> {
        let field = format!("{field}.compare_at_price");
        let compared = self.price(&field, given?)?;
        let price = self.same_currency(&field, compared, price)?;
        if compared.amount() <= price.amount() {
            self.add(&field, "invalid", format!("must be more than the price, {price}"));
        }
        Some(compared)
    }

    fn sale(
        &mut self,
        field: &str,
        given: Option<&DraftSale>,
        price: Option<Money>,
    ) -> Option<Sale> {
        let field = format!("{field}.sale");
        let DraftSale { price: sale_price, starts_at, ends_at } = given?;
        // PostgreSQL keeps microseconds.
        let micros = |time: DateTime<Utc>| time.trunc_subsecs(6);
        let (starts_at, ends_at) = (starts_at.map(micros), ends_at.map(micros));
        if let (Some(start), Some(end)) = (starts_at, ends_at)
            && end <= start
        {
            self.add(format_args!("{field}.ends_at"), "invalid", "must be later than starts_at");
        }
        let price_field = format!("{field}.price");
        let sale_price = self.price(&price_field, sale_price)?;
        let price = self.same_currency(&price_field, sale_price, price)?;
        if sale_price.amount() >= price.amount() {
            self.add(&price_field, "invalid", format!("must be less than the price, {price}"));
        }
        Some(Sale { price: sale_price, starts_at, ends_at })
    }

    /// The regular price, if `other` has its currency.
    fn same_currency(&mut self, field: &str, other: Money, price: Option<Money>) -> Option<Money> {
        let price = price?;
        if other.currency() == price.currency() {
            return Some(price);
        }
        let message = format!("must be {}, the currency of the price", price.currency());
        self.add(format_args!("{field}.currency"), "invalid", message);
        None
    }

    fn parsed<T, E: Display>(&mut self, field: impl Display, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.add(field, "invalid", error.to_string())).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta};
    use vocabulary::Localized;

    use super::{
        Draft, DraftAttribute, DraftPrice, DraftSale, DraftVariant, MAX_ATTRIBUTES, Number,
        ProductStatus,
    };

    fn variant(sku: &str) -> DraftVariant {
        let price = DraftPrice { amount: 12_900, currency: "CNY".to_owned() };
        let barcode = Some("6901234567892".to_owned());
        let (compare_at_price, sale) = (None, None);
        let (sku, options) = (sku.to_owned(), BTreeMap::new());
        DraftVariant { sku, options, price, compare_at_price, sale, barcode }
    }

    fn draft() -> Draft {
        Draft {
            title: Localized { zh: None, en: Some("Keyboard".to_owned()) },
            description: Localized::default(),
            brand: None,
            category: "a/b".to_owned(),
            attributes: BTreeMap::new(),
            images: Vec::new(),
            status: ProductStatus::Active,
            variants: vec![variant("K-1")],
        }
    }

    fn errors(draft: Draft) -> Vec<(String, &'static str)> {
        let errors = draft.validate().unwrap_err();
        errors.into_iter().map(|error| (error.field, error.code)).collect()
    }

    fn one(field: &str, code: &'static str) -> Vec<(String, &'static str)> {
        vec![(field.to_owned(), code)]
    }

    #[test]
    fn valid_draft_is_normalised() {
        let spaced = Draft {
            title: Localized { zh: Some(" ".to_owned()), en: Some(" Keyboard ".to_owned()) },
            category: " a / b ".to_owned(),
            brand: Some(String::new()),
            ..draft()
        };
        let content = spaced.validate().unwrap();
        assert_eq!(content, draft().validate().unwrap());
        assert_eq!((content.category.as_str(), content.brand), ("a/b", None));
    }

    #[test]
    fn every_error_is_reported_with_its_field() {
        let text = |text: &str| Some(text.to_owned());
        let expensive = DraftPrice { amount: i64::MAX, currency: "CNY".to_owned() };
        let bad = Draft {
            title: Localized { zh: None, en: text(" ") },
            category: "a//b".to_owned(),
            attributes: BTreeMap::from([
                ("a".to_owned(), DraftAttribute::Unsupported),
                ("c".to_owned(), DraftAttribute::List(vec![None])),
            ]),
            images: vec!["ftp://x".to_owned(), "https:///x".to_owned()],
            variants: vec![
                DraftVariant {
                    price: DraftPrice { amount: -1, currency: "yuan".to_owned() },
                    barcode: text("12"),
                    ..variant("bad sku")
                },
                DraftVariant {
                    price: expensive,
                    options: BTreeMap::from([(" ".to_owned(), "x".to_owned())]),
                    ..variant("A")
                },
                variant("A"),
            ],
            ..draft()
        };
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
        assert_eq!(errors(bad), expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn sizes_are_bounded() {
        let number = |n: usize| {
            (n.to_string(), DraftAttribute::Number(Number::Unsigned(n.try_into().unwrap())))
        };
        let attributes = (0..=MAX_ATTRIBUTES).map(number).collect();
        assert_eq!(errors(Draft { attributes, ..draft() }), one("attributes", "too_many"));
        let title = Localized { zh: None, en: Some("x".repeat(501)) };
        assert_eq!(errors(Draft { title, ..draft() }), one("title.en", "too_long"));
        let category = "a/b/c/d/e/f".to_owned();
        assert_eq!(errors(Draft { category, ..draft() }), one("category", "too_many"));
        let brand = Some("a\u{0}b".to_owned());
        assert_eq!(errors(Draft { brand, ..draft() }), one("brand", "invalid"));
    }

    #[test]
    fn currencies_must_be_of_iso_4217() {
        for (currency, message) in [
            ("RMB", "RMB is no code of ISO 4217; use CNY"),
            ("ZZZ", "ZZZ is no currency of ISO 4217"),
        ] {
            let price = DraftPrice { amount: 1, currency: currency.to_owned() };
            let variants = vec![DraftVariant { price, ..variant("A") }];
            let errors = Draft { variants, ..draft() }.validate().unwrap_err();
            assert_eq!(errors[0].field, "variants[0].price.currency");
            assert_eq!(errors[0].message, message);
        }
    }

    #[test]
    fn prices_of_a_variant_must_fit_together() {
        let price = |amount, currency: &str| DraftPrice { amount, currency: currency.to_owned() };
        let at = |seconds| Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds));
        let sale = |price, starts_at, ends_at| Some(DraftSale { price, starts_at, ends_at });
        let fits = DraftVariant {
            compare_at_price: Some(price(12_901, "CNY")),
            sale: sale(price(12_899, "CNY"), at(1), at(2)),
            ..variant("A")
        };
        let content = Draft { variants: vec![fits], ..draft() }.validate().unwrap();
        assert!(content.variants[0].sale.is_some());
        assert_eq!(content.variants[0].compare_at_price.unwrap().amount(), 12_901);
        let found = |compare_at_price, sale| {
            let variants = vec![DraftVariant { compare_at_price, sale, ..variant("A") }];
            let found = errors(Draft { variants, ..draft() });
            found.into_iter().map(|(field, _)| field).collect::<Vec<String>>()
        };
        let compare = "variants[0].compare_at_price";
        assert_eq!(found(Some(price(12_900, "CNY")), None), [compare]);
        assert_eq!(found(Some(price(20_000, "EUR")), None), [format!("{compare}.currency")]);
        assert_eq!(found(Some(price(-1, "CNY")), None), [format!("{compare}.amount")]);
        let same = sale(price(12_900, "CNY"), None, None);
        assert_eq!(found(None, same), ["variants[0].sale.price"]);
        let foreign = sale(price(1, "USD"), None, at(2));
        assert_eq!(found(None, foreign), ["variants[0].sale.price.currency"]);
        let never = sale(price(1, "CNY"), at(2), at(2));
        assert_eq!(found(None, never), ["variants[0].sale.ends_at"]);
    }

    #[test]
    fn name_of_a_category_may_have_a_slash() {
        let category = "数码/影音\\/娱乐".to_owned();
        let content = Draft { category, ..draft() }.validate().unwrap();
        assert_eq!(content.category, "数码/影音／娱乐");
    }

    #[test]
    fn description_in_html_becomes_text() {
        let description =
            Localized { zh: Some("<p>护手霜&nbsp;<b>滋润</b></p>".to_owned()), en: None };
        let content = Draft { description, ..draft() }.validate().unwrap();
        assert_eq!(content.description.zh.as_deref(), Some("护手霜 滋润"));
    }

    #[test]
    fn only_a_draft_may_have_no_variants() {
        let without = Draft { variants: Vec::new(), ..draft() };
        assert_eq!(errors(without.clone()), one("variants", "required"));
        assert!(Draft { status: ProductStatus::Draft, ..without }.validate().is_ok());
    }
}
