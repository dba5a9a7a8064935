//! A sample in four numbers.

use serde::{Deserialize, Serialize};

use super::{Interval, bca_interval, mean, standard_deviation};

/// What may be said of values that were measured with several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation, with n − 1 in the denominator; of fewer than two there is none.
    pub standard_deviation: Option<f64>,
    /// The 95 % BCa bootstrap interval of the mean; of fewer than two there is none.
    pub interval: Option<Interval>,
    /// How many they are.
    pub n: usize,
}

impl Summary {
    /// Of `values`; `None` without any, or if one is not finite. The same `seed` draws the same interval.
    ///
    /// ```
    /// use selvedge_study::statistics::Summary;
    ///
    /// let summary = Summary::of(&[0.91, 0.93, 0.92], 1).unwrap();
    /// assert_eq!(summary.n, 3);
    /// assert!((summary.mean - 0.92).abs() < 1e-12);
    /// ```
    pub fn of(values: &[f64], seed: u64) -> Option<Self> {
        if !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        Some(Self {
            mean: mean(values)?,
            standard_deviation: standard_deviation(values),
            interval: bca_interval(values, 0.95, seed),
            n: values.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_value_has_a_mean_alone_and_none_or_nan_no_summary() {
        let one = Summary { mean: 0.5, standard_deviation: None, interval: None, n: 1 };
        assert_eq!(Summary::of(&[0.5], 0), Some(one));
        assert_eq!(Summary::of(&[], 0), None);
        assert_eq!(Summary::of(&[0.5, f64::NAN], 0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn another_unit_changes_a_summary_as_it_changes_the_values(
            // Whole numbers, so that drawn means that are equal stay so.
            values in prop::collection::vec(-100_i32..100, 2..9),
            offset in -10_i32..10,
            exponent in -3_i32..4,
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let (offset, scale) = (f64::from(offset), 2.0_f64.powi(exponent));
            let one = Summary::of(&values, 7).unwrap();
            let moved: Vec<f64> = values.iter().map(|value| offset + scale * value).collect();
            let other = Summary::of(&moved, 7).unwrap();
            let close = |a: f64, b: f64| (a - b).abs() < 1e-7 * (1.0 + a.abs());
            prop_assert!(close(other.mean, offset + scale * one.mean));
            let [a, b] = [one, other].map(|s| s.standard_deviation.unwrap());
            prop_assert!(close(b, scale * a));
            let [a, b] = [one, other].map(|s| s.interval.unwrap());
            prop_assert!(close(b.low, offset + scale * a.low));
            prop_assert!(close(b.high, offset + scale * a.high));
        }
    }
}
