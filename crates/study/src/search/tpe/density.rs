//! A density around points, as a mean of bumps.

use selvedge_data::SplitMix64;

use crate::search::{Dimension, Space};
use crate::statistics::normal;

/// The width of a bump in one dimension of a single point, as a share of the range.
const WIDTH: f64 = 0.2;

/// A mixture of one bump for each point and of the uniform density, all of the same weight.
pub(super) struct Density {
    axes: Vec<Axis>,
    /// Where the points are, 0 to 1 in each dimension.
    centers: Vec<Vec<f64>>,
    /// The standard deviation of a bump along an ordered dimension.
    width: f64,
    /// What a choice that was not taken weighs beside one that was.
    other: f64,
}

/// How bumps look along a dimension.
enum Axis {
    /// Normal, cut off at the ends; the weight of a piece is in its middle.
    Ordered,
    /// One of so many.
    Choice(u64),
}

impl Density {
    pub(super) fn new(space: &Space, centers: Vec<Vec<f64>>) -> Self {
        let axis = |dimension: &Dimension| match dimension {
            &Dimension::Categorical { choices } => Axis::Choice(choices as u64),
            _ => Axis::Ordered,
        };
        let axes: Vec<Axis> = space.dimensions().iter().map(axis).collect();
        let count = centers.len().max(1) as f64;
        // D. Scott's rule of how widths shrink with the number of points, but never to nothing.
        let scott = libm::pow(count, -1.0 / (axes.len() as f64 + 4.0));
        let narrowest = 1.0 / (count + 1.0).min(100.0);
        Self { axes, centers, width: (WIDTH * scott).max(narrowest), other: 1.0 / (count + 1.0) }
    }

    /// A place drawn from the density.
    pub(super) fn draw(&self, rng: &mut SplitMix64) -> Vec<f64> {
        let center = self.centers.get(rng.below(self.centers.len() as u64 + 1) as usize);
        let mut along = |(place, axis): (usize, &Axis)| match (center, axis) {
            (None, _) => rng.unit(),
            (Some(center), &Axis::Choice(choices)) => {
                // The choices share what is left for those that were not taken.
                let elsewhere = self.other * choices as f64;
                match rng.unit() * (1.0 + elsewhere) < 1.0 {
                    true => center[place],
                    false => rng.unit(),
                }
            }
            (Some(center), Axis::Ordered) => {
                let (low, high) = self.ends(center[place]);
                let share = low + rng.unit() * (high - low);
                (center[place] + self.width * normal::quantile(share)).clamp(0.0, 1.0)
            }
        };
        self.axes.iter().enumerate().map(&mut along).collect()
    }

    /// The logarithm of the density there.
    pub(super) fn log(&self, unit: &[f64]) -> f64 {
        let mut logs: Vec<f64> =
            self.centers.iter().map(|center| self.bump(center, unit)).collect();
        let uniform = |axis: &Axis| match axis {
            Axis::Ordered => 0.0,
            &Axis::Choice(choices) => -libm::log(choices as f64),
        };
        logs.push(self.axes.iter().map(uniform).sum());
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|log| libm::exp(log - largest)).sum();
        largest + libm::log(sum / logs.len() as f64)
    }

    /// The logarithm of one bump.
    fn bump(&self, center: &[f64], unit: &[f64]) -> f64 {
        let along = |(axis, (&center, &unit)): (&Axis, (&f64, &f64))| match *axis {
            Axis::Choice(choices) => {
                let own = if center == unit { 1.0 } else { 0.0 };
                libm::log((own + self.other) / (1.0 + self.other * choices as f64))
            }
            Axis::Ordered => {
                let (low, high) = self.ends(center);
                let z = (unit - center) / self.width;
                normal::log_density(z) - libm::log(self.width * (high - low))
            }
        };
        self.axes.iter().zip(center.iter().zip(unit)).map(along).sum()
    }

    /// The shares of a normal density around `center` that lie below 0 and below 1.
    fn ends(&self, center: f64) -> (f64, f64) {
        (normal::cdf(-center / self.width), normal::cdf((1.0 - center) / self.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        let choice = Dimension::Categorical { choices: 3 };
        Space::new(vec![Dimension::Float { low: 0.0, high: 1.0 }, choice]).unwrap()
    }

    #[test]
    fn a_density_sums_to_one_over_the_space() {
        let space = space();
        let choices = [0.5 / 3.0, 1.5 / 3.0, 2.5 / 3.0];
        let density = Density::new(&space, vec![vec![0.05, choices[1]], vec![0.7, choices[2]]]);
        let mut sum = 0.0;
        for choice in choices {
            let places = (0..2000).map(|i| (f64::from(i) + 0.5) / 2000.0);
            sum += places.map(|x| density.log(&[x, choice]).exp() / 2000.0).sum::<f64>();
        }
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }

    // The share of draws in each half and choice is that of the density, within five standard deviations of a share.
    #[test]
    fn draws_follow_the_density() {
        let space = space();
        let choices = [0.5 / 3.0, 1.5 / 3.0, 2.5 / 3.0];
        let density = Density::new(&space, vec![vec![0.05, choices[1]], vec![0.3, choices[1]]]);
        let mut rng = SplitMix64::new(3);
        let mut found = [[0.0; 3]; 2];
        const DRAWS: usize = 20_000;
        for _ in 0..DRAWS {
            let unit = space.unit(&space.at(&density.draw(&mut rng)));
            found[usize::from(unit[0] >= 0.5)][(unit[1] * 3.0) as usize] += 1.0 / DRAWS as f64;
        }
        for (half, found) in found.iter().enumerate() {
            for (choice, found) in choices.iter().zip(found) {
                let places = (0..1000).map(|i| 0.5 * (half as f64 + (f64::from(i) + 0.5) / 1000.0));
                let share: f64 = places.map(|x| density.log(&[x, *choice]).exp() / 2000.0).sum();
                let deviation = (share * (1.0 - share) / DRAWS as f64).sqrt();
                assert!((found - share).abs() < 5.0 * deviation, "{found} {share}");
            }
        }
    }
}
