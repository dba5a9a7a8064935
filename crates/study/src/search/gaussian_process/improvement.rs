//! How much better than the best a place is expected to be.

use selvedge_data::SplitMix64;

use super::model::{Known, Model};
use crate::search::tried::Tried;
use crate::search::{Dimension, Point, Space};
use crate::statistics::normal;

/// The best places that are known, around which candidates are drawn,
const AROUND: usize = 5;

/// and how many around each, from far to near.
const NEIGHBORS: usize = 20;

/// From so many of the best candidates better ones are looked for,
const CLIMBS: usize = 3;

/// in so many steps.
const STEPS: usize = 60;

/// The expected improvement over the best, as a function of a place.
pub(super) struct Improvement<'a> {
    space: &'a Space,
    model: &'a Model<'a>,
    tried: &'a Tried<'a>,
    /// The places that are known, from the one of the best mean on.
    known: Vec<&'a [f64]>,
    /// The best mean: with noise, the best value is better than what it was measured of.
    best: f64,
}

/// A place, its point, and the logarithm of the improvement.
#[derive(Clone)]
struct Candidate {
    unit: Vec<f64>,
    point: Point,
    score: f64,
}

impl<'a> Improvement<'a> {
    pub(super) fn new(
        space: &'a Space,
        model: &'a Model<'a>,
        known: &'a Known,
        tried: &'a Tried<'a>,
    ) -> Self {
        let mut means: Vec<(f64, &[f64])> =
            known.places.iter().map(|place| (model.predict(place).0, &place[..])).collect();
        means.sort_by(|a, b| a.0.total_cmp(&b.0));
        let best = means.first().map_or(0.0, |(mean, _)| *mean);
        let known = means.into_iter().map(|(_, place)| place).collect();
        Self { space, model, tried, known, best }
    }

    /// The most promising point that was not tried: the best of `count` drawn ones and of those around the best
    /// known, from which it goes on as long as it gets better. `None` if all of these were tried.
    pub(super) fn search(&self, count: usize, rng: &mut SplitMix64) -> Option<Point> {
        let dimensions = self.space.dimensions().len();
        let mut found: Vec<Candidate> = (0..count)
            .map(|_| self.candidate(&(0..dimensions).map(|_| rng.unit()).collect::<Vec<_>>()))
            .collect();
        for place in self.known.iter().take(AROUND) {
            for step in 0..NEIGHBORS {
                found.push(self.candidate(&self.near(place, reach(step, NEIGHBORS), rng)));
            }
        }
        // Of equal ones the earlier stays first.
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(CLIMBS);
        for candidate in &mut found {
            for step in 0..STEPS {
                let other = self.candidate(&self.near(&candidate.unit, reach(step, STEPS), rng));
                if other.score > candidate.score {
                    *candidate = other;
                }
            }
        }
        let best = found.into_iter().reduce(|a, b| if b.score > a.score { b } else { a })?;
        (best.score > f64::NEG_INFINITY).then_some(best.point)
    }

    fn candidate(&self, unit: &[f64]) -> Candidate {
        let point = self.space.at(unit);
        let unit = self.space.unit(&point);
        let score = match self.tried.contains(&point) {
            true => f64::NEG_INFINITY,
            false => {
                let (mean, deviation) = self.model.predict(&unit);
                libm::log(deviation) + log_improvement((self.best - mean) / deviation)
            }
        };
        Candidate { unit, point, score }
    }

    /// A place whose distance is about `reach` in some of the dimensions, at least one.
    fn near(&self, place: &[f64], reach: f64, rng: &mut SplitMix64) -> Vec<f64> {
        let dimensions = self.space.dimensions();
        let must = rng.below(dimensions.len() as u64) as usize;
        let mut near = place.to_vec();
        for (d, dimension) in dimensions.iter().enumerate() {
            if d != must && rng.unit() < 0.5 {
                continue;
            }
            let drawn = rng.unit();
            near[d] = match dimension {
                // What has no order has no near and far either.
                Dimension::Categorical { .. } => drawn,
                _ => {
                    let step = reach * normal::quantile(drawn.max(1e-12));
                    // A whole number moves by one at least.
                    let least = dimension.size().map_or(0.0, |size| 1.0 / size as f64);
                    (near[d] + step + least.copysign(step)).clamp(0.0, 1.0)
                }
            };
        }
        near
    }
}

/// From 0.2 of the range at the first step to 0.002 at the last.
fn reach(step: usize, steps: usize) -> f64 {
    0.2 * libm::pow(0.01, step as f64 / (steps - 1) as f64)
}

/// log(φ(z) + zΦ(z)): the expected improvement is that times the standard deviation, z being the mean improvement in
/// standard deviations. Far below 0, where the sum loses its digits, by its expansion, so that hopeless
/// places still differ (S. Ament et al., *Unexpected improvements to expected improvement*, NeurIPS 2023).
fn log_improvement(z: f64) -> f64 {
    let log_density = normal::log_density(z);
    if z > -10.0 {
        return libm::log(libm::exp(log_density) + z * normal::cdf(z));
    }
    let over = 1.0 / (z * z);
    log_density + libm::log(over) + libm::log1p(over * (-3.0 + over * (15.0 - 105.0 * over)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: with mpmath at 50 digits, log(npdf(z) + z * ncdf(z))
    #[test]
    fn the_logarithm_of_the_improvement_is_exact_in_both_tails() {
        for (z, expected) in [
            (2.0, 0.697_383_545_788_228_4),
            (0.0, -0.918_938_533_204_672_8),
            (-3.0, -7.869_686_059_603_029),
            (-9.9, -54.538_591_240_015_215),
            (-10.1, -56.577_468_975_612_56),
            (-40.0, -808.298_568_356_62),
        ] {
            let found = log_improvement(z);
            assert!(
                (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
                "{z}: {found} {expected}"
            );
        }
    }

    #[test]
    fn the_reach_goes_from_far_to_near() {
        assert_eq!(reach(0, 60), 0.2);
        assert!((reach(59, 60) - 0.002).abs() < 1e-15);
    }
}
