//! Concurrent buyers in a closed loop: each places its next order when the one before is accepted or decided.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::task::JoinSet;

use crate::{
    error::Error,
    order_client::{Customer, Decision, OrderClient},
};

/// What a buyer waits for before its next order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The answer 202.
    Accepted,
    /// The order is confirmed or rejected.
    Decided,
}

/// The customers and what they buy, with the numbers of their orders so far.
#[derive(Debug)]
pub(crate) struct Buyers {
    client: Arc<OrderClient>,
    customers: Arc<[Customer]>,
    skus: Vec<String>,
    begun: AtomicU64,
    accepted: AtomicU64,
    confirmed: AtomicU64,
    rejected: AtomicU64,
}

/// How many orders may still begin.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    pub(crate) fn of(orders: u64) -> Self {
        Self(Arc::new(AtomicU64::new(orders)))
    }

    /// Orders begin until it is revoked.
    pub(crate) fn unlimited() -> Self {
        Self::of(u64::MAX)
    }

    /// No further order begins.
    pub(crate) fn revoke(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    fn take(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}

impl Buyers {
    pub(crate) fn new(
        client: Arc<OrderClient>,
        customers: Arc<[Customer]>,
        skus: Vec<String>,
    ) -> Arc<Self> {
        let [begun, accepted, confirmed, rejected] = [const { AtomicU64::new(0) }; 4];
        Arc::new(Self { client, customers, skus, begun, accepted, confirmed, rejected })
    }

    /// The number of accepted orders.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The number of orders that their buyers have seen confirmed.
    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::SeqCst)
    }

    /// The number of orders that their buyers have seen rejected.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::SeqCst)
    }

    /// Fails if an order was rejected.
    pub(crate) fn check_none_rejected(&self) -> Result<(), Error> {
        match self.rejected() {
            0 => Ok(()),
            rejected => Err(Error::Inconsistent(format!("{rejected} rejected orders"))),
        }
    }

    /// `concurrent` buyers order as long as `allowance` lasts.
    pub(crate) async fn run(
        self: &Arc<Self>,
        concurrent: usize,
        until: Until,
        allowance: &Allowance,
    ) -> Result<(), Error> {
        let mut tasks = JoinSet::new();
        for _ in 0..concurrent {
            let (buyers, allowance) = (self.clone(), allowance.clone());
            tasks.spawn(async move {
                while allowance.take() {
                    buyers.order(until).await?;
                }
                Ok::<_, Error>(())
            });
        }
        while let Some(finished) = tasks.join_next().await {
            finished.map_err(|_| Error::Timeout("a buyer finishes"))??;
        }
        Ok(())
    }

    /// The next customer orders the next SKU.
    pub(crate) async fn order(&self, until: Until) -> Result<(), Error> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst);
        let (customer, sku) = (nth(&self.customers, number), nth(&self.skus, number));
        let nothing = || Error::Inconsistent("no customers or no SKUs".to_owned());
        let (customer, sku) = customer.zip(sku).ok_or_else(nothing)?;
        match until {
            Until::Accepted => self.client.place(customer, sku).await?,
            Until::Decided => {
                let count = match self.client.place_and_wait(customer, sku).await? {
                    Decision::Confirmed => &self.confirmed,
                    Decision::Rejected => &self.rejected,
                };
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.accepted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// The element of a ring.
fn nth<T>(ring: &[T], number: u64) -> Option<&T> {
    let length = u64::try_from(ring.len()).ok()?;
    ring.get(usize::try_from(number.checked_rem(length)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{Allowance, nth};

    #[test]
    fn an_allowance_ends_after_its_orders() {
        let allowance = Allowance::of(2);
        assert_eq!([(); 3].map(|()| allowance.take()), [true, true, false]);
    }

    #[test]
    fn a_revoked_allowance_lets_no_order_begin() {
        let allowance = Allowance::unlimited();
        assert!(allowance.take());
        allowance.clone().revoke();
        assert!(!allowance.take());
    }

    #[test]
    fn customers_take_turns() {
        let turns: Vec<_> = (0..4).filter_map(|number| nth(&["a", "b", "c"], number)).collect();
        assert_eq!(turns, [&"a", &"b", &"c", &"a"]);
        assert_eq!(nth::<u8>(&[], 0), None);
    }
}
