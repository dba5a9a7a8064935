use burn::optim::ModuleOptimizer;
use selvedge_kernels::{AdamOptions, MomentumOptions, RmsPropOptions, SgdOptions};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::error::require;

/// An optimizer with PyTorch's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum OptimizerConfig {
    /// Adam (Kingma and Ba, 2015) with β 0.9 and 0.999 and ε 1e-8.
    Adam,
    /// Stochastic gradient descent.
    Sgd {
        /// Share of the last step that is kept; 0 is plain gradient descent.
        momentum: f64,
        /// Whether the gradient is taken at the point to which the momentum leads (Nesterov).
        nesterov: bool,
    },
    /// RMSprop (Hinton, 2012) with α 0.99 and ε 1e-8.
    RmsProp {
        /// Share of the last step that is kept.
        momentum: f64,
    },
}

impl OptimizerConfig {
    /// The optimizer, its state empty.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if a momentum is not in [0, 1), the weight decay is negative, or
    /// Nesterov's variant is asked for without momentum.
    pub fn init(&self, weight_decay: f64) -> Result<ModuleOptimizer, TrainError> {
        let in_range = weight_decay >= 0.0 && weight_decay.is_finite();
        require(in_range, "weight decay", weight_decay, "0 or more")?;
        let weight_decay = (weight_decay > 0.0).then_some(weight_decay as f32);
        Ok(match *self {
            Self::Adam => AdamOptions { weight_decay, ..AdamOptions::default() }.init(),
            Self::Sgd { momentum, nesterov } => {
                check_momentum(momentum)?;
                let needs = momentum > 0.0 || !nesterov;
                require(needs, "momentum", momentum, "above 0 for Nesterov's variant")?;
                let velocity = MomentumOptions { momentum, dampening: 0.0, nesterov };
                SgdOptions { momentum: (momentum > 0.0).then_some(velocity), weight_decay }.init()
            }
            Self::RmsProp { momentum } => {
                check_momentum(momentum)?;
                let momentum = momentum as f32;
                RmsPropOptions { momentum, weight_decay, ..RmsPropOptions::default() }.init()
            }
        })
    }
}

fn check_momentum(momentum: f64) -> Result<(), TrainError> {
    require((0.0..1.0).contains(&momentum), "momentum", momentum, "at least 0 and below 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_settings_are_refused() {
        let sgd = |momentum, nesterov| OptimizerConfig::Sgd { momentum, nesterov };
        for (config, decay) in [
            (sgd(1.0, false), 0.0),
            (sgd(-0.1, false), 0.0),
            (sgd(0.0, true), 0.0),
            (sgd(f64::NAN, false), 0.0),
            (OptimizerConfig::RmsProp { momentum: 1.5 }, 0.0),
            (OptimizerConfig::Adam, -1.0),
            (OptimizerConfig::Adam, f64::INFINITY),
        ] {
            assert!(config.init(decay).is_err(), "{config:?}, decay {decay}");
        }
        assert!(sgd(0.9, true).init(1e-4).is_ok());
    }
}
