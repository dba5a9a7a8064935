use burn::optim::ModuleOptimizer;
use selvedge_kernels::{AdamOptions, MomentumOptions, RmsPropOptions, SgdOptions};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::error::require;

/// An optimizer; what is left out of its settings is PyTorch's default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Adam (Kingma and Ba, 2015).
    Adam {
        /// Decay of the mean of the gradients and of their squares, each at least 0 and below 1: 0.9
        /// and 0.999.
        #[serde(default = "betas")]
        betas: [f32; 2],
        /// Added to the root of the mean square, above 0: 1e-8.
        #[serde(default = "epsilon")]
        epsilon: f32,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Share of the last step that is kept, at least 0 and below 1; 0 is plain gradient descent.
        #[serde(default)]
        momentum: f64,
        /// Whether the gradient is taken at the point to which the momentum leads (Nesterov).
        #[serde(default)]
        nesterov: bool,
    },
    /// RMSprop (Hinton, 2012).
    RmsProp {
        /// Decay of the mean of the squared gradients, at least 0 and below 1: 0.99.
        #[serde(default = "alpha")]
        alpha: f32,
        /// Share of the last step that is kept, at least 0 and below 1: 0.
        #[serde(default)]
        momentum: f64,
        /// Added to the root of the mean square, above 0: 1e-8.
        #[serde(default = "epsilon")]
        epsilon: f32,
    },
}

const BETAS: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;
const ALPHA: f32 = 0.99;

fn betas() -> [f32; 2] {
    BETAS
}

fn epsilon() -> f32 {
    EPSILON
}

fn alpha() -> f32 {
    ALPHA
}

impl Default for OptimizerConfig {
    /// [`adam`](Self::adam).
    fn default() -> Self {
        Self::adam()
    }
}

impl OptimizerConfig {
    /// Adam with PyTorch's constants.
    pub const fn adam() -> Self {
        Self::Adam { betas: BETAS, epsilon: EPSILON }
    }

    /// Stochastic gradient descent with this momentum; 0 is plain gradient descent.
    pub const fn sgd(momentum: f64) -> Self {
        Self::Sgd { momentum, nesterov: false }
    }

    /// RMSprop with PyTorch's constants and this momentum.
    pub const fn rms_prop(momentum: f64) -> Self {
        Self::RmsProp { alpha: ALPHA, momentum, epsilon: EPSILON }
    }

    /// The optimizer, its state empty.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a setting out of range, a negative weight decay, or Nesterov's variant
    /// without momentum.
    pub fn init(&self, weight_decay: f64) -> Result<ModuleOptimizer, TrainError> {
        let in_range = weight_decay >= 0.0 && weight_decay.is_finite();
        require(in_range, "weight decay", weight_decay, "0 or more")?;
        let weight_decay = (weight_decay > 0.0).then_some(weight_decay as f32);
        Ok(match *self {
            Self::Adam { betas: [beta_1, beta_2], epsilon } => {
                check_decay("beta 1", beta_1)?;
                check_decay("beta 2", beta_2)?;
                check_epsilon(epsilon)?;
                AdamOptions { beta_1, beta_2, epsilon, weight_decay }.init()
            }
            Self::Sgd { momentum, nesterov } => {
                check_momentum(momentum)?;
                let needs = momentum > 0.0 || !nesterov;
                require(needs, "momentum", momentum, "above 0 for Nesterov's variant")?;
                let velocity = MomentumOptions { momentum, dampening: 0.0, nesterov };
                SgdOptions { momentum: (momentum > 0.0).then_some(velocity), weight_decay }.init()
            }
            Self::RmsProp { alpha, momentum, epsilon } => {
                check_decay("alpha", alpha)?;
                check_momentum(momentum)?;
                check_epsilon(epsilon)?;
                let momentum = momentum as f32;
                RmsPropOptions { alpha, momentum, epsilon, weight_decay }.init()
            }
        })
    }
}

fn check_momentum(momentum: f64) -> Result<(), TrainError> {
    require((0.0..1.0).contains(&momentum), "momentum", momentum, "at least 0 and below 1")
}

fn check_decay(name: &'static str, decay: f32) -> Result<(), TrainError> {
    require((0.0..1.0).contains(&decay), name, decay, "at least 0 and below 1")
}

fn check_epsilon(epsilon: f32) -> Result<(), TrainError> {
    require(epsilon > 0.0 && epsilon.is_finite(), "epsilon", epsilon, "above 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_settings_are_refused() {
        let sgd = |momentum, nesterov| OptimizerConfig::Sgd { momentum, nesterov };
        let adam = |betas, epsilon| OptimizerConfig::Adam { betas, epsilon };
        for (config, decay) in [
            (sgd(1.0, false), 0.0),
            (sgd(-0.1, false), 0.0),
            (sgd(0.0, true), 0.0),
            (sgd(f64::NAN, false), 0.0),
            (OptimizerConfig::rms_prop(1.5), 0.0),
            (OptimizerConfig::RmsProp { alpha: 1.0, momentum: 0.0, epsilon: 1e-8 }, 0.0),
            (adam([1.0, 0.999], 1e-8), 0.0),
            (adam([0.9, f32::NAN], 1e-8), 0.0),
            (adam([0.9, 0.999], 0.0), 0.0),
            (OptimizerConfig::adam(), -1.0),
            (OptimizerConfig::adam(), f64::INFINITY),
        ] {
            assert!(config.init(decay).is_err(), "{config:?}, decay {decay}");
        }
        assert!(sgd(0.9, true).init(1e-4).is_ok());
    }

    #[test]
    fn settings_that_are_left_out_are_pytorchs_and_unknown_ones_are_refused() {
        let read = serde_json::from_str::<OptimizerConfig>;
        for (text, expected) in [
            (r#"{"name": "adam"}"#, OptimizerConfig::adam()),
            (r#"{"name": "sgd", "momentum": 0.9}"#, OptimizerConfig::sgd(0.9)),
            (r#"{"name": "rms_prop"}"#, OptimizerConfig::rms_prop(0.0)),
        ] {
            assert_eq!(read(text).unwrap(), expected);
        }
        for text in [r#"{"name": "adam", "momentum": 0.9}"#, r#"{"name": "sgd", "betas": [0, 0]}"#]
        {
            assert!(read(text).unwrap_err().to_string().contains("unknown field"), "{text}");
        }
    }
}
