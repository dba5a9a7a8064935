//! Which settings to try next, and for how long.
//!
//! | the question | use |
//! |---|---|
//! | all combinations of a few values | [`Grid`] |
//! | what each factor does by itself, starting from settings that work | [`OneAtATime`] |
//! | what to beat; or everything runs at once | [`Random`], and [`Sobol`], which leaves smaller gaps |
//! | a few dozen trials, mostly of numbers, each of which is dear | [`GaussianProcess`] |
//! | fifty trials or more, choices among them, cheap to ask | [`Tpe`] |
//! | trials that tell early what they will come to | [`SuccessiveHalving`]; if unsure how early, [`Hyperband`] |
//! | to stop what is worse than most | [`MedianPruner`] |
//!
//! What is looked for is the *smallest* value: of an accuracy, give its opposite.
//!
//! A strategy is a pure function of the space, what was found, and a seed. A study that was killed and is
//! started again goes on with the same trials, bit for bit, whatever the number of threads, as long as it asks for
//! the same numbers of points after the same histories, to the last bit. (`serde_json` reads back exactly the floats
//! that it wrote only with its feature `float_roundtrip`; the points have few enough digits without.)
//!
//! # What they are worth
//!
//! How far above the smallest value the best of 25, 50 and 100 trials is (the median over 20 seeds), in how many
//! seeds the best of 100 is better than that of random search, and the p of the paired sign-flip test, adjusted for
//! the three comparisons ([`step_down_p`](crate::statistics::step_down_p)); made by
//! `cargo run -p selvedge-study --example search_functions`:
//!
//! | function | strategy | 25 | 50 | 100 | better than random | p |
//! |---|---|---|---|---|---|---|
//! | Branin | `Random` | 0.7921 | 0.5952 | 0.2834 | | |
//! | Branin | `Sobol` | 1.3019 | 0.5581 | 0.4663 | 50 % | 0.5262 |
//! | Branin | `Tpe` | 0.3793 | 0.1881 | 0.0898 | 98 % | < 0.0001 |
//! | Branin | `GaussianProcess` | 0.0159 | 0.0000 | 0.0000 | 100 % | < 0.0001 |
//! | Hartmann-6 | `Random` | 1.8736 | 1.6984 | 1.3993 | | |
//! | Hartmann-6 | `Sobol` | 1.8774 | 1.7311 | 1.2171 | 50 % | 0.8278 |
//! | Hartmann-6 | `Tpe` | 1.3419 | 0.5490 | 0.3589 | 100 % | < 0.0001 |
//! | Hartmann-6 | `GaussianProcess` | 0.5474 | 0.0076 | 0.0001 | 100 % | < 0.0001 |
//! | mixed | `Random` | 0.2372 | 0.2098 | 0.1981 | | |
//! | mixed | `Sobol` | 0.2274 | 0.2104 | 0.1243 | 55 % | 0.1794 |
//! | mixed | `Tpe` | 0.2098 | 0.1065 | 0.0044 | 90 % | 0.0004 |
//! | mixed | `GaussianProcess` | 0.1654 | 0.0006 | 0.0000 | 100 % | < 0.0001 |
//!
//! "mixed" has two categorical dimensions of three choices. These functions have no noise: with some, the models gain
//! less, in the same order.
//!
//! With its default settings the crate `optimizer` 1.0.1 comes to 1.55, 2.13 and 0.21 with its Parzen estimator, which
//! stands still, and to 0.0007, 0.23 and 0.067 with its Gaussian process after 100 trials of the same three (medians
//! of seeds 0 to 19; features `gp` and `sobol`). Its samplers also keep a state that only doing every trial again
//! restores, its process does not learn from choices, and its numbers are drawn by a crate that may change with any
//! update. So the strategies here are written from the papers that they name.

mod gaussian_process;
mod grid;
mod halving;
mod median;
mod random;
mod sobol;
mod space;
#[cfg(test)]
mod tests;
mod tpe;
mod tried;

use selvedge_train::TrainError;
use serde::{Deserialize, Serialize};

use self::tried::Tried;
use crate::StudyError;
pub use gaussian_process::GaussianProcess;
pub use grid::{Grid, OneAtATime};
pub use halving::{Hyperband, Rung, SuccessiveHalving, promoted};
pub use median::MedianPruner;
pub use random::Random;
use selvedge_train::require;
pub use sobol::Sobol;
pub use space::{Dimension, Point, Space, Value};
pub use tpe::Tpe;

/// A point that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Where.
    pub point: Point,
    /// What it came to: the smaller the better. `None`, infinite or NaN if the trial failed or diverged.
    pub value: Option<f64>,
}

impl Observation {
    /// The value, if it is one.
    fn finite(&self) -> Option<f64> {
        self.value.filter(|value| value.is_finite())
    }
}

/// A way to choose what to try next.
///
/// ```
/// use selvedge_study::search::{Dimension, Observation, Space, Strategy, Tpe, Value};
///
/// let space = Space::new(vec![Dimension::Float { low: -2.0, high: 2.0 }])?;
/// let strategy = Tpe::default();
/// let mut history = Vec::new();
/// for _ in 0..30 {
///     for point in strategy.propose(&space, &history, 7, 1)? {
///         let Value::Float(x) = point[0] else { unreachable!() };
///         history.push(Observation { point, value: Some((x - 1.0).powi(2)) });
///     }
/// }
/// let best = history.iter().filter_map(|observation| observation.value).fold(1.0, f64::min);
/// assert!(best < 0.05, "{best}");
/// # Ok::<(), selvedge_study::StudyError>(())
/// ```
pub trait Strategy: Send + Sync {
    /// The next `count` points to try; fewer, or none, if nothing is left that was not tried. Points that
    /// are asked for together are chosen to differ, without the results of each other.
    ///
    /// The trial's number is the length of `history`: a trial that failed stands in it, too.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if a setting of the strategy is out of its range, or a point of `history` is not
    /// one of `space`.
    fn propose(
        &self,
        space: &Space,
        history: &[Observation],
        seed: u64,
        count: usize,
    ) -> Result<Vec<Point>, StudyError>;
}

/// `Ok` if every point of `history` is one of `space`.
fn check(space: &Space, history: &[Observation]) -> Result<(), TrainError> {
    let foreign = history.iter().position(|observation| !space.contains(&observation.point));
    let shown = foreign.map_or(String::new(), |trial| format!("another at trial {trial}"));
    require(foreign.is_none(), "the space of the history", shown, "that of the search")
}

/// `Ok` if a strategy that learns has trials to start from and candidates to choose among.
fn check_learner(startup: usize, candidates: usize) -> Result<(), TrainError> {
    require(startup >= 2, "startup", startup, "at least 2")?;
    require(candidates >= 1, "candidates", candidates, "at least 1")
}

/// `count` points one after the other, fewer if `next` has none left. It is given the trials before, those of this
/// round among them, and what was tried; it gives a point with the value that later ones of the round take it to have.
fn one_by_one(
    space: &Space,
    history: &[Observation],
    count: usize,
    mut next: impl FnMut(&[Observation], &mut Tried<'_>) -> Option<Observation>,
) -> Vec<Point> {
    let mut tried = Tried::new(space, history);
    let mut known = history.to_vec();
    for _ in 0..count {
        let Some(supposed) = next(&known, &mut tried) else { break };
        known.push(supposed);
    }
    known.drain(history.len()..).map(|observation| observation.point).collect()
}
