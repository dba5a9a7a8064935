//! Points like the good ones, and unlike the others.

mod density;

use selvedge_data::SplitMix64;

use self::density::Density;
use super::random::draws;
use super::{Observation, Point, Space, Strategy, check, check_learner, one_by_one};
use crate::StudyError;

/// Keeps these draws apart from whatever else is drawn from the same seed ("parzenes").
const PARZEN: u64 = 0x7061_727A_656E_6573;

/// The best tenth of the trials counts as good.
const GOOD: f64 = 0.1;

/// At most so many count as good, so that many trials do not blur what is best.
const MOST_GOOD: usize = 25;

/// The tree-structured Parzen estimator (J. Bergstra et al., *Algorithms for hyper-parameter optimization*, NeurIPS
/// 2011): one density of the best trials and one of all others; of candidates drawn from the first, the one at which
/// it is the largest beside the second.
///
/// The densities are of whole points, not of each dimension by itself (S. Falkner et al., *BOHB*, ICML 2018; S. Watanabe,
/// *Tree-structured Parzen estimator: understanding its algorithm components*, 2023), so that what goes together is
/// found. Failed trials count among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tpe {
    /// Trials that are drawn as [`Random`](super::Random) draws them before there is enough to learn from: at least 2.
    pub startup: usize,
    /// Candidates for each trial: at least 1.
    pub candidates: usize,
}

impl Default for Tpe {
    /// Ten trials to start with, and 24 candidates.
    fn default() -> Self {
        Self { startup: 10, candidates: 24 }
    }
}

impl Strategy for Tpe {
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
            let split = match trial >= self.startup {
                true => Split::new(space, known),
                false => None,
            };
            let point = match split {
                Some(split) => {
                    let mut rng = SplitMix64::stream(seed ^ PARZEN, trial as u64);
                    tried.fresh(|_| split.propose(space, self.candidates, &mut rng))
                }
                None => tried.fresh(draws(space, seed, trial)),
            }?;
            // As if it had failed: the next one of the same round is drawn away from it.
            Some(Observation { point, value: None })
        }))
    }
}

/// The densities of good trials and of the others.
struct Split {
    good: Density,
    others: Density,
}

impl Split {
    /// `None` of fewer than two trials that came to something.
    fn new(space: &Space, history: &[Observation]) -> Option<Self> {
        let mut order: Vec<(f64, usize)> = Vec::new();
        for (trial, observation) in history.iter().enumerate() {
            order.push((observation.finite().unwrap_or(f64::INFINITY), trial));
        }
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let finite = order.partition_point(|(value, _)| value.is_finite());
        if finite < 2 {
            return None;
        }
        let good = ((GOOD * finite as f64).ceil() as usize).min(MOST_GOOD);
        let unit = |&(_, trial): &(f64, usize)| space.unit(&history[trial].point);
        let [good, others] = [&order[..good], &order[good..]]
            .map(|part| Density::new(space, part.iter().map(unit).collect()));
        Some(Self { good, others })
    }

    fn propose(&self, space: &Space, candidates: usize, rng: &mut SplitMix64) -> Point {
        let mut best: Option<(f64, Point)> = None;
        for _ in 0..candidates {
            let point = space.at(&self.good.draw(rng));
            let unit = space.unit(&point);
            let score = self.good.log(&unit) - self.others.log(&unit);
            if best.as_ref().is_none_or(|(before, _)| score > *before) {
                best = Some((score, point));
            }
        }
        best.map(|(_, point)| point).unwrap_or_default()
    }
}
