//! Optimizers from their settings.

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdaGradConfig, AdafactorConfig, AdanConfig, LambConfig, LionConfig};
use burn::optim::{ModuleOptimizer, Optimizer};
use selvedge_kernels::{AdamOptions, FusedAdam, FusedRmsProp, FusedSgd};
use selvedge_kernels::{MomentumOptions, RmsPropOptions, SgdOptions};

use super::lookahead::WithSlowWeights;
use super::muon::MuonWithAdamW;
use super::{Lookahead, OptimizerConfig};
use crate::TrainError;
use crate::error::require;

impl OptimizerConfig {
    /// The optimizer, its state empty, with the same weight decay for all parameters.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a setting out of range, a negative weight decay, or Nesterov's variant
    /// without momentum.
    pub fn init(&self, weight_decay: f64) -> Result<ModuleOptimizer, TrainError> {
        self.init_with(weight_decay, &[], None)
    }

    /// The optimizer, its state empty, with a weight decay for every group of parameters, 0 for none, and
    /// `weight_decay` for all others; of several groups that have a parameter, the last one counts. With
    /// [`Lookahead`], it pulls slow weights behind it.
    ///
    /// ```
    /// use burn::module::ParamGroup;
    /// use selvedge_train::{Lookahead, OptimizerConfig};
    ///
    /// let biases = ParamGroup::from_predicate("bias");
    /// let lookahead = Some(Lookahead::default());
    /// let optimizer = OptimizerConfig::adamw().init_with(0.01, &[(biases, 0.0)], lookahead)?;
    /// # let _ = optimizer;
    /// # Ok::<(), selvedge_train::TrainError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init), and for a weight decay of a group or a setting of the lookahead out of
    /// range.
    pub fn init_with(
        &self,
        weight_decay: f64,
        groups: &[(ParamGroup, f64)],
        lookahead: Option<Lookahead>,
    ) -> Result<ModuleOptimizer, TrainError> {
        check_weight_decay(weight_decay)?;
        groups.iter().try_for_each(|(_, decay)| check_weight_decay(*decay))?;
        lookahead.map_or(Ok(()), Lookahead::check)?;
        self.check()?;
        let plan = Plan { weight_decay, groups, lookahead };
        Ok(match *self {
            Self::Adam { betas, epsilon } => plan.of(|decay| adam(betas, epsilon, decay, false)),
            Self::AdamW { betas, epsilon } => plan.of(|decay| adam(betas, epsilon, decay, true)),
            Self::Sgd { momentum, nesterov } => {
                let velocity = MomentumOptions { momentum, dampening: 0.0, nesterov };
                let momentum = (momentum > 0.0).then_some(velocity);
                plan.of(|decay| FusedSgd::new(SgdOptions { momentum, weight_decay: some(decay) }))
            }
            Self::RmsProp { alpha, momentum, epsilon } => plan.of(|decay| {
                let weight_decay = some(decay);
                FusedRmsProp::new(RmsPropOptions { alpha, momentum, epsilon, weight_decay })
            }),
            Self::AdaGrad { lr_decay, epsilon } => plan.of(|decay| {
                let config = AdaGradConfig::new().with_lr_decay(lr_decay);
                let decay = some(decay).map(|decay| WeightDecayConfig::new(decay as f32));
                config.with_epsilon(epsilon as f32).with_weight_decay(decay).build()
            }),
            Self::AdaFactor { beta2_decay, clip_threshold } => plan.of(|decay| {
                let config = AdafactorConfig::new().with_decay_rate(beta2_decay);
                let config = config.with_clip_threshold(clip_threshold as f32);
                config.with_weight_decay(decay as f32).build()
            }),
            Self::Adan { betas: [beta_1, beta_2, beta_3], epsilon } => plan.of(|decay| {
                let config = AdanConfig::new().with_beta_1(beta_1 as f32);
                let config = config.with_beta_2(beta_2 as f32).with_beta_3(beta_3 as f32);
                config.with_epsilon(epsilon as f32).with_weight_decay(decay as f32).build()
            }),
            Self::Lamb { betas: [beta_1, beta_2], epsilon } => plan.of(|decay| {
                let config = LambConfig::new().with_beta_1(beta_1 as f32);
                let config = config.with_beta_2(beta_2 as f32).with_epsilon(epsilon as f32);
                config.with_weight_decay(decay as f32).build()
            }),
            Self::Lion { betas: [beta_1, beta_2] } => plan.of(|decay| {
                let config = LionConfig::new().with_beta_1(beta_1 as f32);
                config.with_beta_2(beta_2 as f32).with_weight_decay(decay as f32).build()
            }),
            Self::Muon { momentum, nesterov } => {
                plan.of(|decay| MuonWithAdamW::new(momentum, nesterov, decay))
            }
        })
    }

