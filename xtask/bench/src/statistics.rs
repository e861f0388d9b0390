//! Medians and rates of what a bench measures.

use std::time::Duration;

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A number per second.
pub(crate) fn rate(number: u64, elapsed: Duration) -> f64 {
    as_figure(number) / elapsed.as_secs_f64()
}

/// A count as a figure.
pub(crate) fn as_figure(count: impl TryInto<i64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no bench counts to 2^52")]
    let figure = count.try_into().unwrap_or(i64::MAX) as f64;
    figure
}
