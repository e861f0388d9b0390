//! Popularity, which moves all the time and is written to the index only where it would change an order of hits.

/// The smallest change that matters.
const STEP: f64 = 0.1;

/// The smallest share of the score that matters.
const SHARE: f64 = 0.1;

/// Whether `score` is so far from what the index has that the document is worth writing again.
pub fn matters(indexed: f64, score: f64) -> bool {
    (score - indexed).abs() > STEP.max(indexed.abs() * SHARE)
}

#[cfg(test)]
mod tests {
    use super::matters;

    #[test]
    fn small_changes_do_not_matter() {
        assert!(!matters(0.0, 0.1));
        assert!(matters(0.0, 0.2));
        assert!(!matters(100.0, 109.0));
        assert!(matters(100.0, 111.0));
        assert!(matters(100.0, 0.0));
    }
}
