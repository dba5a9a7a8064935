//! Points where a model of the function expects an improvement.

mod cholesky;
mod improvement;
mod model;

use selvedge_data::SplitMix64;

use self::improvement::Improvement;
use self::model::{Known, Model};
use super::random::draws;
use super::tried::Tried;
use super::{Dimension, Observation, Point, Space, Strategy, check, check_learner, one_by_one};
use crate::StudyError;

/// Keeps these draws apart from whatever else is drawn from the same seed ("gaussian").
const GAUSSIAN: u64 = 0x6761_7573_7369_616E;

/// The model learns from so many of the best trials, where there are more than it can take,
const BEST: usize = 50;

/// and from so many of the latest others: its time grows with the third power of both together.
const LATEST: usize = 100;

/// Expected improvement under a Gaussian process (J. Snoek et al., *Practical Bayesian optimization of machine
/// learning algorithms*, NeurIPS 2012): Matérn 5/2, with a length for each dimension that is fitted anew for each trial.
///
/// Values are taken on a logarithmic scale above the best one, so that a few very bad ones do not hide
/// how the good ones differ. A failed trial counts as bad as the worst of the others; of points that are asked
/// for together, each counts as if it had come to the best value so far (D. Ginsbourger et al., *Kriging is
/// well-suited to parallelize optimization*, 2010).
///
/// A proposal takes milliseconds at first and about a fifth of a second after a hundred trials; of more than 150
/// trials the model is of the 50 best and the 100 latest others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaussianProcess {
    /// Trials that are drawn as [`Random`](super::Random) draws them before there is enough to learn from: at least 2.
    pub startup: usize,
    /// Places where the improvement is looked at before the best are improved on: at least 1.
    pub candidates: usize,
}

impl Default for GaussianProcess {
    /// Ten trials to start with, and 500 places.
    fn default() -> Self {
        Self { startup: 10, candidates: 500 }
    }
}

impl Strategy for GaussianProcess {
    fn propose(
        &self,
        space: &Space,
        history: &[Observation],
        seed: u64,
        count: usize,
    ) -> Result<Vec<Point>, StudyError> {
        check(space, history)?;
        check_learner(self.startup, self.candidates)?;
        Ok(one_by_one(space, history, count, |known, tried| {
            let trial = known.len();
            let mut random = draws(space, seed, trial);
            let first = match trial >= self.startup {
                true => self.most_promising(space, known, tried, seed),
                false => None,
            };
            let draw = |again| match (again, &first) {
                (0, Some(point)) => point.clone(),
                _ => random(again),
            };
            let point = tried.fresh(draw)?;
            let best = known.iter().filter_map(Observation::finite).reduce(f64::min);
            Some(Observation { point, value: best })
        }))
    }
}

impl GaussianProcess {
    /// `None` of fewer than two trials that came to something, or if no model fits them.
    fn most_promising(
        &self,
        space: &Space,
        history: &[Observation],
        tried: &Tried<'_>,
        seed: u64,
    ) -> Option<Point> {
        let known = known(space, history)?;
        let model = Model::fit(&known)?;
        let improvement = Improvement::new(space, &model, &known, tried);
        let mut rng = SplitMix64::stream(seed ^ GAUSSIAN, history.len() as u64);
        improvement.search(self.candidates, &mut rng)
    }
}

/// What the model learns from.
fn known(space: &Space, history: &[Observation]) -> Option<Known> {
    let finite: Vec<f64> = history.iter().filter_map(Observation::finite).collect();
    let worst = finite.iter().copied().reduce(f64::max).filter(|_| finite.len() >= 2)?;
    let all: Vec<f64> = history.iter().map(|o| o.finite().unwrap_or(worst)).collect();
    let taken = taken(&all);
    let mut values = leveled(&taken.iter().map(|&trial| all[trial]).collect::<Vec<_>>());
    standardize(&mut values);
    let places = taken.iter().map(|&trial| space.unit(&history[trial].point)).collect();
    let ordered = space.dimensions().iter();
    let ordered = ordered.map(|d| !matches!(d, Dimension::Categorical { .. })).collect();
    Some(Known { places, values, ordered })
}

/// The trials that the model learns from, in their order.
fn taken(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    if order.len() > BEST + LATEST {
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
        let others = &mut order[BEST..];
        others.sort_unstable_by(|a, b| b.cmp(a));
        order.truncate(BEST + LATEST);
        order.sort_unstable();
    }
    order
}

/// log(1 + (value − best)/(median − best)): a straight line close to the best, flatter far above it.
fn leveled(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let best = sorted[0];
    // The smallest and the largest number are too far apart to subtract.
    let above = |value: f64| (value - best).min(f64::MAX);
    let scale = above(sorted[sorted.len() / 2]);
    let scale = if scale > 0.0 { scale } else { above(sorted[sorted.len() - 1]) };
    if scale == 0.0 {
        return vec![0.0; values.len()];
    }
    values.iter().map(|&value| libm::log1p((above(value) / scale).min(f64::MAX))).collect()
}

/// To mean 0 and variance 1; equal values to 0.
fn standardize(values: &mut [f64]) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_trials_the_best_and_the_latest_are_taken() {
        let values: Vec<f64> = (0..400).map(f64::from).collect();
        let expected: Vec<usize> = (0..50).chain(300..400).collect();
        assert_eq!(taken(&values), expected);
        assert_eq!(taken(&values[..150]), (0..150).collect::<Vec<_>>());
    }

    #[test]
    fn leveled_values_keep_their_order_and_stay_finite() {
        let values = [f64::MAX, 3.0, -1.0, 1.0, f64::MIN, 1e30];
        let leveled = leveled(&values);
        assert!(leveled.iter().all(|value| value.is_finite()), "{leveled:?}");
        let leveled = super::leveled(&[9.0, 1.0, 3.0, 2.0]);
        assert_eq!(leveled[1], 0.0);
        assert!(leveled[3] < leveled[2] && leveled[2] < leveled[0]);
        assert_eq!(super::leveled(&[2.0; 3]), [0.0; 3]);
        let mut equal = vec![2.0; 3];
        standardize(&mut equal);
        assert_eq!(equal, [0.0; 3]);
    }
}
