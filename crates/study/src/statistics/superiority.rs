//! How often one way is better than another.

use selvedge_data::SplitMix64;
use serde::{Deserialize, Serialize};

use super::bootstrap::{SAMPLES, bca_interval, corrected};
use super::{Interval, mean};

/// Keeps these draws apart from whatever else is drawn from the same seed ("superior").
const SUPERIOR: u64 = 0x7375_7065_7269_6F72;

/// The probability that a value of one way is larger than one of another, estimated of a few.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Superiority {
    /// The share of pairs of values of which the first is larger, equal ones counted half: 0 to 1.
    pub probability: f64,
    /// The 95 % BCa bootstrap interval of it. It has no width where every pair says the same: then read the
    /// number of pairs instead.
    pub interval: Interval,
}

/// P(A > B) of values that belong together in pairs (of the same seed, say), of which `differences` are A − B:
/// the share above 0, and half of that at 0.
///
/// `None` of fewer than two, or if one is not finite. The same `seed` gives the same bits.
///
/// ```
/// use selvedge_study::statistics::paired_superiority;
///
/// let found = paired_superiority(&[0.03, 0.02, -0.01, 0.0], 1).unwrap();
/// assert_eq!(found.probability, 0.625);
/// ```
pub fn paired_superiority(differences: &[f64], seed: u64) -> Option<Superiority> {
    if !differences.iter().all(|difference| difference.is_finite()) {
        return None;
    }
    let wins: Vec<f64> = differences.iter().map(|&difference| win(difference, 0.0)).collect();
    let interval = bca_interval(&wins, 0.95, seed ^ SUPERIOR)?;
    Some(Superiority { probability: mean(&wins)?, interval })
}

/// P(A > B) of two samples that have nothing to do with each other: the share of all pairs of one value of `a` and
/// one of `b` in which that of `a` is larger, and half of those that are equal.
///
/// It is the common language effect size (K. McGraw and S. Wong, Psychological Bulletin 1992) with ties as in
/// A. Vargha and H. Delaney, *A critique and improvement of the CL common language effect size statistics*,
/// 2000, and Mann and Whitney's U over the number of pairs. The interval draws both samples again; its
/// acceleration is that of `scipy.stats.bootstrap` of two samples.
///
/// `None` of fewer than two values in either, or if one is not finite. The same `seed` gives the same bits.
///
/// ```
/// use selvedge_study::statistics::superiority;
///
/// let found = superiority(&[3.0, 4.0, 5.0], &[1.0, 2.0, 4.0], 1).unwrap();
/// assert_eq!(found.probability, 7.5 / 9.0);
/// ```
pub fn superiority(a: &[f64], b: &[f64], seed: u64) -> Option<Superiority> {
    if a.len() < 2 || b.len() < 2 || !a.iter().chain(b).all(|value| value.is_finite()) {
        return None;
    }
    let ranks = Ranks::new(a, b);
    let probability = ranks.probability(&ranks.a, &ranks.b);
    let mut rng = SplitMix64::new(seed ^ SUPERIOR);
    let mut drawn: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let a = draw(&ranks.a, &mut rng);
            let b = draw(&ranks.b, &mut rng);
            ranks.probability(&a, &b)
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    if drawn[0] == drawn[SAMPLES - 1] {
        let interval = Interval { low: probability, high: probability };
        return Some(Superiority { probability, interval });
    }
    let interval = corrected(&drawn, probability, acceleration(a, b), 0.95);
    Some(Superiority { probability, interval })
}

/// 1 if `a` is larger than `b`, 0 if smaller, a half if equal.
fn win(a: f64, b: f64) -> f64 {
    0.5 * (f64::from(u8::from(a > b)) + f64::from(u8::from(a >= b)))
}

/// As many of `values` as there are, with replacement.
fn draw(values: &[usize], rng: &mut SplitMix64) -> Vec<usize> {
    (0..values.len()).map(|_| values[rng.below(values.len() as u64) as usize]).collect()
}

/// Two samples as places among all their distinct values, so that pairs are counted, not compared.
struct Ranks {
    a: Vec<usize>,
    b: Vec<usize>,
    distinct: usize,
}

impl Ranks {
    fn new(a: &[f64], b: &[f64]) -> Self {
        let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let places = |values: &[f64]| {
            let place = |&value: &f64| all.partition_point(|&other| other < value);
            values.iter().map(place).collect()
        };
        Self { a: places(a), b: places(b), distinct: all.len() }
    }

    fn probability(&self, a: &[usize], b: &[usize]) -> f64 {
        let mut counts = vec![[0_usize; 2]; self.distinct];
        a.iter().for_each(|&place| counts[place][0] += 1);
        b.iter().for_each(|&place| counts[place][1] += 1);
        let (mut below, mut twice) = (0, 0);
        for [of_a, of_b] in counts {
            twice += of_a * (2 * below + of_b);
            below += of_b;
        }
        twice as f64 / (2 * a.len() * b.len()) as f64
    }
}

