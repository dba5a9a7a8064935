//! How many seeds it takes to see a difference.

use super::{SMALLEST_SEEDS, normal};

/// The chance that a p below this is found without a difference.
const ALPHA: f64 = 0.05;

/// The chance that the difference is found when there is one.
const POWER: f64 = 0.8;

/// Pieces into which a distribution is cut to be summed; an even number. The error is below 1e-9.
const PIECES: usize = 8_000;

/// So far from its peak there is nothing of a chi distribution left: its standard deviation is below 0.71.
const REACH: f64 = 10.0;

/// The number of seeds with which a paired, two-sided t-test finds a true mean `difference` with a chance
/// of 0.8 at p < 0.05, where the differences of single seeds have the standard deviation `deviation` (in the same
/// unit); [`SMALLEST_SEEDS`] at least, as the exact sign-flip test cannot reject with fewer.
///
/// The power is that of the noncentral t distribution (J. Cohen, *Statistical power analysis for the
/// behavioral sciences*, 1988, chapter 2); the sign-flip test needs about as many where differences are
/// about normally distributed. `None` if the difference is 0, a number is not finite, the deviation is
/// negative, or more than a hundred million seeds were needed.
///
/// ```
/// use selvedge_study::statistics::seeds_needed;
///
/// // In points of accuracy, where seeds differ by a standard deviation of 0.2 points:
/// let seeds = [0.1, 0.2, 0.3].map(|difference| seeds_needed(difference, 0.2));
/// assert_eq!(seeds, [Some(34), Some(10), Some(6)]);
/// ```
pub fn seeds_needed(difference: f64, deviation: f64) -> Option<usize> {
    let effect = (difference / deviation).abs();
    if !(deviation.is_finite() && deviation >= 0.0 && difference.is_finite() && effect > 0.0) {
        return None;
    }
    // What it would take if the standard deviation were known: never more than it takes.
    let known = (normal::quantile(1.0 - 0.5 * ALPHA) + normal::quantile(POWER)) / effect;
    let known = (known * known).floor();
    if known > 1e8 {
        return None;
    }
    let start = (known as usize).max(SMALLEST_SEEDS);
    (start..).find(|&seeds| t_test_power(seeds, effect) >= POWER)
}

/// The chance that a paired, two-sided t-test of `seeds` pairs rejects at p < 0.05, when the true mean difference is
/// `effect` standard deviations of single differences; 0 of fewer than two pairs. An infinite effect is
/// always found.
///
/// # Panics
///
/// Panics if `effect` is NaN.
pub fn t_test_power(seeds: usize, effect: f64) -> f64 {
    assert!(!effect.is_nan(), "effect: expected a number, got NaN");
    if seeds < 2 {
        return 0.0;
    }
    if effect.is_infinite() {
        return 1.0;
    }
    let chi = Chi::new((seeds - 1) as f64);
    let critical = chi.t_quantile(1.0 - 0.5 * ALPHA);
    let shift = effect.abs() * (seeds as f64).sqrt();
    1.0 - chi.t_cdf(critical, shift) + chi.t_cdf(-critical, shift)
}

/// Where a chi distribution lies and what each place weighs, by Simpson's rule. A t variable is a normal
/// one over a chi one, so that its distribution is a mean of normal ones.
struct Chi {
    /// (s/√ν, weight); the weights sum to 1.
    places: Vec<(f64, f64)>,
}

