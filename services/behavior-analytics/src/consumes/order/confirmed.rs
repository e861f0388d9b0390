//! `order.confirmed.v1`: what was paid together was bought together.

use contracts::order::OrderConfirmedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::ProductId;

use crate::{
    learning::Wake,
    storage::baskets::{self, Basket},
};

/// Keeps the basket.
#[derive(Debug, Clone)]
pub struct KeepBasket(pub Wake);

impl Handler for KeepBasket {
    type Event = OrderConfirmedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderConfirmedV1>,
    ) -> Result<(), Failure> {
        let baskets: Vec<Basket> =
            batch.delivered().iter().map(|confirmed| basket(&confirmed.event)).collect();
        baskets::insert(tx, &baskets).await?;
        self.0.after(tx);
        Ok(())
    }
}

/// The products of an order, each once. A line of which nobody knows the product says nothing here.
fn basket(confirmed: &OrderConfirmedV1) -> Basket {
    let mut products: Vec<ProductId> = Vec::new();
    for product in confirmed.lines.iter().filter_map(|line| line.product_id) {
        if !products.contains(&product) {
            products.push(product);
        }
    }
    Basket {
        order_id: confirmed.order_id,
        customer_id: confirmed.customer_id,
        products,
        bought_at: confirmed.confirmed_at,
    }
}
