use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::module::ParamGroup as Group;
use burn::optim::ModuleOptimizer;
use selvedge_models::ModelError;
use selvedge_models::state::{Parameter, group};
use serde::{Deserialize, Serialize};

use super::{Averaging, Clip, EarlyStopping, ParamGroup};
use crate::error::require;
use crate::{Lookahead, OptimizerConfig, Schedule, TrainError};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a batch; the last one of an epoch may be smaller.
    pub batch_size: usize,
    /// Batches a step of the optimizer: as if they were one batch, but for batch normalization, which
    /// sees them one by one. The last step of an epoch may have fewer.
    pub accumulate: usize,
    /// Step size.
    pub learning_rate: f64,
    /// How it moves through the run: not at all, unless it is set.
    pub schedule: Schedule,
    /// Parameters with a step size or a weight decay of their own; where several groups have a
    /// parameter, the last one counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub param_groups: Vec<ParamGroup>,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// Slow weights behind the optimizer.
    pub lookahead: Option<Lookahead>,
    /// Share of each parameter that is added to its gradient: λ‖p‖²/2 in the loss, as in PyTorch; of AdamW
    /// and others with decoupled decay, what is taken off the parameter.
    pub weight_decay: f64,
    /// Whether biases and the scales and shifts of normalizations decay, too: all parameters of one dimension.
    pub decay_biases_and_norms: bool,
    /// λ of a penalty λ·Σ‖p‖² over all parameters that learn: its gradient is added to that of the loss
    /// before clipping, the reported loss is without it.
    pub l2: f64,
    /// Keeps gradients small.
    pub clip: Option<Clip>,
    /// Validates, and returns, an average of the weights instead of the last ones.
    pub averaging: Option<Averaging>,
    /// The validation value that decides which epoch is best: `loss`, or another of the names in
    /// [`Score::COLUMNS`](crate::Score::COLUMNS), such as `accuracy`. Without validation data it is the
    /// training value.
    pub monitor: String,
    /// Ends a run that no longer improves.
    pub early_stopping: Option<EarlyStopping>,
    /// Decides the order of the images and the dropout.
    pub seed: u64,
}

impl Default for FitConfig {
    /// Ten epochs of Adam at 1e-3 in batches of 128, seed 0.
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            accumulate: 1,
            learning_rate: 1e-3,
            schedule: Schedule::constant(),
            param_groups: Vec::new(),
            optimizer: OptimizerConfig::adam(),
            lookahead: None,
            weight_decay: 0.0,
            decay_biases_and_norms: true,
            l2: 0.0,
            clip: None,
            averaging: None,
            monitor: "loss".into(),
            early_stopping: None,
            seed: 0,
        }
    }
}

impl FitConfig {
    /// Checks every setting, so that a mistake is found before anything is trained. Which metrics can be
    /// monitored depends on the task: [`fit`](crate::fit) checks that, and the parameter groups.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        require(self.batch_size > 0, "batch size", self.batch_size, "at least 1")?;
        require(self.epochs > 0, "epochs", self.epochs, "at least 1")?;
        require(self.accumulate > 0, "accumulated batches", self.accumulate, "at least 1")?;
        let rate = self.learning_rate;
        require(rate > 0.0 && rate.is_finite(), "learning rate", rate, "above 0")?;
        self.schedule.check(self.epochs)?;
        for group in &self.param_groups {
            group.check()?;
        }
        require(self.l2 >= 0.0 && self.l2.is_finite(), "l2", self.l2, "0 or more")?;
        if let Some(clip) = &self.clip {
            clip.check()?;
        }
        if let Some(averaging) = &self.averaging {
            averaging.check(self.epochs)?;
        }
        if let Some(early_stopping) = &self.early_stopping {
            early_stopping.check(self.epochs)?;
        }
        self.optimizer.init_with(self.weight_decay, &[], self.lookahead).map(drop)
    }

    /// The optimizer, its state empty.
    pub(crate) fn optimizer(
        &self,
        parameters: &[Parameter],
        model: &str,
    ) -> Result<ModuleOptimizer, TrainError> {
        let with_decay = self.param_groups.iter().filter_map(|g| Some((g, g.weight_decay?)));
        let groups = with_decay.map(|(ParamGroup { parameters: pattern, .. }, decay)| {
            Ok((group(parameters, pattern, model)?, decay))
        });
        let mut groups = groups.collect::<Result<Vec<_>, ModelError>>()?;
        if !self.decay_biases_and_norms {
            let vectors = parameters.iter().filter(|p| p.shape.len() < 2).map(|p| p.id);
            // First, so that a group of the user's own counts.
            groups.insert(0, (Group::from_ids(vectors.collect::<Vec<_>>()), 0.0));
        }
        self.optimizer.init_with(self.weight_decay, &groups, self.lookahead)
    }

    /// The learning rates of the parameters by the rate of those in no group.
    pub(crate) fn rates(&self, parameters: &[Parameter], model: &str) -> Result<Rates, ModelError> {
        let groups =
            self.param_groups.iter().map(|ParamGroup { parameters: pattern, factor, .. }| {
                Ok((group(parameters, pattern, model)?, *factor))
            });
        Ok(Rates { groups: groups.collect::<Result<_, ModelError>>()? })
    }
}

/// The learning rates of the parameters.
pub(crate) struct Rates {
    groups: Vec<(Group, f64)>,
}

impl Rates {
    /// Of every parameter, where those in no group have this one.
    pub fn at(&self, rate: f64) -> ModuleLearningRate {
        if self.groups.is_empty() {
            return rate.into();
        }
        let mut rates = ModuleLrScheduler::new(rate);
        for (group, factor) in &self.groups {
            rates = rates.with_group(group.clone(), rate * factor);
        }
        rates.step()
    }
}
