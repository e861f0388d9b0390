//! The validated content of a product.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use vocabulary::{Localized, Money, Sku};

use super::Attribute;

/// The part of a product that clients write. It comes from [`Draft::validate`](super::Draft::validate) or
/// from the database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    pub(crate) title: Localized,
    pub(crate) description: Localized,
    pub(crate) brand: Option<String>,
    pub(crate) category: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) images: Vec<String>,
    pub(crate) status: ProductStatus,
    pub(crate) variants: Vec<Variant>,
}

impl Content {
    /// The SKUs, in the order of the variants.
    pub(crate) fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.variants.iter().map(|variant| &variant.sku)
    }

    /// The content without sales that have ended at `now`. What is written never contains one.
    pub(crate) fn without_ended_sales(mut self, now: DateTime<Utc>) -> Self {
        for variant in &mut self.variants {
            variant.sale.take_if(|sale| sale.has_ended(now));
        }
        self
    }

    /// Whether [`without_ended_sales`](Self::without_ended_sales) would leave something out.
    pub(crate) fn has_ended_sale(&self, now: DateTime<Utc>) -> bool {
        let mut sales = self.variants.iter().filter_map(|variant| variant.sale.as_ref());
        sales.any(|sale| sale.has_ended(now))
    }

    /// The first time after `now` at which a sale starts or ends.
    pub(crate) fn next_price_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let sales = self.variants.iter().filter_map(|variant| variant.sale.as_ref());
        let times = sales.flat_map(|sale| sale.starts_at.into_iter().chain(sale.ends_at));
        times.filter(|time| *time > now).min()
    }
}

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ProductStatus {
    /// Not yet for sale.
    Draft,
    #[default]
    Active,
    /// No longer for sale.
    Archived,
}

impl ProductStatus {
    /// The value in files and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Draft, Self::Active, Self::Archived].into_iter().find(|one| one.as_str() == text)
    }
}

/// One sellable form of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Unique in the whole catalogue.
    pub(crate) sku: Sku,
    /// The differences to the other variants, such as `颜色: 红`.
    pub(crate) options: BTreeMap<String, String>,
    /// The regular price of one piece.
    pub(crate) price: Money,
    /// A higher price, shown struck through beside the price.
    pub(crate) compare_at_price: Option<Money>,
    pub(crate) sale: Option<Sale>,
    /// An EAN or UPC: 8 to 14 digits.
    pub(crate) barcode: Option<String>,
}

/// A lower price for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sale {
    pub(crate) price: Money,
    /// None: the sale runs at once.
    pub(crate) starts_at: Option<DateTime<Utc>>,
    /// The first moment after the sale. None: the sale has no end.
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

impl Sale {
    /// Whether the sale price counts at `now`.
    pub(crate) fn is_running(&self, now: DateTime<Utc>) -> bool {
        self.starts_at.is_none_or(|start| start <= now) && !self.has_ended(now)
    }

    fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}

/// What buyers see of the price of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The price that buyers pay.
    pub(crate) price: Money,
    /// The price that is shown struck through.
    pub(crate) compare_at_price: Option<Money>,
}

impl Variant {
    /// What buyers see at `now`. While a sale runs, the regular price is shown struck through, unless the
    /// variant has a compare-at price.
    pub(crate) fn offer(&self, now: DateTime<Utc>) -> Offer {
        let running = self.sale.as_ref().filter(|sale| sale.is_running(now));
        let (price, former) =
            running.map_or((self.price, None), |sale| (sale.price, Some(self.price)));
        Offer { price, compare_at_price: self.compare_at_price.or(former) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta, Utc};
    use vocabulary::{Currency, Localized, Money};

    use super::{Content, ProductStatus, Sale, Variant};

    fn yuan(amount: i64) -> Money {
        Money::new(amount, Currency::CNY).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn variant(starts_at: Option<i64>, ends_at: Option<i64>) -> Variant {
        let (starts_at, ends_at) = (starts_at.map(at), ends_at.map(at));
        Variant {
            sku: "A".parse().unwrap(),
            options: BTreeMap::new(),
            price: yuan(100),
            compare_at_price: None,
            sale: Some(Sale { price: yuan(80), starts_at, ends_at }),
            barcode: None,
        }
    }

    fn content(variants: Vec<Variant>) -> Content {
        Content {
            title: Localized::default(),
            description: Localized::default(),
            brand: None,
            category: "a".to_owned(),
            attributes: BTreeMap::new(),
            images: Vec::new(),
            status: ProductStatus::Active,
            variants,
        }
    }

    #[test]
    fn sale_price_counts_from_start_to_end() {
        let variant = variant(Some(10), Some(20));
        let offer = |seconds| {
            let offer = variant.offer(at(seconds));
            (offer.price.amount(), offer.compare_at_price.map(Money::amount))
        };
        assert_eq!(offer(9), (100, None));
        assert_eq!(offer(10), (80, Some(100)));
        assert_eq!(offer(19), (80, Some(100)));
        assert_eq!(offer(20), (100, None));
        let compared = Variant { compare_at_price: Some(yuan(120)), ..variant };
        assert_eq!(compared.offer(at(10)).compare_at_price, Some(yuan(120)));
        assert_eq!(compared.offer(at(20)).compare_at_price, Some(yuan(120)));
    }

    #[test]
    fn price_changes_when_a_sale_starts_or_ends() {
        let content = content(vec![variant(Some(10), Some(20)), variant(None, Some(15))]);
        let next = |seconds| content.next_price_change(at(seconds));
        assert_eq!((next(0), next(10)), (Some(at(10)), Some(at(15))));
        assert_eq!((next(15), next(20)), (Some(at(20)), None));
        let later = content.clone().without_ended_sales(at(15));
        assert_eq!((later.variants[0].sale.is_some(), &later.variants[1].sale), (true, &None));
    }
}
