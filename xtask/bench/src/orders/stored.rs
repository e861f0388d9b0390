//! The sustained rate with two million orders of earlier months stored, over that with an empty shop.

use suite::{Figures, Target, output};
use xtask::arguments::StoredOrdersBench;

use super::{
    Durations, ROUNDS,
    earlier_orders::{self, BYTES_PER_ORDER},
    record_settings,
    settled::Expected,
    shop::Shop,
    sustained,
};
use crate::{
    disk::free_bytes,
    error::Error,
    statistics::{as_figure, median},
};

/// What everything else takes at most: servers, the write-ahead log, and the orders of the bench.
const OTHER_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Measures the services.
pub(crate) async fn run(arguments: StoredOrdersBench) -> Result<(), Error> {
    let durations = Durations::of(arguments.seconds);
    let shop = Shop::start().await?;
    let needed = arguments.orders * BYTES_PER_ORDER + OTHER_BYTES;
    let free = free_bytes(shop.folder())?;
    output::line(format!("needs {} GB of {} GB of free disk", gigabytes(needed), gigabytes(free)));
    if free < needed {
        return Err(Error::Disk { needed, free });
    }
    let mut figures = Figures::default();
    record_settings(&mut figures, durations);

    let mut expected = Expected::default();
    let empty = rounds(&shop, durations, &mut expected).await?;
    let stored = earlier_orders::insert(&shop.databases, arguments.orders).await?;
    expected.stored = arguments.orders;
    let full = rounds(&shop, durations, &mut expected).await?;

    figures.record("stored_orders", as_figure(arguments.orders), Target::None);
    figures.record("disk_bytes_per_order", stored.bytes_per_order, Target::None);
    figures.record("fill_s", stored.took.as_secs_f64(), Target::None);
    figures.record("orders_confirmed_per_s_empty", empty, Target::None);
    figures.record("orders_confirmed_per_s_stored", full, Target::None);
    figures.record("orders_at_2m_over_empty", full / empty, Target::AtLeast(0.9));
    shop.stop().await?;
    Ok(figures.write(arguments.json.as_deref())?)
}

/// Orders per second: the median of several windows.
async fn rounds(shop: &Shop, durations: Durations, expected: &mut Expected) -> Result<f64, Error> {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let buyers = shop.buyers();
        let window = sustained::measure(shop, &buyers, durations).await?;
        expected.confirmed += buyers.confirmed();
        shop.wait_until_settled(*expected).await?;
        rates.push(window.orders_per_second());
    }
    Ok(median(rates))
}

const fn gigabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000_000)
}
