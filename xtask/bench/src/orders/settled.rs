//! No order is lost: when nothing is in flight any more, all databases must have exactly the accepted orders.

use std::time::Duration;

use testkit::wait_for;

use super::shop::{Databases, Shop};
use crate::error::Error;

/// Timeout until nothing is in flight.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The orders of the run so far, by their final status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) confirmed: u64,
    pub(super) rejected: u64,
    /// Delivered before the run.
    pub(super) stored: u64,
}

/// What the databases contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    orders: i64,
    confirmed: i64,
    rejected: i64,
    /// Open reservations.
    reservations: i64,
    /// Pieces that the levels say are reserved.
    reserved_pieces: i64,
    /// Rows of the views that must be empty.
    discrepancies: i64,
    /// Baskets of confirmed orders, in the analytics.
    baskets: i64,
}

impl Shop {
    /// Waits until all orders have their final status everywhere. Fails if one is lost, doubled or not decided.
    pub(super) async fn wait_until_settled(&self, expected: Expected) -> Result<(), Error> {
        wait_for("all orders are decided and none is lost", TIMEOUT, async || {
            let found = self.databases.found().await.map_err(|error| error.to_string())?;
            match found {
                None => Err("events wait for the relay".to_owned()),
                Some(found) if found.is(expected) => Ok(()),
                Some(found) => Err(format!("{found:?} instead of {expected:?}")),
            }
        })
        .await?;
        Ok(())
    }
}

impl Found {
    /// Whether it is what the buyers expect. Each order has one piece.
    fn is(self, Expected { confirmed, rejected, stored }: Expected) -> bool {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (confirmed, rejected, stored) = (count(confirmed), count(rejected), count(stored));
        self == Self {
            orders: confirmed + rejected + stored,
            confirmed,
            rejected,
            reservations: confirmed,
            reserved_pieces: confirmed,
            discrepancies: 0,
            baskets: confirmed,
        }
    }
}

impl Databases {
    /// Nothing while an outbox has events.
    async fn found(&self) -> Result<Option<Found>, Error> {
        for database in [&self.order, &self.inventory] {
            let waiting: Option<i64> =
                sqlx::query_scalar("select id from messaging.outbox limit 1")
                    .fetch_optional(database)
                    .await?;
            if waiting.is_some() {
                return Ok(None);
            }
        }
        let (orders, confirmed, rejected) = sqlx::query_as(
            "select count(*), count(*) filter (where status = 'confirmed'),
                    count(*) filter (where status = 'rejected')
             from orders",
        )
        .fetch_one(&self.order)
        .await?;
        let (reservations, reserved_pieces, discrepancies) = sqlx::query_as(
            "select (select count(*) from reservation where state = 'reserved'),
                    (select sum(reserved)::bigint from stock),
                    (select count(*) from ledger_discrepancy)
                        + (select count(*) from reservation_discrepancy)",
        )
        .fetch_one(&self.inventory)
        .await?;
        let baskets =
            sqlx::query_scalar("select count(*) from basket").fetch_one(&self.behavior).await?;
        let found = Found {
            orders,
            confirmed,
            rejected,
            reservations,
            reserved_pieces,
            discrepancies,
            baskets,
        };
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, Found};

    const FOUND: Found = Found {
        orders: 5,
        confirmed: 3,
        rejected: 2,
        reservations: 3,
        reserved_pieces: 3,
        discrepancies: 0,
        baskets: 3,
    };

    #[test]
    fn every_count_must_be_exact() {
        let expected = Expected { confirmed: 3, rejected: 2, stored: 0 };
        assert!(FOUND.is(expected));
        assert!(Found { orders: 9, ..FOUND }.is(Expected { stored: 4, ..expected }));
        for other in [
            Found { orders: 4, ..FOUND },
            Found { confirmed: 2, ..FOUND },
            Found { rejected: 1, ..FOUND },
            Found { reservations: 4, ..FOUND },
            Found { reserved_pieces: 2, ..FOUND },
            Found { discrepancies: 1, ..FOUND },
            Found { baskets: 2, ..FOUND },
        ] {
            assert!(!other.is(expected), "{other:?}");
        }
    }
}
