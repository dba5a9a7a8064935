//! Training: settings ([`FitConfig`]), the loop over epochs, and what is left of it ([`Fitted`]).

mod autoencoder;
mod config;
mod groups;
mod run;
mod state;

use selvedge_models::Model;

pub use autoencoder::fit_autoencoder;
pub use config::FitConfig;
pub use groups::ParamGroup;

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
    /// Training images a second, measured over the training steps alone.
    pub images_per_second: f64,
}

/// Trains `model` and returns it as it was after its best epoch.
///
/// What is minimised is the cross-entropy ([`Classify`]). What is frozen
/// ([`Network::freeze`](selvedge_models::Network::freeze)) stays as it is, and is frozen in the result,
/// too. Loss and accuracy count images, not batches. The run ends early if the loss is not finite (an
/// error), if validation stops improving for [`FitConfig::patience`] epochs, or if
/// [`Context::stop`] is raised: then the epochs that are complete are the result.
///
/// # Errors
///
/// [`TrainError::Setting`] for a setting out of range, [`TrainError::Data`] for data that cannot be
/// batched, [`TrainError::ImageShape`] if the model takes images of another shape,
/// [`TrainError::Classes`] if it does not fit the classes, [`TrainError::Diverged`] with epoch and batch,
/// [`TrainError::Stopped`] if no epoch was complete, [`TrainError::NothingToTrain`] if everything is
/// frozen, [`TrainError::Model`] if a parameter group, or an alternative of its pattern, matches no
/// parameter.
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
/// assert_eq!(fitted.best.validation.accuracy, 1.0);
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
    run::run(task, model, data, config, context)
}

#[cfg(test)]
mod tests;
