//! Between which bounds a mean lies, as told by drawing again from what was measured.

use selvedge_data::SplitMix64;
use serde::{Deserialize, Serialize};

use super::{mean, normal};

/// Samples that are drawn. The bounds of two seeds differ by about a hundredth of the interval's width.
pub(super) const SAMPLES: usize = 10_000;

/// Keeps these draws apart from whatever else is drawn from the same seed ("bootstra").
const BOOTSTRAP: u64 = 0x626F_6F74_7374_7261;

/// The bounds between which a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// The bias-corrected and accelerated (BCa) bootstrap interval of the mean of `values`, which holds the
/// true mean in about the share `confidence` of all studies; the same `seed` gives the same bits.
///
/// Source: B. Efron, *Better bootstrap confidence intervals*, JASA 1987, with the acceleration by the
/// jackknife (B. Efron and R. Tibshirani, *An introduction to the bootstrap*, 1993, chapter 14); as
/// `scipy.stats.bootstrap(..., method="BCa")` does. Of fewer than about ten values it is somewhat too
/// narrow, as every interval is that knows nothing but them.
///
/// `None` of fewer than two values, or if one is not finite; equal values have an interval of no width.
///
/// # Panics
///
/// Panics if `confidence` is not above 0 and below 1.
///
/// ```
/// use selvedge_study::statistics::bca_interval;
///
/// let differences = [0.033, 0.022, 0.051, -0.004, 0.029, 0.039];
/// let interval = bca_interval(&differences, 0.95, 1).unwrap();
/// assert!(0.0 < interval.low && interval.high < 0.051);
/// assert_eq!(bca_interval(&[0.5], 0.95, 1), None);
/// ```
pub fn bca_interval(values: &[f64], confidence: f64, seed: u64) -> Option<Interval> {
    assert!(confidence > 0.0 && confidence < 1.0, "confidence: expected 0 to 1, got {confidence}");
    let center = mean(values)?;
    if values.len() < 2 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    if values.iter().all(|&value| value == values[0]) {
        return Some(Interval { low: center, high: center });
    }
    Some(corrected(&drawn_means(values, seed), center, acceleration(values), confidence))
}

/// The interval of an estimate of `center`, of which `sorted` are the drawn ones in rising order.
pub(super) fn corrected(
    sorted: &[f64],
    center: f64,
    acceleration: f64,
    confidence: f64,
) -> Interval {
    let bias = bias(sorted, center);
    let bound = |share: f64| {
        let z = bias + normal::quantile(share);
        let corrected = normal::cdf(bias + z / (1.0 - acceleration * z));
        percentile(sorted, corrected)
    };
    let tail = 0.5 * (1.0 - confidence);
    Interval { low: bound(tail), high: bound(1.0 - tail) }
}

/// The means of samples as large as `values`, drawn from them with replacement; in rising order.
fn drawn_means(values: &[f64], seed: u64) -> Vec<f64> {
    let mut rng = SplitMix64::new(seed ^ BOOTSTRAP);
    let count = values.len();
    let mut sample = || {
        let drawn = (0..count).map(|_| values[rng.below(count as u64) as usize]);
        drawn.sum::<f64>() / count as f64
    };
    let mut means: Vec<f64> = (0..SAMPLES).map(|_| sample()).collect();
    means.sort_by(f64::total_cmp);
    means
}

/// Efron's z₀: how far the middle of the drawn means is from `center`, of which equal ones count half.
fn bias(sorted: &[f64], center: f64) -> f64 {
    let below = sorted.partition_point(|&mean| mean < center);
    let to = sorted.partition_point(|&mean| mean <= center);
    // Values this extreme do not come about by drawing; an infinite bias would leave no interval.
    let half = 0.5 / sorted.len() as f64;
    let share = (below + to) as f64 / (2 * sorted.len()) as f64;
    normal::quantile(share.clamp(half, 1.0 - half))
}

