//! Training: settings ([`FitConfig`]), the loop over epochs, and what is left of it ([`Fitted`]).

mod autoencoder;
mod average;
mod checkpoint;
mod clip;
mod config;
mod folder;
mod gradients;
mod groups;
mod parallel;
mod run;
mod state;
mod stopping;
mod watch;

use selvedge_kernels::with_team;
use selvedge_models::Model;
use serde::{Deserialize, Serialize};

pub use autoencoder::fit_autoencoder;
pub use average::Averaging;
pub use clip::Clip;
pub use config::FitConfig;
pub(crate) use folder::checksum;
pub use groups::ParamGroup;
pub use stopping::EarlyStopping;

use crate::{Classify, Context, EpochRecord, FitSource, History, Metrics, Task, TrainError};

/// The result of a run; `S` is what was measured.
#[derive(Clone, Debug)]
pub struct Fitted<M, S = Metrics> {
    /// The model of the epoch of lowest validation loss, ready for inference.
    pub model: M,
    /// What happened, epoch by epoch.
    pub history: History<S>,
    /// The epoch that [`model`](Self::model) is from.
    pub best: EpochRecord<S>,
    /// Whether the run was stopped before its last epoch was complete.
    pub stopped: bool,
    /// Where the loss became infinite or NaN, or as large as a classifier's that learns nothing any more
    /// ([`Task::diverged`]), which ended the run: the model is the best of the epochs before.
    pub diverged: Option<Divergence>,
    /// Why the run folder lacks the end of the run, if it does.
    pub unsaved: Option<String>,
    /// Training images a second, measured over the training steps alone.
    pub images_per_second: f64,
}

/// Where the loss of a run became infinite, NaN or hopeless: see [`Task::diverged`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The batch in it, counted from 1; the last one if it was the validation's loss.
    pub batch: usize,
    /// The loss.
    pub loss: f64,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epoch, batch, loss } = self;
        write!(f, "the loss is {loss} in epoch {epoch}, batch {batch}")
    }
}

/// Trains `model` and returns it as it was after its best epoch.
///
/// What is minimised is the cross-entropy ([`Classify`]). What is frozen
/// ([`Network::freeze`](selvedge_models::Network::freeze)) stays as it is, and is frozen in the result,
/// too. Loss and accuracy count images, not batches. The run ends early if the loss is hopeless
/// ([`Fitted::diverged`]), if [`FitConfig::early_stopping`] says so, or if [`Context::stop`] is raised: then
/// the epochs that are complete are the result.
///
/// With [a run folder](Context::with_run_folder), the run is saved after every epoch. The same call again
/// goes on where it was, and ends with the same bits as if it had never been stopped, killed or resumed,
/// whatever the number of threads.
///
/// # Errors
///
/// [`TrainError::Setting`] for a setting out of range, [`TrainError::Data`] for data that cannot be
/// batched, [`TrainError::ImageShape`] if the model takes images of another shape,
/// [`TrainError::Classes`] if it does not fit the classes, [`TrainError::Diverged`] with epoch and batch if
/// it diverged before the first epoch was complete, [`TrainError::Stopped`] if it was stopped before,
/// [`TrainError::NothingToTrain`] if everything is frozen, [`TrainError::Model`] if a parameter group, or an
/// alternative of its pattern, matches no parameter, [`TrainError::Metric`] for a metric that is not measured,
/// [`TrainError::Folder`] and [`TrainError::OtherSettings`] if the run folder cannot be used,
/// [`TrainError::Observer`] if an observer fails.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::ImageDataset;
/// use selvedge_models::{Architecture, Initialization};
/// use selvedge_train::{Context, FitConfig, FitData, fit};
///
/// // Two classes of 4 × 4 images: dark and bright.
/// let pixels = (0..64).flat_map(|i| [if i % 2 == 0 { 20 } else { 200 }; 16]).collect();
/// let labels = (0..64).map(|i| i % 2).collect();
/// let names = vec!["dark".to_string(), "bright".to_string()];
/// let images = ImageDataset::new("brightness", pixels, [1, 4, 4], labels, names)?;
/// let data = FitData::from(images.view().split_stratified(0.75, 1)?);
///
/// let device = Device::flex();
/// let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 2);
/// let model = network.init(Initialization::PyTorch, 0, &device)?;
/// let config = FitConfig { learning_rate: 0.05, batch_size: 16, ..FitConfig::default() };
/// let fitted = fit(model, &data, &config, &Context::new(&device))?;
/// assert_eq!(fitted.best.score().accuracy, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit<M: Model>(
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M>, TrainError> {
    fit_task(&Classify::default(), model, data, config, context)
}

/// As [`fit`], for any task; what it measures as loss decides which epoch is best.
///
/// # Errors
///
/// As [`fit`], and what [`Task::loss`] gives for outputs that do not fit.
pub fn fit_task<T: Task, M: Model>(
    task: &T,
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M, T::Score>, TrainError> {
    with_team(|| run::run(task, model, data, config, context))
}

#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod tests;
