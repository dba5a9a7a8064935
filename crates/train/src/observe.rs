//! What watches a run while it goes on.
//!
//! An [`Observer`] is told when a run starts, after as many steps or seconds as it asks for, after every
//! epoch, and at the end. It never changes the run: with or without observers the bits are the same.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use selvedge_models::Architecture;
use selvedge_models::state::State;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Why an observer cannot go on: any error of its own. It ends the run; what a run folder holds then is
/// enough to resume it.
pub type ObserverError = Box<dyn std::error::Error + Send + Sync>;

/// Watches a run. Every method does nothing unless it is written: an observer of one's own is as long as
/// what it has to say.
///
/// ```
/// use selvedge_train::{EpochDone, Observer, ObserverError};
///
/// /// Says when the validation loss is the lowest so far.
/// struct Best;
///
/// impl Observer for Best {
///     fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
///         if let (true, Some(loss)) = (done.is_best, done.row.validation_value("loss")) {
///             println!("epoch {} of {}: {loss:.4}", done.row.epoch, done.epochs);
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// It is passed to a run with [`Context::with_observer`](crate::Context::with_observer).
pub trait Observer: Send {
    /// How often [`step`](Self::step) is called: never, unless it is written. Each call reads losses back
    /// from the device, for which a GPU has to finish what it was given.
    fn interval(&self) -> StepInterval {
        StepInterval::Never
    }

    /// Whether [`Tensors::gradients`] is to have anything to give: not, unless it is written. The gradients of
    /// the last step then stay in memory.
    fn wants_gradients(&self) -> bool {
        false
    }

    /// Before the first step, also of a run that is resumed; not if that run is complete already.
    ///
    /// # Errors
    ///
    /// Whatever keeps the observer from its work; the run ends before it begins.
    fn run_started(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        let _ = run;
        Ok(())
    }

    /// Instead of everything else, of a run that is complete already: what it lacks because it was killed at its very end
    /// can be made up for.
    ///
    /// # Errors
    ///
    /// As for [`epoch`](Self::epoch).
    fn run_found_complete(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        let _ = run;
        Ok(())
    }

    /// Within an epoch, as often as [`interval`](Self::interval) says.
    ///
    /// # Errors
    ///
    /// As for [`epoch`](Self::epoch).
    fn step(&mut self, done: &StepDone<'_>) -> Result<(), ObserverError> {
        let _ = done;
        Ok(())
    }

    /// After every epoch. With a run folder, the epoch is on the disk by then.
    ///
    /// # Errors
    ///
    /// Whatever keeps the observer from its work. It ends the run with
    /// [`TrainError::Observer`](crate::TrainError::Observer).
    fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
        let _ = done;
        Ok(())
    }

    /// After the last step, whatever ended the run but an error.
    ///
    /// # Errors
    ///
    /// As for [`epoch`](Self::epoch).
    fn run_ended(&mut self, end: &RunEnded<'_>) -> Result<(), ObserverError> {
        let _ = end;
        Ok(())
    }
}

/// How often an observer is shown steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum StepInterval {
    /// Never.
    #[default]
    Never,
    /// After so many steps.
    Steps(usize),
    /// After the step that ends when so many seconds have gone since the last time.
    Seconds(f64),
}

/// A run that is about to start, or that was complete before.
#[derive(Debug)]
pub struct RunStarted<'a> {
    /// What the run is called in messages.
    pub label: &'a str,
    /// The model's name.
    pub model: &'a str,
    /// The layers that it is made of, where they are data.
    pub layers: Option<&'a Architecture>,
    /// Passes over the training images.
    pub epochs: usize,
    /// Training images an epoch.
    pub images: usize,
    /// Batches an epoch, but for sources that do not know: then what is expected.
    pub batches: usize,
    /// The names of the measured values, in the order of those of an [`EpochRow`].
    pub columns: &'static [&'static str],
    /// The epochs that were complete before: none, unless the run is resumed.
    pub rows: &'a [EpochRow],
    /// Steps of the optimizer before: 0, unless the run is resumed.
    pub step: usize,
    /// Batches of the next epoch before: 0, unless the run is resumed within one.
    pub batch: usize,
    /// The folder of the run, if it has one.
    pub folder: Option<&'a Path>,
    /// All settings as TOML, as `config.toml` in a run folder has them.
    pub config: &'a str,
    /// The same, one by one: names such as `optimizer.name`, and values.
    pub settings: &'a [(String, String)],
}

