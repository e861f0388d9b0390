//! Drafts of a product of a file: a new one, or one merged into the product that exists.

use std::collections::BTreeMap;

use vocabulary::Money;

use super::{
    columns::NamedFields,
    file_product::{FileProduct, FileVariant},
    price_cell::FilePrice,
};
use crate::domain::{
    Attribute, Content, Draft, DraftAttribute, DraftPrice, DraftSale, DraftVariant, RefusedRow,
    Sale, Variant,
};

/// The maximum number of names in a message.
const MAX_NAMED: usize = 10;

impl FileProduct {
    /// The SKUs of its variants, in order.
    pub(crate) fn skus(&self) -> impl Iterator<Item = &str> {
        self.variants.iter().map(|variant| variant.sku.as_str())
    }

    /// The counts of stock, by SKU as written.
    pub(crate) fn stock(&self) -> impl Iterator<Item = (&str, i64)> {
        let variants = self.variants.iter();
        variants.filter_map(|variant| Some((variant.sku.as_str(), variant.stock?)))
    }

    /// The line of its first row.
    pub(crate) fn line(&self) -> i64 {
        self.line
    }

    /// The product as the file describes it.
    pub(crate) fn to_draft(&self) -> Result<Draft, RefusedRow> {
        let variants = self.variants.iter().map(|variant| {
            let price = variant.price.as_ref().map(|price| price.price.clone());
            let required = || RefusedRow::new(variant.line, "price: is required".to_owned());
            Ok(DraftVariant {
                sku: variant.sku.clone(),
                options: variant.options.clone(),
                price: price.ok_or_else(required)?,
                compare_at_price: variant.compare_at_price.as_ref().map(|one| one.price.clone()),
                sale: variant.sale.price.as_ref().map(|price| DraftSale {
                    price: price.price.clone(),
                    starts_at: variant.sale.starts_at,
                    ends_at: variant.sale.ends_at,
                }),
                barcode: variant.barcode.clone(),
            })
        });
        Ok(Draft {
            title: self.title.clone(),
            description: self.description.clone(),
            brand: self.brand.clone(),
            category: self.category.clone().unwrap_or_default(),
            attributes: self.attributes.clone(),
            images: self.images.clone(),
            status: self.status.unwrap_or_default(),
            variants: variants.collect::<Result<_, RefusedRow>>()?,
        })
    }

    /// The stored product with the values of the file. An empty cell changes nothing.
    pub(crate) fn merged_into(&self, stored: Content) -> Result<Draft, RefusedRow> {
        let mut draft = draft_of(stored);
        for (kept, given) in [
            (&mut draft.title.zh, &self.title.zh),
            (&mut draft.title.en, &self.title.en),
            (&mut draft.description.zh, &self.description.zh),
            (&mut draft.description.en, &self.description.en),
            (&mut draft.brand, &self.brand),
        ] {
            if given.is_some() {
                kept.clone_from(given);
            }
        }
        if let Some(category) = &self.category {
            draft.category.clone_from(category);
        }
        draft.attributes.extend(self.attributes.clone());
        if !self.images.is_empty() {
            draft.images.clone_from(&self.images);
        }
        if let Some(status) = self.status {
            draft.status = status;
        }
        let currency = draft.variants.first().map(|variant| variant.price.currency.clone());
        for given in &self.variants {
            let known = draft.variants.iter_mut().find(|variant| variant.sku == given.sku);
            match known {
                Some(variant) => merge_variant(variant, given)?,
                None => draft.variants.push(new_variant(given, currency.as_deref())?),
            }
        }
        Ok(draft)
    }
}

fn merge_variant(variant: &mut DraftVariant, given: &FileVariant) -> Result<(), RefusedRow> {
    variant.options.extend(given.options.clone());
    if given.barcode.is_some() {
        variant.barcode.clone_from(&given.barcode);
    }
    let currency = variant.price.currency.clone();
    if let Some(price) = price_in(given.line, given.price.as_ref(), Some(&currency))? {
        variant.price = price;
    }
    merge_sale(variant, given, Some(&currency))
}

/// The compare-at price and the sale of a file. A sale that exists keeps the times that the file does not give.
fn merge_sale(
    variant: &mut DraftVariant,
    given: &FileVariant,
    currency: Option<&str>,
) -> Result<(), RefusedRow> {
    let FileVariant { line, compare_at_price, sale, .. } = given;
    if let Some(price) = price_in(*line, compare_at_price.as_ref(), currency)? {
        variant.compare_at_price = Some(price);
    }
    let price = price_in(*line, sale.price.as_ref(), currency)?;
    match (&mut variant.sale, price) {
        (Some(stored), price) => {
            stored.price = price.unwrap_or_else(|| stored.price.clone());
            stored.starts_at = sale.starts_at.or(stored.starts_at);
            stored.ends_at = sale.ends_at.or(stored.ends_at);
        }
        (None, Some(price)) => {
            let (starts_at, ends_at) = (sale.starts_at, sale.ends_at);
            variant.sale = Some(DraftSale { price, starts_at, ends_at });
        }
        (None, None) if sale.has_times() => {
            let reason = "sale_price: is required, because the SKU has no sale";
            return Err(RefusedRow::new(*line, reason.to_owned()));
        }
        (None, None) => {}
    }
    Ok(())
}