/// Efron's a: a sixth of the skewness of the means that leave out one value each. Of a mean those are a
/// straight line of the values themselves.
fn acceleration(values: &[f64]) -> f64 {
    let center = mean(values).unwrap_or(0.0);
    let deviations = values.iter().map(|value| value - center);
    let (mut squares, mut cubes) = (0.0, 0.0);
    for deviation in deviations {
        squares += deviation.powi(2);
        cubes += deviation.powi(3);
    }
    cubes / (6.0 * squares.powf(1.5))
}

/// The value below which the share `share` of `sorted` lies, on a straight line between neighbours, as
/// `numpy.quantile` has it.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: means over ten random_states of
    // scipy.stats.bootstrap((values,), numpy.mean, method="BCa", confidence_level=c, n_resamples=100000)
    // (SciPy 1.17.1). The tolerance is five of the standard deviations that these ten had, times √10 for
    // ten times fewer samples, and at least a gap between two possible means.
    #[test]
    fn bounds_are_those_of_scipy_but_for_chance() {
        let differences = [0.0327, 0.0215, 0.0512, -0.0041, 0.0290, 0.0386];
        let even = [0.4, -1.2, 2.5, 0.3, 1.1, -0.7, 0.9, 1.8];
        let skew = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 5.0, 8.0, 21.0];
        let cases: [(&[f64], f64, Interval, f64); 5] = [
            (&differences, 0.95, Interval { low: 0.01133, high: 0.03923 }, 2.3e-3),
            (&differences, 0.9, Interval { low: 0.01419, high: 0.03783 }, 1.7e-3),
            (&even, 0.95, Interval { low: -0.15875, high: 1.415 }, 9e-2),
            (&even, 0.9, Interval { low: -0.02875, high: 1.3 }, 9e-2),
            (&skew, 0.95, Interval { low: 2.7, high: 11.21 }, 1.1),
        ];
        for (values, confidence, expected, tolerance) in cases {
            for seed in 0..5 {
                let found = bca_interval(values, confidence, seed).unwrap();
                assert!((found.low - expected.low).abs() < tolerance, "{found:?} {expected:?}");
                assert!((found.high - expected.high).abs() < tolerance, "{found:?} {expected:?}");
            }
        }
    }

    // Expected: jackknife = [numpy.mean(numpy.delete(skew, i)) for i in range(10)]; with
    // u = mean(jackknife) - jackknife: sum(u**3) / (6 * sum(u**2)**1.5)
    #[test]
    fn the_acceleration_is_that_of_the_jackknife() {
        let skew = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 5.0, 8.0, 21.0];
        let jackknife: Vec<f64> = (0..skew.len())
            .map(|left_out| (skew.iter().sum::<f64>() - skew[left_out]) / 9.0)
            .collect();
        let center = mean(&jackknife).unwrap();
        let sum = |power| jackknife.iter().map(|m| (center - m).powi(power)).sum::<f64>();
        let expected = sum(3) / (6.0 * sum(2).powf(1.5));
        assert!((acceleration(&skew) - expected).abs() < 1e-12);
        assert!(expected > 0.1, "{expected}");
    }

    #[test]
    fn a_longer_tail_moves_the_interval_towards_it() {
        let skew = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 5.0, 8.0, 21.0];
        let Interval { low, high } = bca_interval(&skew, 0.95, 0).unwrap();
        assert!(high - 5.0 > 1.5 * (5.0 - low), "{low} {high}");
    }

    #[test]
    fn too_few_equal_and_endless_values_have_the_documented_interval() {
        assert_eq!(bca_interval(&[], 0.95, 0), None);
        assert_eq!(bca_interval(&[1.0], 0.95, 0), None);
        assert_eq!(bca_interval(&[1.0, f64::NAN], 0.95, 0), None);
        assert_eq!(bca_interval(&[0.1; 7], 0.95, 0), Some(Interval { low: 0.1, high: 0.1 }));
        let two = bca_interval(&[0.0, 1.0], 0.95, 0).unwrap();
        assert_eq!(two, Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn a_seed_draws_the_same_interval_again() {
        let values = [0.3, 0.1, 0.7, 0.25];
        let draw = |seed| bca_interval(&values, 0.95, seed).unwrap();
        assert_eq!(draw(3), draw(3));
    }
}
