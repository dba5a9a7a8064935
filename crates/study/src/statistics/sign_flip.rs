//! Whether differences are more than chance, as told by the signs that they might have had.

use selvedge_data::SplitMix64;

/// Up to so many pairs all signs are tried; of more, a hundred thousand are drawn.
pub const MOST_EXACT: usize = 20;

/// The smallest number of pairs of which p can be below 0.05: five give 2/2⁵ = 0.0625 at best.
pub const SMALLEST_SEEDS: usize = 6;

/// Signs that are drawn where there are too many to try all.
const SAMPLES: u64 = 100_000;

/// Keeps these draws apart from whatever else is drawn from the same seed ("signflip").
const SIGN_FLIP: u64 = 0x7369_676E_666C_6970;

/// As far as two sums of the same values may differ by rounding, as a share: differences of accuracies
/// are whole numbers of images, and often give exactly the same sum in another order.
const ROUNDING: f64 = 1e-12;

/// The two-sided p of the exact paired sign-flip test (Fisher's randomisation test; R. Fisher, *The design
/// of experiments*, 1935, section 21): the share of all assignments of signs to the differences whose sum
/// is at least as far from 0 as the sum that was found. Differences of 0 count: they have two signs that are alike.
///
/// All 2ⁿ assignments are tried up to n = [`MOST_EXACT`]; of more, a hundred thousand are drawn, the same
/// for the same n, and p is (b + 1)/(m + 1) (B. Phipson and G. Smyth, *Permutation p-values should never be
/// zero*, 2010). `None` without differences, or if one is not finite.
///
/// ```
/// use selvedge_study::statistics::sign_flip_p;
///
/// // Only the signs as they are, and all turned, sum to as much: 2 of 2⁶.
/// assert_eq!(sign_flip_p(&[0.03, 0.02, 0.05, 0.01, 0.03, 0.04]), Some(2.0 / 64.0));
/// assert_eq!(sign_flip_p(&[0.3, 0.2, 0.5]), Some(0.25));
/// ```
pub fn sign_flip_p(differences: &[f64]) -> Option<f64> {
    let values: Vec<Option<f64>> = differences.iter().copied().map(Some).collect();
    step_down_p(&[values])[0]
}

/// The smallest p that [`sign_flip_p`] can give of `pairs`: 2/2ⁿ.
pub fn smallest_p(pairs: usize) -> f64 {
    2.0_f64.powi(1 - pairs.min(1000) as i32).min(1.0)
}

/// The p of [`sign_flip_p`] of several comparisons at once, adjusted so that the chance of *any* p below
/// 0.05 among comparisons without a true difference is 0.05 at most: the step-down maximum of P. Westfall and
/// S. Young, *Resampling-based multiple testing*, 1993, algorithm 2.8.
///
/// Each comparison has a difference for each seed, `None` where there is none. A seed's differences
/// belong together, and get the same sign; so that, unlike with Holm's correction, six seeds are enough
/// for any number of comparisons. What is compared is (Σd)²/(n Σd²), which grows with Student's |t|.
///
/// Comparisons with fewer than [`SMALLEST_SEEDS`] differences can never show anything, as where a variant diverges with
/// some seeds. Their p is adjusted for all comparisons, and that of the others for those with enough only: two
/// differences that are nearly alike are as strong as can be with half of all signs, and would hide what six show.
///
/// A comparison's p is `None` without differences, or if one is not finite.
///
/// ```
/// use selvedge_study::statistics::step_down_p;
///
/// let clear = [0.03, 0.02, 0.05, 0.01, 0.03, 0.04].map(Some);
/// let smaller = [0.01, 0.02, 0.01, 0.01, 0.02, 0.01].map(Some);
/// assert_eq!(step_down_p(&[clear.into(), smaller.into()]), [Some(0.03125); 2]);
/// ```
///
/// # Panics
///
/// Panics if the comparisons have not all the same number of seeds.
pub fn step_down_p(comparisons: &[Vec<Option<f64>>]) -> Vec<Option<f64>> {
    let seeds = comparisons.first().map_or(0, Vec::len);
    assert!(
        comparisons.iter().all(|c| c.len() == seeds),
        "comparisons: expected {seeds} seeds in all"
    );
    let mut all: Vec<Tested> = comparisons.iter().enumerate().filter_map(Tested::new).collect();
    all.sort_by(|a, b| b.found.total_cmp(&a.found));
    let enough: Vec<&Tested> = all.iter().filter(|c| c.given >= SMALLEST_SEEDS).collect();
    let mut adjusted = vec![None; comparisons.len()];
    let everything = (enough.len() < all.len()).then(|| all.iter().collect());
    // The p of those with enough replace what they are among all.
    for family in everything.into_iter().chain((!enough.is_empty()).then_some(enough)) {
        for (comparison, p) in family.iter().zip(step_down(&family, seeds)) {
            adjusted[comparison.index] = Some(p);
        }
    }
    adjusted
}

