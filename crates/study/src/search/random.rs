//! Points drawn without regard to what was found.

use selvedge_data::SplitMix64;

use super::tried::Tried;
use super::{Observation, Point, Space, Strategy, check};
use crate::StudyError;

/// Keeps these draws apart from whatever else is drawn from the same seed ("randsear").
const RANDOM: u64 = 0x7261_6E64_7365_6172;

/// Independent points, uniform in each dimension (J. Bergstra and Y. Bengio, *Random search for hyper-parameter
/// optimization*, JMLR 2012). What any other strategy has to beat. No point of a finite space comes twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Random;

impl Strategy for Random {
    fn propose(
        &self,
        space: &Space,
        history: &[Observation],
        seed: u64,
        count: usize,
    ) -> Result<Vec<Point>, StudyError> {
        check(space, history)?;
        let mut tried = Tried::new(space, history);
        let trials = history.len()..history.len().saturating_add(count);
        Ok(trials.map_while(|trial| tried.fresh(draws(space, seed, trial))).collect())
    }
}

/// The points that a trial may be given one after the other.
pub(super) fn draws(space: &Space, seed: u64, trial: usize) -> impl FnMut(usize) -> Point + '_ {
    let mut rng = SplitMix64::stream(seed ^ RANDOM, trial as u64);
    move |_| {
        let unit: Vec<f64> = space.dimensions().iter().map(|_| rng.unit()).collect();
        space.at(&unit)
    }
}