fn new_variant(given: &FileVariant, currency: Option<&str>) -> Result<DraftVariant, RefusedRow> {
    let required =
        || RefusedRow::new(given.line, "price: is required, because the SKU is new".to_owned());
    let mut variant = DraftVariant {
        sku: given.sku.clone(),
        options: given.options.clone(),
        price: price_in(given.line, given.price.as_ref(), currency)?.ok_or_else(required)?,
        compare_at_price: None,
        sale: None,
        barcode: given.barcode.clone(),
    };
    merge_sale(&mut variant, given, currency)?;
    Ok(variant)
}

/// A price of a variant. It must name the currency of a product in another currency than the default.
fn price_in(
    line: i64,
    price: Option<&FilePrice>,
    currency: Option<&str>,
) -> Result<Option<DraftPrice>, RefusedRow> {
    let Some(price) = price else { return Ok(None) };
    let is_other = currency.is_some_and(|currency| currency != price.price.currency);
    if price.has_default_currency && is_other {
        let currency = currency.unwrap_or_default();
        let reason = format!("price: the product has prices in {currency}; name the currency");
        return Err(RefusedRow::new(line, reason));
    }
    Ok(Some(price.price.clone()))
}

/// What `next` lacks of the stored product, because the file has no column or no row for it.
pub(crate) fn losses(stored: &Content, next: &Content, named: &NamedFields) -> Vec<String> {
    let mut losses = Vec::new();
    let mut lose = |is_lost: bool, name: &str| {
        if is_lost {
            losses.push(name.to_owned());
        }
    };
    for variant in &stored.variants {
        let is_kept = next.variants.iter().any(|one| one.sku == variant.sku);
        lose(!is_kept, &format!("the variant {}", variant.sku));
    }
    let lost = |stored: &Option<String>, next: &Option<String>, is_named: bool| {
        !is_named && stored.is_some() && next.is_none()
    };
    lose(lost(&stored.title.zh, &next.title.zh, named.title_zh), "title_zh");
    lose(lost(&stored.title.en, &next.title.en, named.title_en), "title_en");
    let (description, next_description) = (&stored.description, &next.description);
    lose(lost(&description.zh, &next_description.zh, named.description_zh), "description_zh");
    lose(lost(&description.en, &next_description.en, named.description_en), "description_en");
    lose(lost(&stored.brand, &next.brand, named.brand), "brand");
    lose(!named.status && stored.status != next.status, "status");
    lose(!named.images && !stored.images.is_empty() && next.images.is_empty(), "images");
    for name in stored.attributes.keys() {
        let is_named = named.any_option || named.attributes.contains(name);
        lose(!is_named && !next.attributes.contains_key(name), &format!("attr.{name}"));
    }
    for variant in &stored.variants {
        let Some(kept) = next.variants.iter().find(|one| one.sku == variant.sku) else { continue };
        lose(lost(&variant.barcode, &kept.barcode, named.barcode), "barcode");
        let (compared, next) = (variant.compare_at_price, kept.compare_at_price);
        let is_lost = !named.compare_at_price && compared.is_some() && next.is_none();
        lose(is_lost, "compare_at_price");
        lose(!named.sale && variant.sale.is_some() && kept.sale.is_none(), "sale_price");
        for name in variant.options.keys() {
            let is_named = named.any_option || named.options.contains(name);
            lose(!is_named && !kept.options.contains_key(name), &format!("option.{name}"));
        }
    }
    losses.dedup();
    losses
}

/// Why a product is refused that would lose something.
pub(crate) fn loss_reason(losses: &[String]) -> String {
    let mut names = losses.iter().take(MAX_NAMED).cloned().collect::<Vec<String>>().join(", ");
    if losses.len() > MAX_NAMED {
        names = format!("{names} and {} more", losses.len() - MAX_NAMED);
    }
    format!(
        "the product exists, and the file does not name all of it: {names}; \
         keep them with ?mode=merge, or remove them with ?mode=replace"
    )
}

/// The draft that would write `content`.
fn draft_of(content: Content) -> Draft {
    let attributes = content.attributes.into_iter();
    Draft {
        title: content.title,
        description: content.description,
        brand: content.brand,
        category: content.category,
        attributes: attributes.map(|(name, value)| (name, draft_attribute(value))).collect(),
        images: content.images,
        status: content.status,
        variants: content.variants.into_iter().map(draft_variant).collect(),
    }
}

fn draft_attribute(attribute: Attribute) -> DraftAttribute {
    match attribute {
        Attribute::Flag(flag) => DraftAttribute::Flag(flag),
        Attribute::Number(number) => DraftAttribute::Number(number),
        Attribute::Text(text) => DraftAttribute::Text(text),
        Attribute::Texts(texts) => DraftAttribute::List(texts.into_iter().map(Some).collect()),
    }
}

fn draft_variant(variant: Variant) -> DraftVariant {
    let Variant { sku, options, price, compare_at_price, sale, barcode } = variant;
    let draft_price = |price: Money| DraftPrice {
        amount: price.amount(),
        currency: price.currency().to_string(),
    };
    let sale = sale.map(|Sale { price, starts_at, ends_at }| DraftSale {
        price: draft_price(price),
        starts_at,
        ends_at,
    });
    DraftVariant {
        sku: sku.to_string(),
        options: BTreeMap::from_iter(options),
        price: draft_price(price),
        compare_at_price: compare_at_price.map(draft_price),
        sale,
        barcode,
    }
}