/// The adjusted p of comparisons that are given from the strongest to the weakest.
fn step_down(tested: &[&Tested], seeds: usize) -> Vec<f64> {
    let mut at_least = vec![0_u64; tested.len()];
    let tried = for_each_signs(seeds, |signs| {
        // From the weakest to the strongest: each is compared with the best of it and those below it.
        let mut best = 0.0_f64;
        for (comparison, count) in tested.iter().zip(&mut at_least).rev() {
            best = best.max(comparison.statistic(signs));
            *count += u64::from(best >= comparison.found * (1.0 - ROUNDING));
        }
    });
    let mut before = 0.0_f64;
    let shares = at_least.into_iter().map(|count| count as f64 / tried as f64);
    shares
        .map(|share| {
            before = before.max(share);
            before
        })
        .collect()
}

/// A comparison with the strength of its difference.
struct Tested {
    index: usize,
    /// How many differences there are.
    given: usize,
    /// One a seed; 0 where there is none, which no sign changes.
    differences: Vec<f64>,
    /// n Σd²
    scale: f64,
    /// The statistic with the signs as they are.
    found: f64,
}

impl Tested {
    fn new((index, values): (usize, &Vec<Option<f64>>)) -> Option<Self> {
        let given: Vec<f64> = values.iter().flatten().copied().collect();
        if given.is_empty() || !given.iter().all(|d| d.is_finite()) {
            return None;
        }
        let differences = values.iter().map(|d| d.unwrap_or(0.0)).collect();
        let count = given.len();
        let scale = count as f64 * given.iter().map(|d| d * d).sum::<f64>();
        let mut tested = Self { index, given: count, differences, scale, found: 0.0 };
        tested.found = tested.statistic(&vec![1.0; values.len()]);
        Some(tested)
    }

    fn statistic(&self, signs: &[f64]) -> f64 {
        if self.scale == 0.0 {
            return 0.0;
        }
        let sum: f64 = self.differences.iter().zip(signs).map(|(d, sign)| d * sign).sum();
        sum * sum / self.scale
    }
}

