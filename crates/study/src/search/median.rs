//! Stopping what is going to be worse than most.

use serde::{Deserialize, Serialize};

/// Stops a trial whose best value so far is worse than the median of what others had at the same step (the median
/// stopping rule of D. Golovin et al., *Google Vizier*, KDD 2017, on the values themselves, as Optuna has it).
///
/// For a study that ends in the same table whenever it is run, compare with the trials of earlier rounds alone:
/// which of those that run at the same time is ahead depends on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MedianPruner {
    /// Others that must have reached the step before any trial is stopped.
    pub startup: usize,
    /// Steps that every trial may take.
    pub warmup: usize,
}

impl Default for MedianPruner {
    /// Five others, and no step that is spared.
    fn default() -> Self {
        Self { startup: 5, warmup: 0 }
    }
}

impl MedianPruner {
    /// Whether a trial stops here, given its value after each step so far and those of others; smaller is better. A value
    /// that is not finite is worse than any other, and a trial with such a one stops at once.
    ///
    /// ```
    /// use selvedge_study::search::MedianPruner;
    ///
    /// let pruner = MedianPruner { startup: 3, warmup: 1 };
    /// let others = [vec![0.9, 0.5, 0.3], vec![0.8, 0.6], vec![0.9, 0.4]];
    /// assert!(!pruner.stops(&[0.95], &others), "one step is spared");
    /// assert!(pruner.stops(&[0.95, 0.7], &others), "the median is 0.5");
    /// assert!(!pruner.stops(&[0.95, 0.45], &others));
    /// assert!(!pruner.stops(&[0.95, 0.45, 0.9], &others), "only one came this far");
    /// ```
    pub fn stops(&self, own: &[f64], others: &[Vec<f64>]) -> bool {
        let Some(last) = own.last() else { return false };
        if !last.is_finite() {
            return true;
        }
        let best = own.iter().copied().fold(f64::INFINITY, f64::min);
        self.limit(own.len(), others).is_some_and(|limit| best > limit)
    }

    /// The value that a trial must have come to in so many steps, from 1: the median of what others had after that
    /// step. `None` where every trial goes on.
    ///
    /// ```
    /// use selvedge_study::search::MedianPruner;
    ///
    /// let pruner = MedianPruner { startup: 3, warmup: 1 };
    /// let others = [vec![0.9, 0.5, 0.3], vec![0.8, 0.6], vec![0.9, 0.4]];
    /// assert_eq!([1, 2, 3].map(|step| pruner.limit(step, &others)), [None, Some(0.5), None]);
    /// ```
    pub fn limit(&self, step: usize, others: &[Vec<f64>]) -> Option<f64> {
        let at = step.checked_sub(1)?;
        let finite = |value: &f64| if value.is_finite() { *value } else { f64::INFINITY };
        let mut reached: Vec<f64> =
            others.iter().filter_map(|other| other.get(at)).map(finite).collect();
        if step <= self.warmup || reached.is_empty() || reached.len() < self.startup {
            return None;
        }
        reached.sort_by(f64::total_cmp);
        let middle = reached.len() / 2;
        Some(match reached.len() % 2 {
            1 => reached[middle],
            // Not their sum, which might not fit.
            _ => 0.5 * reached[middle - 1] + 0.5 * reached[middle],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_even_trials_would_stop_and_the_median_itself_goes_on() {
        let pruner = MedianPruner { startup: 1, warmup: 0 };
        let others: Vec<Vec<f64>> = [0.1, 0.2, 0.3, 0.4].map(|value| vec![value]).to_vec();
        assert!(!pruner.stops(&[0.25], &others));
        assert!(pruner.stops(&[0.26], &others));
        assert!(!pruner.stops(&[], &others));
        assert!(!pruner.stops(&[9.0], &[]));
        assert!(!MedianPruner::default().stops(&[9.0], &others), "four are too few");
    }

    #[test]
    fn an_earlier_better_value_counts_and_a_diverged_trial_stops_at_once() {
        let pruner = MedianPruner { startup: 1, warmup: 3 };
        let others = [vec![0.5; 5], vec![0.5; 5], vec![f64::NAN; 5]];
        assert!(!pruner.stops(&[0.4, 9.0, 9.0, 9.0], &others));
        assert!(pruner.stops(&[0.6, 9.0, 9.0, 9.0], &others));
        assert!(pruner.stops(&[f64::NAN], &others));
        // Where most diverged, every finite value is better.
        let diverged = [vec![f64::NAN], vec![f64::INFINITY], vec![0.1]];
        assert!(!MedianPruner { startup: 1, warmup: 0 }.stops(&[1e9], &diverged));
    }
}