/// Efron's a of two samples: each left-out value's influence, the samples weighed by their sizes.
fn acceleration(a: &[f64], b: &[f64]) -> f64 {
    let of_a: Vec<f64> = a.iter().map(|&x| b.iter().map(|&y| win(x, y)).sum()).collect();
    let of_b: Vec<f64> = b.iter().map(|&y| a.iter().map(|&x| win(x, y)).sum()).collect();
    let (mut squares, mut cubes) = (0.0, 0.0);
    for (wins, others) in [(of_a, b.len()), (of_b, a.len())] {
        let count = wins.len() as f64;
        let center = mean(&wins).unwrap_or(0.0);
        // To leave out a value moves the mean by this, times count − 1.
        let influences = wins.iter().map(|wins| (wins - center) / others as f64);
        for influence in influences {
            squares += influence.powi(2) / count.powi(2);
            cubes += influence.powi(3) / count.powi(3);
        }
    }
    if squares == 0.0 { 0.0 } else { cubes / (6.0 * squares.powf(1.5)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Expected: scipy.stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)); bounds: means over four random_states of
    // scipy.stats.bootstrap((a, b), p, method="BCa", n_resamples=20000, vectorized=False) with
    // p = lambda a, b: mannwhitneyu(a, b).statistic / (len(a) * len(b)) (SciPy 1.17.1)
    #[test]
    fn unpaired_superiority_is_that_of_scipy_and_its_bounds_but_for_chance() {
        let cases = [
            (
                vec![0.62, 0.55, 0.71, 0.66, 0.58, 0.69],
                vec![0.51, 0.60, 0.57, 0.49, 0.63, 0.54],
                [30.0 / 36.0, 0.4583, 1.0],
            ),
            (
                vec![3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0],
                vec![2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0, 2.0, 8.0],
                [0.44375, 0.1781, 0.7338],
            ),
            (
                vec![1.0, 2.0, 3.0, 30.0, 31.0, 32.0, 33.0, 34.0, 35.0, 36.0],
                vec![4.0, 5.0, 6.0, 7.0, 8.0],
                [0.7, 0.4, 0.9],
            ),
        ];
        for (a, b, [probability, low, high]) in cases {
            let found = superiority(&a, &b, 3).unwrap();
            assert!((found.probability - probability).abs() < 1e-15, "{found:?}");
            assert!((found.interval.low - low).abs() < 0.03, "{found:?} {low}");
            assert!((found.interval.high - high).abs() < 0.03, "{found:?} {high}");
        }
    }

    #[test]
    fn pairs_are_told_from_samples_by_what_belongs_together() {
        // Every pair says A, by a step far smaller than the spread.
        let b = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let a = b.map(|value| value + 0.1);
        let paired = paired_superiority(&[0.1; 6], 0).unwrap();
        assert_eq!(
            paired,
            Superiority { probability: 1.0, interval: Interval { low: 1.0, high: 1.0 } }
        );
        let unpaired = superiority(&a, &b, 0).unwrap();
        assert_eq!(unpaired.probability, 21.0 / 36.0);
        assert!(unpaired.interval.low < 0.5 && unpaired.interval.high > 0.5, "{unpaired:?}");
    }

    #[test]
    fn too_few_and_endless_values_have_none_and_a_clear_order_no_width() {
        assert_eq!(superiority(&[1.0], &[1.0, 2.0], 0), None);
        assert_eq!(superiority(&[1.0, f64::NAN], &[1.0, 2.0], 0), None);
        assert_eq!(paired_superiority(&[1.0], 0), None);
        assert_eq!(paired_superiority(&[1.0, f64::INFINITY], 0), None);
        let clear = superiority(&[3.0, 4.0], &[1.0, 2.0], 0).unwrap();
        assert_eq!((clear.probability, clear.interval.low, clear.interval.high), (1.0, 1.0, 1.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_a_wins_b_loses_on_any_rising_scale(
            a in prop::collection::vec(-9_i32..9, 2..8),
            b in prop::collection::vec(-9_i32..9, 2..8),
        ) {
            let [a, b] = [a, b].map(|v| v.into_iter().map(f64::from).collect::<Vec<_>>());
            let one = superiority(&a, &b, 5).unwrap();
            let other = superiority(&b, &a, 5).unwrap();
            prop_assert!((one.probability + other.probability - 1.0).abs() < 1e-12);
            prop_assert!(0.0 <= one.interval.low && one.interval.high <= 1.0);
            prop_assert!(one.interval.low <= one.interval.high);
            let cubes = |v: &[f64]| v.iter().map(|x| x.powi(3)).collect::<Vec<_>>();
            prop_assert_eq!(superiority(&cubes(&a), &cubes(&b), 5).unwrap(), one);
        }
    }
}