/// Calls `each` with assignments of signs, the one of all + among them, and says how many there were. The
/// first sign stays: with all turned, every sum is the same but for its sign.
fn for_each_signs(count: usize, mut each: impl FnMut(&[f64])) -> u64 {
    let mut signs = vec![1.0; count];
    each(&signs);
    if count <= MOST_EXACT {
        let assignments = 1_u64 << count.saturating_sub(1);
        for bits in 1..assignments {
            for (i, sign) in signs.iter_mut().skip(1).enumerate() {
                *sign = if bits >> i & 1 == 1 { -1.0 } else { 1.0 };
            }
            each(&signs);
        }
        return assignments;
    }
    let mut rng = SplitMix64::new(count as u64 ^ SIGN_FLIP);
    for _ in 0..SAMPLES {
        for sign in &mut signs {
            *sign = if rng.below(2) == 1 { -1.0 } else { 1.0 };
        }
        each(&signs);
    }
    SAMPLES + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: scipy.stats.permutation_test((d, numpy.zeros(len(d))), lambda a, b: numpy.mean(a - b),
    //     permutation_type="samples", n_resamples=numpy.inf).pvalue
    #[test]
    fn p_is_that_of_scipys_exact_test() {
        let six = [0.0327, 0.0215, 0.0512, -0.0041, 0.0290, 0.0386];
        assert_eq!(sign_flip_p(&six), Some(0.0625));
        let eight = [0.4, -1.2, 2.5, 0.3, 1.1, -0.7, 0.9, 1.8];
        assert_eq!(sign_flip_p(&eight), Some(0.195_312_5));
    }

    #[test]
    fn sums_that_differ_by_rounding_alone_are_equal() {
        // 0.1 + 0.2 − 0.3 is 5.6e-17, and every sum is 0 or ± 0.2, ± 0.4 or ± 0.6.
        assert_eq!(sign_flip_p(&[0.1, 0.2, -0.3, 0.0]), Some(1.0));
        // In steps of one of 5,000 images: of 16 sums, 8, 6, 4, 4 and their opposites are at least 4.
        let images = [1.0, 2.0, 3.0, -2.0].map(|n: f64| n / 5000.0);
        assert_eq!(sign_flip_p(&images), Some(0.5));
    }

    #[test]
    fn too_few_and_endless_differences_have_the_documented_p() {
        assert_eq!(sign_flip_p(&[]), None);
        assert_eq!(sign_flip_p(&[f64::NAN, 1.0]), None);
        assert_eq!(sign_flip_p(&[1.0]), Some(1.0));
        assert_eq!(sign_flip_p(&[0.0; 6]), Some(1.0));
        assert_eq!(step_down_p(&[]), []);
        for pairs in 1..12 {
            let all_alike: Vec<f64> = (1..=pairs).map(|i| i as f64).collect();
            assert_eq!(sign_flip_p(&all_alike), Some(smallest_p(pairs)));
            assert_eq!(smallest_p(pairs) < 0.05, pairs >= SMALLEST_SEEDS);
        }
        assert_eq!(smallest_p(0), 1.0);
    }

    // Expected: of 400 differences of ± 1, of which 220 are +, the p of all signs is that of a binomial
    // distribution, 2 * scipy.stats.binom.sf(219, 400, 0.5) = 0.05104. Drawn p have a standard deviation
    // of 0.0007; the bound is five of them.
    #[test]
    fn many_pairs_are_drawn_and_give_almost_the_p_of_all() {
        let differences: Vec<f64> = (0..400).map(|i| if i < 220 { 1.0 } else { -1.0 }).collect();
        let p = sign_flip_p(&differences).unwrap();
        assert!((p - 0.05104).abs() < 0.0035, "{p}");
        assert_eq!(sign_flip_p(&differences), Some(p));
        let clear = sign_flip_p(&[1.0; 60]).unwrap();
        assert_eq!(clear, 1.0 / 100_001.0, "p is never 0");
    }

    // Expected: by numpy, with D of three rows of six differences:
    //   S = array(list(product([1, -1], repeat=6))); T = (S @ D.T)**2 / (6 * (D**2).sum(1)); o = T[0]
    //   in falling order of o: p = max(p before, mean(max of T over this and the weaker ones >= o))
    #[test]
    fn several_comparisons_have_the_p_of_the_step_down_maximum() {
        let rows = [
            [0.0327, 0.0215, 0.0512, -0.0041, 0.0290, 0.0386],
            [0.010, 0.012, 0.008, 0.011, 0.013, 0.009],
            [0.002, -0.001, 0.003, 0.001, -0.002, 0.0015],
        ];
        let comparisons: Vec<Vec<_>> = rows.iter().map(|row| row.map(Some).to_vec()).collect();
        assert_eq!(step_down_p(&comparisons), [0.09375, 0.03125, 0.4375].map(Some));
        let alone: Vec<_> = rows.iter().map(|row| sign_flip_p(row)).collect();
        assert_eq!(alone, [0.0625, 0.03125, 0.4375].map(Some));
    }

    #[test]
    fn a_comparison_of_too_few_seeds_hides_no_other() {
        let clear = [0.03, 0.02, 0.05, 0.01, 0.03, 0.04].map(Some);
        let weaker = [0.01, 0.02, 0.01, 0.01, 0.02, 0.01].map(Some);
        let diverged = [Some(0.3), None, None, Some(0.31), None, None];
        let all = [clear.to_vec(), weaker.to_vec(), diverged.to_vec()];
        let p = step_down_p(&all);
        assert_eq!(p[..2], step_down_p(&all[..2]));
        assert_eq!(p[0], Some(0.03125));
        // Half of all signs leave the two as they are.
        assert_eq!(p[2], Some(0.5));
    }

    #[test]
    fn a_missing_pair_leaves_the_others_as_they_are() {
        let whole = [0.3, 0.2, -0.1, 0.4].map(Some).to_vec();
        let mut longer = whole.clone();
        longer.insert(2, None);
        assert_eq!(step_down_p(&[longer]), step_down_p(&[whole]));
        assert_eq!(step_down_p(&[vec![None, None]]), [None]);
    }
}
