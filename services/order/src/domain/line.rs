//! What an order asks for, and what it costs.

use std::collections::BTreeMap;

use vocabulary::{InvalidMoney, InvalidQuantity, Localized, Money, ProductId, Quantity, Sku};

/// The most lines that one order may have.
pub const MAX_LINES: usize = 100;

/// One line of an order: each SKU stands in one line only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// What is known of it; nothing where the catalogue has not told of the SKU yet.
    pub offer: Option<Offer>,
}

/// What the catalogue says of a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The product that it is a variant of.
    pub product: ProductId,
    /// What one piece costs.
    pub price: Money,
    /// The product's name.
    pub title: Localized,
}

/// Whether the catalogue sells a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// It does, like this.
    ForSale(Offer),
    /// It did once: the product is a draft, archived or deleted, or lists the SKU no more.
    NotForSale(Offer),
}

impl Listing {
    /// What is, or was, offered.
    pub fn offer(&self) -> &Offer {
        match self {
            Self::ForSale(offer) | Self::NotForSale(offer) => offer,
        }
    }
}

/// Makes one line of those that name the same SKU, and sorts them by SKU.
pub fn merge(
    wanted: impl IntoIterator<Item = (Sku, Quantity)>,
) -> Result<Vec<(Sku, Quantity)>, InvalidQuantity> {
    let mut merged: BTreeMap<Sku, u32> = BTreeMap::new();
    for (sku, quantity) in wanted {
        let sum = merged.entry(sku).or_default();
        *sum = sum.checked_add(quantity.get()).ok_or(InvalidQuantity)?;
    }
    merged.into_iter().map(|(sku, sum)| Quantity::new(sum).map(|sum| (sku, sum))).collect()
}

/// What all lines cost together; `None` as long as a price is not known.
pub fn total(lines: &[Line]) -> Result<Option<Money>, InvalidMoney> {
    let mut total: Option<Money> = None;
    let mut all_known = true;
    for line in lines {
        let Some(offer) = &line.offer else {
            all_known = false;
            continue;
        };
        let cost = offer.price.times(line.quantity)?;
        total = Some(total.map_or(Ok(cost), |sum| sum.plus(cost))?);
    }
    Ok(total.filter(|_| all_known))
}

#[cfg(test)]
mod tests {
    use vocabulary::{
        Currency, InvalidMoney, InvalidQuantity, Localized, Money, ProductId, Quantity, Sku,
    };

    use super::{Line, Offer, merge, total};

    fn line(sku: &str, quantity: u32, price: Option<(i64, Currency)>) -> Line {
        let offer = price.map(|(amount, currency)| Offer {
            product: ProductId::new(),
            price: Money::new(amount, currency).unwrap(),
            title: Localized::default(),
        });
        Line { sku: sku.parse().unwrap(), quantity: Quantity::new(quantity).unwrap(), offer }
    }

    #[test]
    fn lines_of_one_sku_become_one() {
        let sku = |text: &str| text.parse::<Sku>().unwrap();
        let many = |n| Quantity::new(n).unwrap();
        let merged = merge([(sku("B"), many(1)), (sku("A"), many(2)), (sku("B"), many(3))]);
        assert_eq!(merged.unwrap(), [(sku("A"), many(2)), (sku("B"), many(4))]);
        assert_eq!(merge([(sku("A"), many(1_000_000)), (sku("A"), many(1))]), Err(InvalidQuantity));
    }

    #[test]
    fn totals_add_up_or_say_why_not() {
        let cny = Currency::CNY;
        let known = [line("A", 2, Some((100, cny))), line("B", 1, Some((50, cny)))];
        assert_eq!(total(&known).unwrap(), Some(Money::new(250, cny).unwrap()));
        assert_eq!(total(&[line("A", 2, Some((100, cny))), line("B", 1, None)]), Ok(None));
        let mixed = [line("A", 1, Some((1, cny))), line("B", 1, Some((1, Currency::EUR)))];
        assert_eq!(total(&mixed), Err(InvalidMoney::MixedCurrencies));
        let dear = [line("A", 1_000_000, Some((10_000_000_000, cny)))];
        assert_eq!(total(&dear), Err(InvalidMoney::TooLarge));
    }
}
