//! Files of other programs, recognised by their headers.

use super::column::Column;

/// A program whose files are read as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    Shopify,
    Woocommerce,
    GoogleMerchant,
}

impl Preset {
    const ALL: [Self; 3] = [Self::Shopify, Self::Woocommerce, Self::GoogleMerchant];

    /// The value in queries and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
            Self::GoogleMerchant => "google_merchant",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// The program that wrote a header of normalised names.
    pub(super) fn of_header(names: &[String]) -> Option<Self> {
        let has = |name: &str| names.iter().any(|one| one == name);
        let any = |some: &[&str]| some.iter().any(|name| has(name));
        let (price, link) =
            (["variant price", "variant sku", "option1 value"], ["link", "image link"]);
        if any(&["handle", "url handle"]) && has("title") && any(&price) {
            Some(Self::Shopify)
        } else if has("regular price") && has("sku") && has("type") {
            Some(Self::Woocommerce)
        } else if ["id", "title", "price"].into_iter().all(has) && any(&link) {
            Some(Self::GoogleMerchant)
        } else {
            None
        }
    }

    /// The meaning of a column with a normalised name.
    pub(super) fn column(self, name: &str) -> Option<Column> {
        match self {
            Self::Shopify => shopify(name),
            Self::Woocommerce => woocommerce(name),
            Self::GoogleMerchant => google_merchant(name),
        }
    }

    /// Whether levels of a category are separated by `>` only, so that a slash is part of a name.
    pub(super) const fn has_slashes_in_names(self) -> bool {
        match self {
            Self::Shopify | Self::Woocommerce | Self::GoogleMerchant => true,
        }
    }
}

/// The number of an option in a name such as `option1 name`.
fn numbered(name: &str, prefix: &str, suffix: &str) -> Option<u8> {
    name.strip_prefix(prefix)?.strip_suffix(suffix)?.trim().parse().ok()
}

/// The product template and the export of Shopify, old and new.
fn shopify(name: &str) -> Option<Column> {
    const PASSED: [&str; 10] = [
        "variant ",
        "google shopping /",
        "seo ",
        "image ",
        "included /",
        "price /",
        "compare at price /",
        "product image ",
        "weight ",
        "inventory ",
    ];
    if let Some(number) = numbered(name, "option", " name") {
        return Some(Column::OptionName(number));
    }
    if let Some(number) = numbered(name, "option", " value") {
        return Some(Column::OptionValue(number));
    }
    Some(match name {
        "handle" | "url handle" => Column::Product,
        "title" => Column::Title,
        "body (html)" | "description" => Column::Description,
        "vendor" => Column::Brand,
        "product category" => Column::Category,
        "type" => Column::CategoryFallback("type".to_owned()),
        "tags" => Column::List("tags".to_owned()),
        "published" | "published on online store" => Column::Published,
        "status" => Column::Status,
        "variant sku" | "sku" => Column::Sku,
        "variant price" | "price" => Column::Price,
        "variant compare at price" | "compare at price" => Column::ComparePrice,
        "variant barcode" | "barcode" => Column::Barcode,
        "variant inventory qty" | "inventory quantity" => Column::Stock,
        "image src" | "product image url" | "variant image" | "variant image url" => Column::Images,
        "gift card"
        | "cost per item"
        | "charge tax"
        | "tax code"
        | "requires shipping"
        | "fulfillment service"
        | "continue selling when out of stock" => Column::Passed,
        _ if PASSED.iter().any(|prefix| name.starts_with(prefix)) => Column::Passed,
        _ if name.starts_with("option") && name.ends_with(" linked to") => Column::Passed,
        _ if name.contains(".metafields.") => Column::Passed,
        _ => return None,
    })
}

/// The product export of WooCommerce.
fn woocommerce(name: &str) -> Option<Column> {
    if let Some(number) = numbered(name, "attribute ", " name") {
        return Some(Column::OptionName(number));
    }
    if let Some(number) = numbered(name, "attribute ", " value(s)") {
        return Some(Column::OptionValue(number));
    }
    Some(match name {
        "id" => Column::RecordId,
        "type" => Column::RecordType,
        "parent" => Column::Parent,
        "sku" => Column::Sku,
        "name" => Column::Title,
        "published" => Column::Published,
        "short description" => Column::ShortDescription,
        "description" => Column::Description,
        "regular price" => Column::Price,
        "sale price" => Column::SalePrice,
        "date sale price starts" => Column::SaleStart,
        "date sale price ends" => Column::SaleEnd,
        "categories" => Column::Categories,
        "tags" => Column::List("tags".to_owned()),
        "images" => Column::Images,
        "stock" => Column::Stock,
        "brands" | "brand" => Column::Brand,
        "gtin, upc, ean, or isbn" => Column::Barcode,
        "is featured?"
        | "visibility in catalog"
        | "tax status"
        | "tax class"
        | "in stock?"
        | "low stock amount"
        | "backorders allowed?"
        | "sold individually?"
        | "allow customer reviews?"
        | "purchase note"
        | "shipping class"
        | "download limit"
        | "download expiry days"
        | "grouped products"
        | "upsells"
        | "cross sells"
        | "external url"
        | "button text"
        | "position"
        | "swatches attributes" => Column::Passed,
        _ if name.starts_with("attribute ") || name.starts_with("meta:") => Column::Passed,
        _ if name.starts_with("download ") => Column::Passed,
        _ if ["weight (", "length (", "width (", "height ("]
            .iter()
            .any(|prefix| name.starts_with(prefix)) =>
        {
            Column::Attribute(name.to_owned())
        }
        _ => return None,
    })
}

/// A product feed of Google Merchant Center.
fn google_merchant(name: &str) -> Option<Column> {
    const PASSED: [&str; 12] = [
        "ads ",
        "cost of goods",
        "custom label",
        "excluded",
        "identifier exists",
        "included",
        "installment",
        "loyalty",
        "promotion",
        "shipping",
        "tax",
        "unit pricing",
    ];
    Some(match name {
        "id" => Column::Sku,
        "title" => Column::Title,
        "description" => Column::Description,
        "image link" | "additional image link" | "lifestyle image link" => Column::Images,
        "availability" => Column::Availability,
        "price" => Column::Price,
        "sale price" => Column::SalePrice,
        "sale price effective date" => Column::SaleInterval,
        "brand" => Column::Brand,
        "gtin" => Column::Barcode,
        "item group id" => Column::Product,
        "product type" => Column::Category,
        "google product category" => Column::CategoryFallback("google_product_category".to_owned()),
        "color" | "size" | "pattern" => Column::Option(name.to_owned()),
        "condition"
        | "mpn"
        | "material"
        | "gender"
        | "age group"
        | "adult"
        | "multipack"
        | "is bundle"
        | "size type"
        | "size system"
        | "availability date"
        | "expiration date"
        | "product highlight"
        | "product detail"
        | "product weight"
        | "product length"
        | "product width"
        | "product height"
        | "energy efficiency class"
        | "certification" => Column::Attribute(name.replace(' ', "_")),
        "quantity" | "sell on google quantity" => Column::Stock,
        "link" | "mobile link" | "canonical link" | "min handling time" | "max handling time"
        | "pause" | "external seller id" => Column::Passed,
        _ if PASSED.iter().any(|prefix| name.starts_with(prefix)) => Column::Passed,
        _ => return None,
    })
}
