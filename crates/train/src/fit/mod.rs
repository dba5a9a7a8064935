mod rates;
mod run;

use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use crate::error::require;
use crate::task::Classify;
use crate::{
    Classifier, Context, EpochRecord, FitSource, History, Metrics, OptimizerConfig, TrainError,
};

pub use rates::LearningRateGroup;
pub(crate) use run::run;

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Step size.
    pub learning_rate: f64,
    /// Parameters with a step size of their own; where several groups have a parameter, the last
    /// one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning_rates: Vec<LearningRateGroup>,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// Share of each parameter that is added to its gradient: λ‖p‖²/2 in the loss, as in PyTorch.
    pub weight_decay: f64,
    /// Ends the run after this many epochs without a lower validation loss.
    pub patience: Option<usize>,
    /// Decides the order of the images and the dropout.
    pub seed: u64,
}

impl Default for FitConfig {
    /// Ten epochs of Adam at 1e-3 in batches of 128, seed 0.
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            learning_rate: 1e-3,
            learning_rates: Vec::new(),
            optimizer: OptimizerConfig::Adam,
            weight_decay: 0.0,
            patience: None,
            seed: 0,
        }
    }
}

impl FitConfig {
    /// Checks every setting, so that a mistake is found before anything is trained.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        self.init_optimizer().map(drop)
    }

    /// Builds the optimizer if every setting is in its range.
    pub(crate) fn init_optimizer(&self) -> Result<ModuleOptimizer, TrainError> {
        require(self.epochs > 0, "epochs", self.epochs, "at least 1")?;
        require(self.batch_size > 0, "batch size", self.batch_size, "at least 1")?;
        require(self.patience != Some(0), "patience", 0, "at least 1")?;
        let rate = self.learning_rate;
        require(rate > 0.0 && rate.is_finite(), "learning rate", rate, "above 0")?;
        for group in &self.learning_rates {
            let factor = group.factor;
            let possible = factor > 0.0 && factor.is_finite();
            require(possible, "factor of the learning rate", factor, "above 0")?;
        }
        self.optimizer.init(self.weight_decay)
    }
}

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
/// What is frozen ([`Network::freeze`](selvedge_models::Network::freeze)) stays as it is, and is
/// frozen in the result, too. Loss and accuracy count images, not batches. The run ends early if the loss is not finite (an
/// error), if validation stops improving for [`FitConfig::patience`] epochs, or if
/// [`Context::stop`] is raised: then the epochs that are complete are the result.
///
/// # Errors
///
/// [`TrainError::Setting`] for a setting out of range, [`TrainError::Data`] for data that cannot be
/// batched, [`TrainError::ImageShape`] if the model takes images of another shape,
/// [`TrainError::Classes`] if it does not fit the classes, [`TrainError::Diverged`] with epoch and batch, [`TrainError::Stopped`] if no epoch was complete,
/// [`TrainError::NothingToTrain`] if everything is frozen, [`TrainError::Model`] if a group of
/// learning rates, or an alternative of its pattern, matches no parameter.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::{ImageDataset, Normalization};
/// use selvedge_models::{Architecture, Init};
/// use selvedge_train::{Context, FitConfig, FitData, fit};
///
/// // Two classes of 4 × 4 images: dark and bright.
/// let pixels = (0..64).flat_map(|i| [if i % 2 == 0 { 20 } else { 200 }; 16]).collect();
/// let labels = (0..64).map(|i| i % 2).collect();
/// let names = vec!["dark".to_string(), "bright".to_string()];
/// let images = ImageDataset::new("brightness", pixels, [1, 4, 4], labels, names)?.view();
///
/// let device = Device::flex();
/// let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 2);
/// let model = network.init(Init::PyTorch, 0, &device)?;
/// let data = FitData {
///     normalization: Normalization::standardized(&images),
///     train: images.clone(),
///     validation: images,
/// };
/// let config = FitConfig { learning_rate: 0.05, batch_size: 16, ..FitConfig::default() };
/// let fitted = fit(model, &data, &config, &Context::new(&device))?;
/// assert_eq!(fitted.best.validation.accuracy, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit<M: Classifier>(
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M>, TrainError> {
    run::<Classify, M>(model, data, config, context)
}

#[cfg(test)]
mod tests;
