//! Order lines, catalogue offers and totals.

use std::collections::{BTreeMap, HashMap};

use vocabulary::{InvalidMoney, InvalidQuantity, Localized, Money, ProductId, Quantity, Sku};

/// The maximum number of lines of an order.
pub(crate) const MAX_LINES: usize = 100;

/// SKUs that cannot be ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not for sale", .0.iter().map(Sku::as_str).collect::<Vec<_>>().join(", "))]
pub(crate) struct NotForSale(pub(crate) Vec<Sku>);

/// A line of an order. Each SKU has one line only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderLine {
    pub(crate) sku: Sku,
    pub(crate) quantity: Quantity,
    /// How many pieces were cancelled before the shipment.
    pub(crate) cancelled: u32,
    /// How many pieces have come back.
    pub(crate) returned: u32,
    /// `None` until the copy of the catalogue contains the SKU.
    pub(crate) offer: Option<Offer>,
}

impl OrderLine {
    /// The pieces that were not cancelled.
    pub(crate) fn kept(&self) -> u32 {
        self.quantity.get().saturating_sub(self.cancelled)
    }
}

/// The catalogue's data of a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) product: ProductId,
    /// The price of one piece.
    pub(crate) price: Money,
    /// The title of the product.
    pub(crate) title: Localized,
    /// What distinguishes the variant, such as `颜色: 红`.
    pub(crate) options: BTreeMap<String, String>,
    /// The URL of the first picture of the product.
    pub(crate) image: Option<String>,
}

#[cfg(test)]
impl Offer {
    /// An offer of a product without a title, options and pictures.
    pub(crate) fn priced(price: Money) -> Self {
        Self {
            product: ProductId::new(),
            price,
            title: Localized::default(),
            options: BTreeMap::new(),
            image: None,
        }
    }
}

/// A SKU in the copy of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CatalogListing {
    ForSale(Offer),
    /// The product is a draft, archived or deleted, or does not list the SKU any more.
    NotForSale(Offer),
}

impl CatalogListing {
    /// The current offer, or the last one if the SKU is not for sale.
    pub(crate) fn offer(&self) -> &Offer {
        match self {
            Self::ForSale(offer) | Self::NotForSale(offer) => offer,
        }
    }
}

/// Merges lines of the same SKU and sorts them by SKU.
pub(crate) fn merge_lines(
    quantities: impl IntoIterator<Item = (Sku, Quantity)>,
) -> Result<Vec<(Sku, Quantity)>, InvalidQuantity> {
    let mut merged: BTreeMap<Sku, u32> = BTreeMap::new();
    for (sku, quantity) in quantities {
        let sum = merged.entry(sku).or_default();
        *sum = sum.checked_add(quantity.get()).ok_or(InvalidQuantity)?;
    }
    merged.into_iter().map(|(sku, sum)| Quantity::new(sum).map(|sum| (sku, sum))).collect()
}

/// Adds to each line its offer in `listings`. A SKU without a listing stays unpriced.
pub(crate) fn price_lines(
    quantities: &[(Sku, Quantity)],
    listings: &HashMap<Sku, CatalogListing>,
) -> Result<Vec<OrderLine>, NotForSale> {
    let mut not_for_sale = Vec::new();
    let mut lines = Vec::with_capacity(quantities.len());
    for (sku, quantity) in quantities {
        let offer = match listings.get(sku) {
            Some(CatalogListing::ForSale(offer)) => Some(offer.clone()),
            Some(CatalogListing::NotForSale(_)) => {
                not_for_sale.push(sku.clone());
                continue;
            }
            None => None,
        };
        lines.push(OrderLine {
            sku: sku.clone(),
            quantity: *quantity,
            cancelled: 0,
            returned: 0,
            offer,
        });
    }
    if not_for_sale.is_empty() { Ok(lines) } else { Err(NotForSale(not_for_sale)) }
}

/// The sum of all lines; `None` while the price of a line is unknown.
pub(super) fn total(lines: &[OrderLine]) -> Result<Option<Money>, InvalidMoney> {
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
    use vocabulary::{Currency, InvalidMoney, InvalidQuantity, Money, Quantity, Sku};

    use super::{Offer, OrderLine, merge_lines, total};

    fn line(sku: &str, quantity: u32, price: Option<(i64, Currency)>) -> OrderLine {
        let offer =
            price.map(|(amount, currency)| Offer::priced(Money::new(amount, currency).unwrap()));
        let quantity = Quantity::new(quantity).unwrap();
        OrderLine { sku: sku.parse().unwrap(), quantity, cancelled: 0, returned: 0, offer }
    }

    #[test]
    fn lines_of_one_sku_are_merged() {
        let sku = |text: &str| text.parse::<Sku>().unwrap();
        let many = |n| Quantity::new(n).unwrap();
        let merged = merge_lines([(sku("B"), many(1)), (sku("A"), many(2)), (sku("B"), many(3))]);
        assert_eq!(merged.unwrap(), [(sku("A"), many(2)), (sku("B"), many(4))]);
        assert_eq!(
            merge_lines([(sku("A"), many(1_000_000)), (sku("A"), many(1))]),
            Err(InvalidQuantity)
        );
    }

    #[test]
    fn totals_add_up_or_return_the_reason() {
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
