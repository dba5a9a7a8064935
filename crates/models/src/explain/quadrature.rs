//! Places and weights of numerical integration from 0 to 1.

/// How an integral from 0 to 1 becomes a sum over n places, as captum's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The zeros of the Legendre polynomial of degree n, which integrate polynomials of degree 2n - 1 exactly.
    #[default]
    GaussLegendre,
    /// The left end of each of n equal parts.
    RiemannLeft,
    /// The right end of each.
    RiemannRight,
    /// The middle of each.
    RiemannMiddle,
    /// n equally spaced places from 0 to 1, both included, those at the ends with half the weight of 1/n, so that the
    /// weights add up to 1 - 1/n.
    RiemannTrapezoid,
}

impl Rule {
    /// The smallest number of places.
    pub(super) fn fewest(self) -> usize {
        if self == Self::RiemannTrapezoid { 2 } else { 1 }
    }

    /// Pairs of a place in [0, 1] and its weight; there are at least [`fewest`](Self::fewest) of them.
    pub(super) fn places(self, n: usize) -> Vec<(f64, f64)> {
        let count = n as f64;
        let equal =
            |offset: f64| (0..n).map(move |i| ((i as f64 + offset) / count, 1.0 / count)).collect();
        match self {
            Self::GaussLegendre => gauss_legendre(n),
            Self::RiemannLeft => equal(0.0),
            Self::RiemannRight => equal(1.0),
            Self::RiemannMiddle => equal(0.5),
            Self::RiemannTrapezoid => {
                let place = |i| {
                    let share = if i == 0 || i == n - 1 { 0.5 } else { 1.0 };
                    (i as f64 / (count - 1.0), share / count)
                };
                (0..n).map(place).collect()
            }
        }
    }
}

/// The zeros x of the Legendre polynomial P of degree n, and their weights 2 / ((1 - x²) P'(x)²), both from [-1, 1] to
/// [0, 1]: Newton's method from Chebyshev's zeros (Press et al., Numerical Recipes, 4.6).
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let place = |i: usize| {
        let mut x = -(std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        // Each step doubles the digits that are right; three or four are enough.
        for _ in 0..10 {
            let (value, derivative) = legendre(n, x);
            x -= value / derivative;
            slope = derivative;
        }
        (0.5 * (1.0 + x), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(place).collect()
}

/// The Legendre polynomial of degree n and its derivative, at x in (-1, 1): k P_k = (2k - 1) x P_{k-1} - (k - 1) P_{k-2}.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for k in 1..=n {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, n as f64 * (before - x * value) / (1.0 - x * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_up_to_degree_2n_minus_1_are_integrated_exactly() {
        for n in [1, 2, 3, 7, 50, 200] {
            let places = Rule::GaussLegendre.places(n);
            for degree in [0, 1, n, 2 * n - 1] {
                let sum: f64 = places.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!((sum - exact).abs() < 1e-13, "{n} places, degree {degree}: {sum} {exact}");
            }
        }
        // numpy.polynomial.legendre.leggauss(3): ±√0.6 and 0 with weights 5/9 and 8/9, on [-1, 1].
        let expected = [(0.5 - 0.15f64.sqrt(), 5.0 / 18.0), (0.5, 8.0 / 18.0)];
        for ((x, w), (place, weight)) in Rule::GaussLegendre.places(3).into_iter().zip(expected) {
            assert!((x - place).abs() < 1e-15 && (w - weight).abs() < 1e-15, "{x} {w}");
        }
    }

    #[test]
    fn riemann_places_are_the_ends_and_middles_of_equal_parts() {
        assert_eq!(Rule::RiemannLeft.places(2), [(0.0, 0.5), (0.5, 0.5)]);
        assert_eq!(Rule::RiemannRight.places(2), [(0.5, 0.5), (1.0, 0.5)]);
        assert_eq!(Rule::RiemannMiddle.places(2), [(0.25, 0.5), (0.75, 0.5)]);
        let thirds = [(0.0, 0.5 / 3.0), (0.5, 1.0 / 3.0), (1.0, 0.5 / 3.0)];
        assert_eq!(Rule::RiemannTrapezoid.places(3), thirds);
    }
}
