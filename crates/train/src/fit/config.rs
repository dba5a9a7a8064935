use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::optim::ModuleOptimizer;
use selvedge_models::ModelError;
use selvedge_models::state::{Parameter, group};
use serde::{Deserialize, Serialize};

use super::ParamGroup;
use crate::error::require;
use crate::{OptimizerConfig, TrainError};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Step size.
    pub learning_rate: f64,
    /// Parameters with a step size of their own; where several groups have a parameter, the last
    /// one counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub param_groups: Vec<ParamGroup>,
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
            param_groups: Vec::new(),
            optimizer: OptimizerConfig::adam(),
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
        self.optimizer().map(drop)
    }

    /// Builds the optimizer if every setting is in its range.
    pub(crate) fn optimizer(&self) -> Result<ModuleOptimizer, TrainError> {
        require(self.batch_size > 0, "batch size", self.batch_size, "at least 1")?;
        require(self.epochs > 0, "epochs", self.epochs, "at least 1")?;
        require(self.patience != Some(0), "patience", 0, "at least 1")?;
        let rate = self.learning_rate;
        require(rate > 0.0 && rate.is_finite(), "learning rate", rate, "above 0")?;
        for group in &self.param_groups {
            let factor = group.factor;
            let possible = factor > 0.0 && factor.is_finite();
            require(possible, "learning rate factor", factor, "above 0")?;
        }
        self.optimizer.init(self.weight_decay)
    }

    /// The learning rate of every parameter.
    pub(crate) fn learning_rates(
        &self,
        parameters: &[Parameter],
        model: &str,
    ) -> Result<ModuleLearningRate, ModelError> {
        let mut rates = ModuleLrScheduler::new(self.learning_rate);
        for ParamGroup { parameters: pattern, factor } in &self.param_groups {
            let group = group(parameters, pattern, model)?;
            rates = rates.with_group(group, self.learning_rate * factor);
        }
        Ok(rates.step())
    }
}