/// A step within an epoch.
#[derive(Debug)]
pub struct StepDone<'a> {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The epochs of the run.
    pub epochs: usize,
    /// Steps of the optimizer since the run began.
    pub step: usize,
    /// Batches of this epoch so far.
    pub batch: usize,
    /// Images of this epoch so far.
    pub images: usize,
    /// Images of the whole epoch.
    pub images_of: usize,
    /// The names of the measured values.
    pub columns: &'static [&'static str],
    /// What was measured since the last call, or since the epoch began.
    pub recent: &'a [f64],
    /// What was measured since the epoch began.
    pub so_far: &'a [f64],
    /// The same in words.
    pub text: &'a str,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Training images a second in this epoch.
    pub images_per_second: f64,
    /// Seconds until the run would end at this speed, its validations among them.
    pub seconds_left: f64,
}

/// A complete epoch.
#[derive(Debug)]
pub struct EpochDone<'a> {
    /// What was measured.
    pub row: &'a EpochRow,
    /// The same in words.
    pub text: &'a str,
    /// The epochs of the run.
    pub epochs: usize,
    /// Steps of the optimizer since the run began.
    pub step: usize,
    /// Whether the epoch is the best so far.
    pub is_best: bool,
    /// Training images a second in this epoch, measured over the training steps alone.
    pub images_per_second: f64,
    /// Seconds until the run would end at this speed, its validations among them.
    pub seconds_left: f64,
    /// The tensors of the model; nothing is read from the device until they are asked for.
    pub tensors: &'a dyn Tensors,
}

/// The tensors of a model that is being trained.
pub trait Tensors: std::fmt::Debug {
    /// The values of every parameter and running statistic, by name.
    fn values(&self) -> State;

    /// The gradients of the epoch's last step, by name, as the optimizer took them: for an observer that
    /// [wants them](Observer::wants_gradients).
    fn gradients(&self) -> State;
}

/// A run that has ended.
#[derive(Debug)]
pub struct RunEnded<'a> {
    /// Every complete epoch.
    pub rows: &'a [EpochRow],
    /// The best epoch, if one is complete.
    pub best: Option<&'a EpochRow>,
    /// Why it ended.
    pub reason: EndReason,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// All epochs are complete.
    Complete,
    /// Validation no longer improved.
    EarlyStopping,
    /// It was asked to stop.
    Stopped,
    /// The loss became infinite or NaN.
    Diverged,
}

/// What was measured in an epoch, whatever was measured: the values of a
/// [`Score`](crate::Score) without its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// The names of the values.
    #[serde(skip)]
    pub columns: &'static [&'static str],
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Averages over the epoch's training batches, measured while the weights changed.
    pub train: Vec<f64>,
    /// Measured after the epoch, without dropout; `None` without validation data.
    pub validation: Option<Vec<f64>>,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Seconds for the epoch, validation included.
    pub seconds: f64,
}

impl EpochRow {
    /// The training value of that name, if there is one.
    pub fn train_value(&self, column: &str) -> Option<f64> {
        self.columns.iter().position(|name| *name == column).map(|at| self.train[at])
    }

    /// The validation value of that name, if there is one.
    pub fn validation_value(&self, column: &str) -> Option<f64> {
        let at = self.columns.iter().position(|name| *name == column)?;
        self.validation.as_ref().map(|values| values[at])
    }
}

/// The observers of a context; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<Mutex<dyn Observer>>>);

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}

impl Observers {
    /// The same and one more.
    pub fn with(mut self, observer: impl Observer + 'static) -> Self {
        self.0.push(Arc::new(Mutex::new(observer)));
        self
    }

    /// Tells each of them, in the order in which they were added, until one fails.
    pub fn tell(
        &self,
        what: impl Fn(&mut dyn Observer) -> Result<(), ObserverError>,
    ) -> Result<(), TrainError> {
        for observer in &self.0 {
            let mut observer = observer.lock().unwrap_or_else(PoisonError::into_inner);
            what(&mut *observer).map_err(|error| TrainError::Observer(error.to_string()))?;
        }
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The intervals at which they want to see steps.
    pub fn intervals(&self) -> Vec<StepInterval> {
        let interval = |observer: &Arc<Mutex<dyn Observer>>| {
            observer.lock().unwrap_or_else(PoisonError::into_inner).interval()
        };
        self.0.iter().map(interval).collect()
    }

    /// Whether one of them wants gradients.
    pub fn want_gradients(&self) -> bool {
        let wants = |observer: &Arc<Mutex<dyn Observer>>| {
            observer.lock().unwrap_or_else(PoisonError::into_inner).wants_gradients()
        };
        self.0.iter().any(wants)
    }

    /// Tells the observer at that place alone.
    pub fn tell_one(&self, at: usize, done: &StepDone<'_>) -> Result<(), TrainError> {
        let mut observer = self.0[at].lock().unwrap_or_else(PoisonError::into_inner);
        observer.step(done).map_err(|error| TrainError::Observer(error.to_string()))
    }
}
