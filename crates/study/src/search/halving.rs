//! Many trials on a small budget, and the best of them on larger ones.

use serde::{Deserialize, Serialize};

use crate::StudyError;
use selvedge_train::require;

/// Trials that are given the same budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// How many they are: the best of the rung before.
    pub trials: usize,
    /// What each may spend in all, as epochs: a trial that goes on carries on from where it stopped.
    pub budget: u64,
}

/// Successive halving (K. Jamieson and A. Talwalkar, *Non-stochastic best arm identification and hyperparameter
/// optimization*, 2016): all trials on a small budget, then each time the best 1/`eta` of them on `eta` times as much.
///
/// Good where results on a small budget tell what they will be on a large one; [`Hyperband`] where nobody knows.
///
/// ```
/// use selvedge_study::search::{Rung, SuccessiveHalving, promoted};
///
/// let rungs = SuccessiveHalving { trials: 9, smallest: 3, largest: 30, eta: 3 }.rungs()?;
/// assert_eq!(rungs[0], Rung { trials: 9, budget: 3 });
/// assert_eq!(rungs[2], Rung { trials: 1, budget: 30 });
/// // Of losses, and of a trial that failed, the best two go on:
/// assert_eq!(promoted(&[Some(0.5), None, Some(0.3), Some(0.4)], 2), [2, 3]);
/// # Ok::<(), selvedge_study::StudyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuccessiveHalving {
    /// Trials of the first rung.
    pub trials: usize,
    /// The least that a trial may spend.
    pub smallest: u64,
    /// What the trials of the last rung may spend.
    pub largest: u64,
    /// How many times fewer trials, and how many times more budget, each rung has: 2 or more.
    pub eta: u64,
}

impl SuccessiveHalving {
    /// The rungs, from the first to the last, whose budget is the largest; as many as fit between the budgets.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`](selvedge_train::TrainError::Setting) if there are no trials, the budgets are 0 or in
    /// the wrong order, or `eta` is below 2.
    pub fn rungs(&self) -> Result<Vec<Rung>, StudyError> {
        require(self.trials >= 1, "trials", self.trials, "at least 1")?;
        let steps = steps(self.smallest, self.largest, self.eta)?;
        Ok(rungs(self.trials as u64, self.largest, self.eta, steps))
    }
}

/// Hyperband (L. Li et al., *Hyperband: a novel bandit-based approach to hyperparameter optimization*, JMLR 2018,
/// algorithm 1): several brackets of successive halving, from many trials on a small budget to few on the
/// whole one, each of which costs about the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hyperband {
    /// The least that a trial may spend.
    pub smallest: u64,
    /// The most that a trial may spend.
    pub largest: u64,
    /// As in [`SuccessiveHalving`]; 3 in the paper.
    pub eta: u64,
}

impl Hyperband {
    /// The rungs of each bracket, in the paper's order: most trials first.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`](selvedge_train::TrainError::Setting) if the budgets are 0 or in the wrong order,
    /// or `eta` is below 2.
    pub fn brackets(&self) -> Result<Vec<Vec<Rung>>, StudyError> {
        let most = steps(self.smallest, self.largest, self.eta)?;
        let bracket = |steps: u32| {
            let each = u64::from(most + 1) * self.eta.pow(steps);
            rungs(each.div_ceil(u64::from(steps + 1)), self.largest, self.eta, steps)
        };
        Ok((0..=most).rev().map(bracket).collect())
    }
}

/// Which trials of a rung go on: the places of the best `keep` values, smaller ones being better, in rising order. Failed
/// trials and values that are not finite never go on; of equal ones the earlier.
pub fn promoted(values: &[Option<f64>], keep: usize) -> Vec<usize> {
    let finite = |(place, value): (usize, &Option<f64>)| {
        value.filter(|value| value.is_finite()).map(|value| (value, place))
    };
    let mut order: Vec<(f64, usize)> = values.iter().enumerate().filter_map(finite).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut places: Vec<usize> = order.into_iter().take(keep).map(|(_, place)| place).collect();
    places.sort_unstable();
    places
}

