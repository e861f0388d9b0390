//! `order.confirmed.v1`: stores the products of a paid order as a basket.

use contracts::order::OrderConfirmedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{app::model_waker::ModelWaker, domain::basket::Basket, storage::baskets};

#[derive(Debug, Clone)]
pub(crate) struct StoreBasket(pub(crate) ModelWaker);

impl Handler for StoreBasket {
    type Event = OrderConfirmedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderConfirmedV1>,
    ) -> Result<(), Failure> {
        let baskets: Vec<Basket> =
            batch.delivered().iter().map(|delivered| basket(&delivered.event)).collect();
        baskets::insert(tx, &baskets).await?;
        self.0.wake_after_commit(tx);
        Ok(())
    }
}

/// Lines without a product id are left out.
fn basket(confirmed: &OrderConfirmedV1) -> Basket {
    Basket::new(
        confirmed.order_id,
        confirmed.customer_id,
        confirmed.lines.iter().filter_map(|line| line.product_id),
        confirmed.confirmed_at,
    )
}
