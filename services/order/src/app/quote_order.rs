//! Calculates what an order would cost.

use runtime::clock;
use sqlx::PgConnection;
use vocabulary::{CustomerId, Quantity, Sku};

use super::{
    order_costs::{OrderCosts, UsesFor, WantedOrder},
    order_process::OrderProcess,
};
use crate::{
    domain::{
        OrderLine, PlaceOrderError, ShownPrices,
        costs::{Costs, CouponCode, Destination},
        price_lines,
    },
    storage::offers,
};

#[derive(Debug)]
pub(crate) struct QuoteOrderCommand<'a> {
    pub(crate) customer: CustomerId,
    /// Sorted by SKU; each SKU occurs once.
    pub(crate) quantities: &'a [(Sku, Quantity)],
    pub(crate) destination: Destination<'a>,
    pub(crate) coupon: Option<&'a CouponCode>,
    /// The prices that the customer was shown.
    pub(crate) shown: &'a ShownPrices,
}

/// What an order would cost now.
#[derive(Debug)]
pub(crate) struct Quote {
    pub(crate) lines: Vec<OrderLine>,
    /// `None` while the price of a line is unknown.
    pub(crate) costs: Option<Costs>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum QuoteOrderError {
    #[error(transparent)]
    Refused(#[from] PlaceOrderError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Places nothing, and counts no use of a promotion.
pub(crate) async fn quote_order(
    connection: &mut PgConnection,
    process: &OrderProcess,
    command: QuoteOrderCommand<'_>,
) -> Result<Quote, QuoteOrderError> {
    let QuoteOrderCommand { customer, quantities, destination, coupon, shown } = command;
    let skus: Vec<&str> = quantities.iter().map(|(sku, _)| sku.as_str()).collect();
    let listings = offers::listings(connection, &skus).await?;
    let rules = process.cost_rules().at(connection, listings.rules).await?;
    let lines = price_lines(quantities, &listings.by_sku).map_err(PlaceOrderError::from)?;
    let wanted = WantedOrder { customer, lines: &lines, destination, coupon };
    let uses_for = UsesFor::Quoting;
    let costs =
        OrderCosts::load(connection, rules, [wanted].into_iter(), uses_for, clock::now()).await?;
    let costs = costs.of(wanted).map_err(PlaceOrderError::from)?;
    if let Some(change) = shown.compare(&lines, costs.as_ref().map(Costs::total)) {
        return Err(PlaceOrderError::PriceChanged(Box::new(change)).into());
    }
    Ok(Quote { lines, costs })
}