/// How often `smallest` can be multiplied by `eta` without passing `largest`.
fn steps(smallest: u64, largest: u64, eta: u64) -> Result<u32, StudyError> {
    // Numbers of trials and of epochs stay far from where they would not fit.
    const MOST: u64 = 1 << 32;
    require(smallest >= 1, "smallest budget", smallest, "at least 1")?;
    require(largest >= smallest, "largest budget", largest, "at least the smallest")?;
    require(largest <= MOST, "largest budget", largest, "at most 2^32")?;
    require(eta >= 2, "eta", eta, "at least 2")?;
    Ok((largest / smallest).ilog(eta))
}

fn rungs(trials: u64, largest: u64, eta: u64, steps: u32) -> Vec<Rung> {
    let rung = |step: u32| Rung {
        trials: (trials / eta.pow(step)).max(1) as usize,
        budget: largest / eta.pow(steps - step),
    };
    (0..=steps).map(rung).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(rungs: &[Rung]) -> Vec<(usize, u64)> {
        rungs.iter().map(|rung| (rung.trials, rung.budget)).collect()
    }

    // Expected: Li et al. 2018, table 1 (R = 81, η = 3) for the first bracket; the number of trials of the others by
    // algorithm 1, ⌈5/4 · 27⌉, ⌈5/3 · 9⌉, ⌈5/2 · 3⌉ and 5, where the table rounds 5/4, 5/3 and 5/2 down.
    #[test]
    fn brackets_are_those_of_the_papers_algorithm() {
        let brackets = Hyperband { smallest: 1, largest: 81, eta: 3 }.brackets().unwrap();
        let found: Vec<_> = brackets.iter().map(|rungs| pairs(rungs)).collect();
        assert_eq!(found[0], [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]);
        assert_eq!(found[1], [(34, 3), (11, 9), (3, 27), (1, 81)]);
        assert_eq!(found[2], [(15, 9), (5, 27), (1, 81)]);
        assert_eq!(found[3..], [vec![(8, 27), (2, 81)], vec![(5, 81)]]);
    }

    #[test]
    fn the_last_rung_has_the_largest_budget_whatever_the_numbers() {
        let halving = SuccessiveHalving { trials: 21, smallest: 4, largest: 50, eta: 2 };
        assert_eq!(pairs(&halving.rungs().unwrap()), [(21, 6), (10, 12), (5, 25), (2, 50)]);
        let one = SuccessiveHalving { trials: 2, smallest: 1, largest: 27, eta: 3 };
        assert_eq!(pairs(&one.rungs().unwrap()), [(2, 1), (1, 3), (1, 9), (1, 27)]);
    }

    #[test]
    fn failed_trials_never_go_on_and_of_equal_ones_the_earlier_does() {
        let values =
            [Some(0.5), Some(f64::NAN), None, Some(0.2), Some(0.5), Some(f64::NEG_INFINITY)];
        assert_eq!(promoted(&values, 2), [0, 3]);
        assert_eq!(promoted(&values, 9), [0, 3, 4]);
        assert_eq!(promoted(&[], 3), [0_usize; 0]);
    }

    #[test]
    fn impossible_budgets_are_refused() {
        let message = |smallest, largest, eta| {
            Hyperband { smallest, largest, eta }.brackets().unwrap_err().to_string()
        };
        assert_eq!(message(0, 9, 3), "smallest budget is 0, but must be at least 1");
        assert_eq!(message(9, 3, 3), "largest budget is 3, but must be at least the smallest");
        assert_eq!(message(1, 9, 1), "eta is 1, but must be at least 2");
        assert_eq!(
            message(1, u64::MAX, 3),
            "largest budget is 18446744073709551615, but must be at most 2^32"
        );
        assert!(SuccessiveHalving { trials: 0, smallest: 1, largest: 9, eta: 3 }.rungs().is_err());
    }

    proptest! {
        #[test]
        fn rungs_shrink_while_budgets_grow_within_their_bounds(
            trials in 1_usize..1000, smallest in 1_u64..1000, more in 0_u64..100_000, eta in 2_u64..9,
        ) {
            let largest = smallest + more;
            let rungs = SuccessiveHalving { trials, smallest, largest, eta }.rungs().unwrap();
            prop_assert_eq!(rungs[0].trials, trials);
            prop_assert!(rungs[0].budget >= smallest);
            prop_assert_eq!(rungs[rungs.len() - 1].budget, largest);
            for pair in rungs.windows(2) {
                prop_assert!(pair[1].trials <= pair[0].trials && pair[1].trials >= 1);
                prop_assert!(pair[1].budget >= eta * pair[0].budget);
            }
        }
    }
}
