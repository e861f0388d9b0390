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

/// A processor time as a percentage of one processor.
pub(crate) fn percent_of_a_processor(cpu: Duration, elapsed: Duration) -> f64 {
    100.0 * cpu.as_secs_f64() / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{median, percent_of_a_processor, rate};

    #[test]
    fn the_median_is_one_of_the_figures() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_string(), "2");
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn rates_are_per_second_and_processor_time_is_in_percent() {
        assert_eq!(rate(30, Duration::from_secs(10)).to_string(), "3");
        let percent = percent_of_a_processor(Duration::from_millis(300), Duration::from_secs(30));
        assert_eq!(percent.to_string(), "1");
    }
}
