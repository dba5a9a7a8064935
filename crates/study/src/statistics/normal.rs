//! The standard normal distribution.

use std::f64::consts::SQRT_2;

/// The logarithm of the density of the standard normal distribution at `x`.
pub(crate) fn log_density(x: f64) -> f64 {
    const LOG_ROOT_TAU: f64 = 0.918_938_533_204_672_8;
    -0.5 * x * x - LOG_ROOT_TAU
}

/// The share of the standard normal distribution below `x`.
pub(crate) fn cdf(x: f64) -> f64 {
    // erfc keeps its digits far below 0, where 1 + erf would have none left.
    0.5 * libm::erfc(-x / SQRT_2)
}

/// The x of which [`cdf`] is `p`; infinite at 0 and 1, NaN outside.
pub(crate) fn quantile(p: f64) -> f64 {
    match p {
        0.0 => f64::NEG_INFINITY,
        1.0 => f64::INFINITY,
        // The upper half by symmetry: near 1 there are few numbers, near 0 many.
        p if p > 0.5 && p < 1.0 => -quantile(1.0 - p),
        p if p > 0.0 && p <= 0.5 => lower_quantile(p),
        _ => f64::NAN,
    }
}

/// By halving: it is asked for three times an interval, and so needs neither speed nor a table of
/// coefficients. Below -39 the share is smaller than any f64.
fn lower_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-39.0, 0.0);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        match cdf(middle) < p {
            true => low = middle,
            false => high = middle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-13, "{found} instead of {expected}");
    }

    // Expected: scipy.stats.norm.cdf
    #[test]
    fn shares_are_those_of_scipy() {
        close(cdf(-8.0), 6.220_960_574_271_74e-16);
        close(cdf(-1.0), 0.158_655_253_931_457_07);
        close(cdf(0.5), 0.691_462_461_274_013_1);
    }

    // Expected: scipy.stats.norm.ppf
    #[test]
    fn quantiles_are_those_of_scipy() {
        close(quantile(0.975), 1.959_963_984_540_054);
        close(quantile(0.025), -1.959_963_984_540_054_5);
        close(quantile(1e-10), -6.361_340_902_404_056);
        close(quantile(0.3), -0.524_400_512_708_040_9);
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert!(quantile(-0.1).is_nan() && quantile(1.1).is_nan() && quantile(f64::NAN).is_nan());
    }
}
