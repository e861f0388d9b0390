//! Splits an amount among lines, without losing a minor unit.

use std::cmp::Reverse;

/// Splits `amount` in proportion to `weights`, by the largest remainders; of equal ones the first gets the unit. The parts
/// add up to `amount`. No part is larger than its weight if `amount` is not larger than all weights together. Nothing is
/// negative.
pub(super) fn allocate(amount: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: &i64| i128::from(amount) * i128::from(*weight);
    let mut parts: Vec<i64> =
        weights.iter().map(|weight| i64::try_from(exact(weight) / sum).unwrap_or(amount)).collect();
    let mut left = amount - parts.iter().sum::<i64>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|place| Reverse(exact(&weights[*place]) % sum));
    for place in by_remainder {
        if left == 0 {
            break;
        }
        parts[place] += 1;
        left -= 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::allocate;

    #[test]
    fn the_largest_remainders_get_what_is_left() {
        assert_eq!(allocate(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(allocate(10, &[50, 0, 49]), [5, 0, 5]);
        assert_eq!(allocate(1, &[0, 0, 7]), [0, 0, 1]);
        assert_eq!(allocate(0, &[0, 0]), [0, 0]);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_fit(
            weights in prop::collection::vec(0_i64..=1_000_000_000_000, 1..20),
            share in 0.0_f64..=1.0,
        ) {
            let sum: i64 = weights.iter().sum();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any amount will do")]
            let amount = ((sum as f64 * share) as i64).min(sum);
            let parts = allocate(amount, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), amount);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!((0..=*weight).contains(part), "{part} of {weight}");
            }
        }
    }
}
