//! A Gaussian process: what a function may be between the points where it is known.

use super::cholesky::{Cholesky, dot};

const ROOT_5: f64 = 2.236_067_977_499_79;

/// Steps of the search for lengths, signal and noise.
const STEPS: usize = 40;

/// Smallest and largest noise variance of values of variance 1.
const NOISE: [f64; 2] = [1e-6, 1.0];

/// What is known: places and values of mean 0 and variance 1.
pub(super) struct Known {
    /// 0 to 1 in each dimension.
    pub(super) places: Vec<Vec<f64>>,
    pub(super) values: Vec<f64>,
    /// For each dimension, whether its places have an order; all that differ are as far apart if not.
    pub(super) ordered: Vec<bool>,
}

/// The logarithms of what a Matérn 5/2 kernel depends on.
#[derive(Clone, Debug)]
struct Hyper {
    /// Of the distance in each dimension over which values change.
    lengths: Vec<f64>,
    /// Of the variance of the function.
    signal: f64,
    /// Of the variance of the noise.
    noise: f64,
}

/// A process that was fitted to what is known.
pub(super) struct Model<'a> {
    known: &'a Known,
    /// 1/length² of each dimension.
    scales: Vec<f64>,
    signal: f64,
    cholesky: Cholesky,
    /// K⁻¹ times the values.
    weights: Vec<f64>,
}

impl<'a> Model<'a> {
    /// The process whose lengths, signal and noise have the largest posterior density, as found by sign-based steps
    /// (M. Riedmiller and H. Braun's Rprop, 1993, without its way back).
    ///
    /// `None` if there is nothing known, or the matrix of covariances is singular to rounding.
    pub(super) fn fit(known: &'a Known) -> Option<Self> {
        let mut hyper = Hyper::expected(known.ordered.len());
        let mut sizes = vec![0.2_f64; hyper.lengths.len() + 2];
        let mut before = vec![0.0_f64; sizes.len()];
        let mut best: Option<(f64, Hyper)> = None;
        for _ in 0..STEPS {
            let Some((density, gradient)) = posterior(known, &hyper) else { break };
            if best.as_ref().is_none_or(|(before, _)| density > *before) {
                best = Some((density, hyper.clone()));
            }
            let steps: Vec<f64> = gradient
                .iter()
                .zip(before.iter_mut().zip(&mut sizes))
                .map(|(&now, (before, size))| {
                    let turned = now * *before < 0.0;
                    *size = (*size * if turned { 0.5 } else { 1.2 }).clamp(1e-4, 1.0);
                    *before = if turned { 0.0 } else { now };
                    // Not f64::signum, which is 1 of 0.
                    *size
                        * (f64::from(u8::from(*before > 0.0)) - f64::from(u8::from(*before < 0.0)))
                })
                .collect();
            hyper.walk(&steps);
        }
        let (_, hyper) = best?;
        let cholesky = Cholesky::new(covariances(known, &hyper))?;
        let weights = cholesky.solve(&known.values);
        let signal = libm::exp(hyper.signal);
        Some(Self { known, scales: hyper.scales(), signal, cholesky, weights })
    }

    /// Mean and standard deviation of the function at a place, without noise.
    pub(super) fn predict(&self, place: &[f64]) -> (f64, f64) {
        let covariance = |other: &Vec<f64>| {
            self.signal * matern(distance(&self.known.ordered, &self.scales, place, other)).0
        };
        let covariances: Vec<f64> = self.known.places.iter().map(covariance).collect();
        let explained = self.cholesky.solve_lower(&covariances);
        let variance = self.signal - dot(&explained, &explained);
        (dot(&covariances, &self.weights), variance.max(1e-12).sqrt())
    }
}

impl Hyper {
    /// The middle of the prior. Places of more dimensions are farther apart (C. Hvarfner et al., *Vanilla Bayesian
    /// optimization performs great in high dimensions*, ICML 2024).
    fn expected(dimensions: usize) -> Self {
        let length = libm::log(0.5) + 0.5 * libm::log(dimensions as f64);
        Self { lengths: vec![length; dimensions], signal: 0.0, noise: libm::log(1e-4) }
    }

    fn scales(&self) -> Vec<f64> {
        self.lengths.iter().map(|length| libm::exp(-2.0 * length)).collect()
    }

    fn walk(&mut self, steps: &[f64]) {
        let dimensions = self.lengths.len();
        for (length, step) in self.lengths.iter_mut().zip(steps) {
            *length = (*length + step).clamp(libm::log(0.02), libm::log(20.0));
        }
        self.signal = (self.signal + steps[dimensions]).clamp(libm::log(0.05), libm::log(20.0));
        let [least, most] = NOISE.map(libm::log);
        self.noise = (self.noise + steps[dimensions + 1]).clamp(least, most);
    }

    /// The logarithm of the prior density and its gradient: normal in each logarithm.
    fn prior(&self) -> (f64, Vec<f64>) {
        let expected = Self::expected(self.lengths.len());
        let lengths =
            self.lengths.iter().zip(&expected.lengths).map(|(own, middle)| (own - middle, 1.0));
        let others = [(self.signal - expected.signal, 1.0), (self.noise - expected.noise, 3.0)];
        let (mut density, mut gradient) = (0.0, Vec::new());
        for (off, deviation) in lengths.chain(others) {
            density -= 0.5 * off * off / (deviation * deviation);
            gradient.push(-off / (deviation * deviation));
        }
        (density, gradient)
    }
}

/// The square of the distance of two places, in lengths.
fn distance(ordered: &[bool], scales: &[f64], a: &[f64], b: &[f64]) -> f64 {
    let along = |(place, scale): (usize, &f64)| scale * apart(ordered[place], a[place], b[place]);
    scales.iter().enumerate().map(along).sum()
}

