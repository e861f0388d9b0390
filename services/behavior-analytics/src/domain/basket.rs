//! The products of a paid order.

use chrono::{DateTime, Utc};
use vocabulary::{CustomerId, OrderId, ProductId};

/// The products that a customer bought in one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basket {
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: CustomerId,
    /// Each once, in the order of the order's lines.
    pub(crate) products: Vec<ProductId>,
    /// When the order was paid.
    pub(crate) bought_at: DateTime<Utc>,
}

impl Basket {
    /// Keeps the first of repeated products.
    pub(crate) fn new(
        order_id: OrderId,
        customer_id: CustomerId,
        products: impl IntoIterator<Item = ProductId>,
        bought_at: DateTime<Utc>,
    ) -> Self {
        let mut distinct: Vec<ProductId> = Vec::new();
        for product in products {
            if !distinct.contains(&product) {
                distinct.push(product);
            }
        }
        Self { order_id, customer_id, products: distinct, bought_at }
    }
}
