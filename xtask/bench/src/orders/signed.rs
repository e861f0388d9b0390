//! Confirmed orders per second with and without signatures: two suites, of which one rests while the other is measured.

use std::time::Duration;

use super::{Durations, settled::Expected, shop::Shop, sustained};
use crate::{
    error::Error,
    pairs::{Pairs, order_of},
};

/// A suite and its orders so far.
struct Measured {
    shop: Shop,
    expected: Expected,
}

impl Measured {
    async fn start(is_signed: bool) -> Result<Self, Error> {
        let shop = if is_signed { Shop::start_signed().await? } else { Shop::start().await? };
        Ok(Self { shop, expected: Expected::default() })
    }

    /// Confirmed orders per second. Afterwards nothing is in flight.
    async fn orders_per_second(&mut self, durations: Durations) -> Result<f64, Error> {
        let buyers = self.shop.buyers();
        let window = sustained::measure(&self.shop, &buyers, durations).await?;
        self.expected.confirmed += buyers.confirmed();
        self.shop.wait_until_settled(self.expected).await?;
        Ok(window.orders_per_second())
    }
}

/// Measures pairs, each for `seconds` per suite.
pub(crate) async fn signed_and_unsigned(pairs: u32, seconds: u32) -> Result<Pairs, Error> {
    let mut suites = [Measured::start(false).await?, Measured::start(true).await?];
    let warm_up = Duration::from_secs(3);
    let durations = Durations { warm_up, ..Durations::of(seconds) };
    // The first orders fill caches and pools.
    for suite in &mut suites {
        suite.orders_per_second(durations).await?;
    }
    let mut measured = Pairs::default();
    for pair in 0..pairs {
        for is_signed in order_of(pair) {
            let rate = suites[usize::from(is_signed)].orders_per_second(durations).await?;
            let rates = if is_signed { &mut measured.signed } else { &mut measured.unsigned };
            rates.push(rate);
        }
    }
    for Measured { shop, .. } in suites {
        shop.stop().await?;
    }
    Ok(measured)
}