impl Chi {
    /// Of `freedom` ≥ 1 degrees of freedom (ν).
    fn new(freedom: f64) -> Self {
        let peak = (freedom - 1.0).sqrt();
        let low = (peak - REACH).max(0.0);
        let step = (peak + REACH - low) / PIECES as f64;
        // Relative to the peak, and divided by their sum: no gamma function that overflows.
        let density = |s: f64| match peak > 0.0 {
            true => libm::exp((freedom - 1.0) * libm::log(s / peak) - 0.5 * (s * s - peak * peak)),
            false => libm::exp(-0.5 * s * s),
        };
        let place = |i: usize| {
            let s = low + step * i as f64;
            let simpson = match i {
                0 | PIECES => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            (s / freedom.sqrt(), simpson * density(s))
        };
        let mut places: Vec<(f64, f64)> = (0..=PIECES).map(place).collect();
        let sum: f64 = places.iter().map(|(_, weight)| weight).sum();
        places.iter_mut().for_each(|(_, weight)| *weight /= sum);
        Self { places }
    }

    /// The share of the noncentral t distribution, moved by `shift`, below `t`.
    fn t_cdf(&self, t: f64, shift: f64) -> f64 {
        self.places.iter().map(|&(s, weight)| weight * normal::cdf(t * s - shift)).sum()
    }

    /// The t below which the share `p` ≥ 0.5 of the central distribution lies; by halving.
    fn t_quantile(&self, p: f64) -> f64 {
        let (mut low, mut high) = (0.0, 100.0);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            match self.t_cdf(middle, 0.0) < p {
                true => low = middle,
                false => high = middle,
            }
        }
        0.5 * (low + high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: scipy.stats.t.ppf(0.975, v) and scipy.stats.nct.cdf(t, v, d)
    #[test]
    fn the_t_distributions_are_those_of_scipy() {
        for (freedom, expected) in [
            (1.0, 12.706_204_736_174_694),
            (2.0, 4.302_652_729_749_462),
            (5.0, 2.570_581_835_636_314_6),
            (30.0, 2.042_272_456_301_237_8),
            (1e4, 1.960_201_239_890_626),
        ] {
            let found = Chi::new(freedom).t_quantile(0.975);
            assert!((found / expected - 1.0).abs() < 1e-8, "{freedom}: {found} {expected}");
        }
        for ((t, freedom, shift), expected) in [
            ((2.0, 1.0, 1.5), 0.491_019_901_517_723_7),
            ((2.571, 5.0, 2.0), 0.632_077_192_478_092_7),
            ((-1.0, 9.0, 0.7), 0.051_539_513_161_472_37),
            ((4.0, 60.0, 3.0), 0.822_218_131_329_978_6),
        ] {
            let found = Chi::new(freedom).t_cdf(t, shift);
            assert!((found - expected).abs() < 1e-8, "{t} {freedom} {shift}: {found} {expected}");
        }
    }

    // Expected: statsmodels.stats.power.TTestPower().power(effect, nobs, 0.05) (statsmodels 0.15.0)
    #[test]
    fn powers_are_those_of_statsmodels() {
        for ((seeds, effect), expected) in [
            ((2, 1.0), 0.092_809_155_056_335_97),
            ((6, 1.5), 0.832_529_279_866_807_8),
            ((10, 0.5), 0.293_175_606_514_076_7),
            ((34, 0.5), 0.807_777_501_279_273_7),
            ((800, 0.1), 0.806_498_448_956_807_7),
        ] {
            let found = t_test_power(seeds, effect);
            assert!((found - expected).abs() < 1e-8, "{seeds} {effect}: {found} {expected}");
        }
    }

    // Expected: math.ceil(statsmodels.stats.power.TTestPower().solve_power(d / s, None, 0.05, 0.8)), but 6 at
    // least: 0.2 takes 5 where the deviation is 0.1.
    #[test]
    fn seeds_for_a_tenth_to_three_tenths_of_a_point_are_those_of_statsmodels() {
        for (deviation, expected) in
            [(0.1, [10, 6, 6]), (0.2, [34, 10, 6]), (0.4, [128, 34, 16]), (1.0, [787, 199, 90])]
        {
            let found = [0.1, 0.2, 0.3].map(|difference| seeds_needed(difference, deviation));
            assert_eq!(found, expected.map(Some), "{deviation}");
        }
    }

    #[test]
    fn with_no_spread_the_smallest_number_is_enough_and_no_difference_is_never_found() {
        assert_eq!(seeds_needed(0.1, 0.0), Some(SMALLEST_SEEDS));
        assert_eq!(seeds_needed(-0.1, 0.2), seeds_needed(0.1, 0.2));
        for (difference, deviation) in [
            (0.0, 0.1),
            (0.0, 0.0),
            (f64::NAN, 1.0),
            (0.1, f64::INFINITY),
            (0.1, -1.0),
            (1e-9, 1.0),
        ] {
            assert_eq!(seeds_needed(difference, deviation), None, "{difference} {deviation}");
        }
        assert_eq!(t_test_power(1, 3.0), 0.0);
        assert!((t_test_power(12, 0.0) - ALPHA).abs() < 1e-9);
    }
}
