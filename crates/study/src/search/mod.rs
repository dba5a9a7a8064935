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
//! the same numbers of points after the same histories.

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

use crate::StudyError;
pub use gaussian_process::GaussianProcess;
pub use grid::{Grid, OneAtATime};
pub use halving::{Hyperband, Rung, SuccessiveHalving, promoted};
pub use median::MedianPruner;
pub use random::Random;
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

/// `Ok` if `holds`, else [`TrainError::Setting`].
fn require(
    holds: bool,
    name: &'static str,
    value: impl std::fmt::Display,
    expected: &'static str,
) -> Result<(), TrainError> {
    match holds {
        true => Ok(()),
        false => Err(TrainError::Setting { name, value: value.to_string(), expected }),
    }
}

/// `Ok` if every point of `history` is one of `space`.
fn check(space: &Space, history: &[Observation]) -> Result<(), TrainError> {
    let foreign = history.iter().position(|observation| !space.contains(&observation.point));
    let shown = foreign.map_or(String::new(), |trial| format!("another at trial {trial}"));
    require(foreign.is_none(), "the space of the history", shown, "that of the search")
}