/// The square of the distance along one dimension.
fn apart(ordered: bool, a: f64, b: f64) -> f64 {
    match ordered {
        true => (a - b) * (a - b),
        false => f64::from(u8::from(a != b)),
    }
}

/// The Matérn 5/2 kernel at a squared distance, and its derivative by the logarithm of a length for each share of
/// the squared distance that lies in that dimension (C. Rasmussen and C. Williams, *Gaussian processes for machine
/// learning*, 2006, equation 4.17).
fn matern(squared: f64) -> (f64, f64) {
    let root = ROOT_5 * squared.sqrt();
    let fall = libm::exp(-root);
    ((1.0 + root + 5.0 / 3.0 * squared) * fall, 5.0 / 3.0 * (1.0 + root) * fall)
}

/// The lower triangle of the values' covariances, row by row.
fn covariances(known: &Known, hyper: &Hyper) -> Vec<Vec<f64>> {
    let (scales, signal, noise) = (hyper.scales(), libm::exp(hyper.signal), libm::exp(hyper.noise));
    let row = |i: usize| {
        let entry = |j: usize| {
            let squared = distance(&known.ordered, &scales, &known.places[i], &known.places[j]);
            signal * matern(squared).0 + if i == j { noise } else { 0.0 }
        };
        (0..=i).map(entry).collect()
    };
    (0..known.places.len()).map(row).collect()
}

/// The logarithm of the posterior density of `hyper`, but for a constant, and its gradient: by the lengths, the
/// signal and the noise (Rasmussen and Williams, equations 2.30 and 5.9).
fn posterior(known: &Known, hyper: &Hyper) -> Option<(f64, Vec<f64>)> {
    let (scales, signal, noise) = (hyper.scales(), libm::exp(hyper.signal), libm::exp(hyper.noise));
    let cholesky = Cholesky::new(covariances(known, hyper))?;
    let weights = cholesky.solve(&known.values);
    let inverse = cholesky.inverse();
    let (mut density, mut gradient) = hyper.prior();
    density -= 0.5 * (dot(&known.values, &weights) + cholesky.log_determinant());
    let dimensions = scales.len();
    for (i, (row, place)) in inverse.iter().zip(&known.places).enumerate() {
        for (j, other) in known.places[..i].iter().enumerate() {
            let pull = weights[i] * weights[j] - row[j];
            let (value, slope) = matern(distance(&known.ordered, &scales, place, other));
            gradient[dimensions] += pull * signal * value;
            for (d, scale) in scales.iter().enumerate() {
                let share = scale * apart(known.ordered[d], place[d], other[d]);
                gradient[d] += pull * signal * slope * share;
            }
        }
        let pull = 0.5 * (weights[i] * weights[i] - row[i]);
        gradient[dimensions] += pull * signal;
        gradient[dimensions + 1] += pull * noise;
    }
    density.is_finite().then_some((density, gradient))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let places: Vec<Vec<f64>> = (0..9)
            .map(|i| vec![f64::from(i) / 8.0, f64::from(i * 5 % 9) / 8.0, f64::from(i % 2)])
            .collect();
        let values = places.iter().map(|p| (3.0 * p[0]).sin() + p[1] * p[1] - 0.5 * p[2]).collect();
        Known { places, values, ordered: vec![true, true, false] }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_density() {
        let known = known();
        let hyper = Hyper { lengths: vec![-0.7, 0.2, 0.4], signal: 0.3, noise: -3.0 };
        let (_, gradient) = posterior(&known, &hyper).unwrap();
        for (place, found) in gradient.iter().enumerate() {
            let at = |step: f64| {
                let mut moved = hyper.clone();
                let steps: Vec<f64> = (0..5).map(|i| if i == place { step } else { 0.0 }).collect();
                moved.walk(&steps);
                posterior(&known, &moved).unwrap().0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((found - slope).abs() < 1e-6 * (1.0 + slope.abs()), "{place}: {found} {slope}");
        }
    }

    // Expected: scikit-learn 1.9.1, with the X and y of `known` of the first two dimensions:
    // GaussianProcessRegressor(ConstantKernel(1.5) * Matern([.5, .8], nu=2.5), alpha=1e-3, optimizer=None)
    //     .fit(X, y).predict([[.3, .6]], return_std=True)
    #[test]
    fn predictions_are_those_of_scikit_learn() {
        let mut known = known();
        known.places.iter_mut().for_each(|place| place.truncate(2));
        known.ordered.truncate(2);
        let lengths = vec![0.5_f64.ln(), 0.8_f64.ln()];
        let hyper = Hyper { lengths, signal: 1.5_f64.ln(), noise: 1e-3_f64.ln() };
        let cholesky = Cholesky::new(covariances(&known, &hyper)).unwrap();
        let weights = cholesky.solve(&known.values);
        let model = Model { known: &known, scales: hyper.scales(), signal: 1.5, cholesky, weights };
        let (mean, deviation) = model.predict(&[0.3, 0.6]);
        assert!((mean - 0.793_858_002_529_362_7).abs() < 1e-10, "{mean}");
        assert!((deviation - 0.158_818_801_762_415).abs() < 1e-10, "{deviation}");
    }

    #[test]
    fn a_fitted_process_goes_through_what_is_known_and_is_unsure_elsewhere() {
        let known = known();
        let model = Model::fit(&known).unwrap();
        for (place, value) in known.places.iter().zip(&known.values) {
            let (mean, deviation) = model.predict(place);
            assert!((mean - value).abs() < 0.05 && deviation < 0.1, "{mean} {value} {deviation}");
        }
        assert!(model.predict(&[1.0, 0.0, 0.0]).1 > 0.1);
    }
}