    fn check(&self) -> Result<(), TrainError> {
        match *self {
            Self::Adam { betas, epsilon }
            | Self::AdamW { betas, epsilon }
            | Self::Lamb { betas, epsilon } => {
                check_betas(&betas)?;
                check_epsilon(epsilon)
            }
            Self::Sgd { momentum, nesterov } => {
                check_momentum(momentum)?;
                let needs = momentum > 0.0 || !nesterov;
                require(needs, "momentum", momentum, "above 0 for Nesterov's variant")
            }
            Self::RmsProp { alpha, momentum, epsilon } => {
                check_decay("alpha", alpha)?;
                check_momentum(momentum)?;
                check_epsilon(epsilon)
            }
            Self::AdaGrad { lr_decay, epsilon } => {
                let in_range = lr_decay >= 0.0 && lr_decay.is_finite();
                require(in_range, "decay of the learning rate", lr_decay, "0 or more")?;
                check_epsilon(epsilon)
            }
            Self::AdaFactor { beta2_decay, clip_threshold } => {
                let below = beta2_decay < 0.0 && beta2_decay.is_finite();
                require(below, "beta 2 decay", beta2_decay, "below 0")?;
                let single = clip_threshold as f32;
                let above = single > 0.0 && single.is_finite();
                require(above, "clip threshold", clip_threshold, "above 0")
            }
            Self::Adan { betas, epsilon } => {
                check_betas(&betas)?;
                check_epsilon(epsilon)
            }
            Self::Lion { betas } => check_betas(&betas),
            Self::Muon { momentum, .. } => check_momentum(momentum),
        }
    }
}

/// What one kind of optimizer is needed for.
struct Plan<'a> {
    weight_decay: f64,
    groups: &'a [(ParamGroup, f64)],
    lookahead: Option<Lookahead>,
}

impl Plan<'_> {
    /// All groups, each by the optimizer of its weight decay.
    fn of<O: Optimizer>(&self, optimizer: impl Fn(f64) -> O) -> ModuleOptimizer {
        match self.lookahead {
            Some(lookahead) => {
                self.grouped(|decay| WithSlowWeights::new(optimizer(decay), lookahead))
            }
            None => self.grouped(optimizer),
        }
    }

    fn grouped<O: Optimizer>(&self, optimizer: impl Fn(f64) -> O) -> ModuleOptimizer {
        let all = ModuleOptimizer::from(optimizer(self.weight_decay));
        let add = |all: ModuleOptimizer, (group, decay): &(ParamGroup, f64)| {
            all.with_group(group.clone(), optimizer(*decay), None)
        };
        self.groups.iter().fold(all, add)
    }
}

fn adam([beta_1, beta_2]: [f64; 2], epsilon: f64, decay: f64, decoupled: bool) -> FusedAdam {
    let weight_decay = some(decay);
    FusedAdam::new(AdamOptions { beta_1, beta_2, epsilon, weight_decay, decoupled })
}

/// A weight decay, if there is any.
fn some(decay: f64) -> Option<f64> {
    (decay > 0.0).then_some(decay)
}

fn check_weight_decay(decay: f64) -> Result<(), TrainError> {
    // Some optimizers take it in `f32`.
    let in_range = decay >= 0.0 && (decay as f32).is_finite();
    require(in_range, "weight decay", decay, "0 or more")
}

fn check_momentum(momentum: f64) -> Result<(), TrainError> {
    check_decay("momentum", momentum)
}

fn check_betas(betas: &[f64]) -> Result<(), TrainError> {
    let names = ["beta 1", "beta 2", "beta 3"];
    names.iter().zip(betas).try_for_each(|(name, beta)| check_decay(name, *beta))
}

// A decay that `f32` rounds to 1 would forget nothing.
fn check_decay(name: &'static str, decay: f64) -> Result<(), TrainError> {
    let in_range = decay >= 0.0 && (decay as f32) < 1.0;
    require(in_range, name, decay, "at least 0 and below 1")
}

fn check_epsilon(epsilon: f64) -> Result<(), TrainError> {
    let single = epsilon as f32;
    require(single > 0.0 && single.is_finite(), "epsilon", epsilon, "above 0")
}
