//! Metrics of information retrieval.

/// The normalised discounted cumulative gain of the first ten hits, with linear gain (Järvelin and Kekäläinen
/// 2002). `found` has the grades of the hits in their order, 0 for one that was not judged; `judged` all grades.
pub fn ndcg_at_10(found: &[f64], judged: &[f64]) -> f64 {
    let mut ideal = judged.to_vec();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let ideal = gain(&ideal);
    if ideal > 0.0 { gain(found) / ideal } else { 0.0 }
}

fn gain(grades: &[f64]) -> f64 {
    (2_u32..)
        .zip(grades.iter().take(10))
        .map(|(place, grade)| grade / f64::from(place).log2())
        .sum()
}

/// The mean of some figures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    pub fn add(&mut self, figure: f64) {
        self.sum += figure;
        self.count += 1.0;
    }

    /// NaN without figures.
    pub fn get(self) -> f64 {
        self.sum / self.count
    }

    /// How many figures there were.
    pub fn count(self) -> f64 {
        self.count
    }
}

/// `part` of `whole`; both are small.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(part) / number(whole)
}

#[cfg(test)]
mod tests {
    use super::ndcg_at_10;

    #[test]
    fn the_best_order_has_the_gain_one() {
        assert!((ndcg_at_10(&[3.0, 1.0, 0.0], &[1.0, 3.0]) - 1.0).abs() < 1e-9);
        assert!(ndcg_at_10(&[1.0, 3.0], &[1.0, 3.0]) < 1.0);
        assert!(ndcg_at_10(&[], &[0.0]).abs() < 1e-9);
    }
}
