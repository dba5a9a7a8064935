//! What may be said of a few paired measurements.
//!
//! | to | use |
//! |---|---|
//! | summarize values | [`Summary`], [`mean`], [`standard_deviation`] |
//! | compare many variants with the best or a baseline | [`compare`] |
//! | know whether paired differences are more than chance | [`sign_flip_p`] |
//! | the same of several comparisons at once | [`step_down_p`], [`holm`] |
//! | know between which bounds a mean difference lies | [`bca_interval`] |
//! | know how often one way is better than another | [`paired_superiority`], [`superiority`] |
//! | plan how many seeds to try | [`seeds_needed`], [`t_test_power`] |
//!
//! Two ways that were tried with the same seeds make one difference for each seed. Nothing here supposes
//! that these are normally distributed: the test needs differences that would be as likely with the
//! other sign if the two ways were equally good, and the interval needs seeds that stand for all others.

mod bootstrap;
mod compare;
mod holm;
pub(crate) mod normal;
mod power;
mod sign_flip;
mod summary;
mod superiority;

pub use bootstrap::{Interval, bca_interval};
pub use compare::{Better, Comparison, StatisticsError, Variant, best, compare};
pub use holm::holm;
pub use power::{seeds_needed, t_test_power};
pub use sign_flip::{MOST_EXACT, SMALLEST_SEEDS, sign_flip_p, smallest_p, step_down_p};
pub use summary::Summary;
pub use superiority::{Superiority, paired_superiority, superiority};

/// The mean; `None` of no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    match values {
        [] => None,
        // The sum of equal values may round: their mean is each of them.
        [first, others @ ..] if others.iter().all(|value| value == first) => Some(*first),
        _ => Some(values.iter().sum::<f64>() / values.len() as f64),
    }
}

/// The sample standard deviation, with n − 1 in the denominator; `None` of fewer than two values.
///
/// ```
/// use selvedge_study::statistics::{mean, standard_deviation};
///
/// let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
/// assert_eq!(mean(&values), Some(5.0));
/// assert_eq!(standard_deviation(&values), Some((32.0_f64 / 7.0).sqrt()));
/// ```
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: numpy.mean(d) and numpy.std(d, ddof=1) of the same values.
    #[test]
    fn mean_and_standard_deviation_are_those_of_numpy() {
        let d = [0.0327, 0.0215, 0.0512, -0.0041, 0.0290, 0.0386];
        assert!((mean(&d).unwrap() - 0.028_149_999_999_999_998).abs() < 1e-17);
        let deviation = standard_deviation(&d).unwrap();
        assert!((deviation - 0.018_688_044_306_454_328).abs() < 1e-16, "{deviation}");
    }

    #[test]
    fn too_few_values_have_no_summary_and_equal_ones_no_spread() {
        assert_eq!(mean(&[]), None);
        assert_eq!(standard_deviation(&[]), None);
        assert_eq!(standard_deviation(&[1.0]), None);
        // 0.1 + 0.1 + 0.1 is not 0.3.
        assert_eq!(mean(&[0.1; 3]), Some(0.1));
        assert_eq!(standard_deviation(&[0.1; 3]), Some(0.0));
    }
}
