//! Which optimizer trains a model, and with what settings.

mod build;
mod lookahead;
mod muon;
#[cfg(test)]
mod tests;

pub use lookahead::Lookahead;

use serde::{Deserialize, Serialize};

/// An optimizer. What is left out of its settings is PyTorch's default, or that of the paper's authors
/// where PyTorch does not have the optimizer. Their names are those of `--opt` in torchvision's reference
/// scripts: `adam`, `adamw`, `sgd`, `rmsprop`; `adagrad`, `adafactor`, `adan`, `lamb`, `lion` and `muon`
/// follow them.
///
/// Adam, AdamW, SGD and RMSprop are [`selvedge_kernels`]'s, one pass over memory; the others are
/// [`burn::optim`]'s. Every one is held to its definition in `f64` over 200 steps. What each makes of a
/// weight decay λ:
///
/// | | |
/// |---|---|
/// | `adam`, `sgd`, `rmsprop`, `adagrad` | λ times the parameter is added to the gradient: λ‖p‖²/2 in the loss |
/// | `adamw`, `lion`, `muon`, `adafactor` | the parameter shrinks by learning rate times λ in every step (decoupled) |
/// | `adan` | the same, but the parameter is divided by 1 + learning rate · λ after the step |
/// | `lamb` | λ times the parameter is added to Adam's step, before it is scaled by the norms |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "name", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Adam (Kingma and Ba 2015, arXiv:1412.6980).
    Adam {
        /// Decay of the mean of the gradients and of their squares, each at least 0 and below 1: 0.9
        /// and 0.999.
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Added to the root of the mean square, above 0: 1e-8.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101). PyTorch's
    /// weight decay for it is 0.01; here it is 0, as for all, unless it is set.
    AdamW {
        /// Decay of the mean of the gradients and of their squares, each at least 0 and below 1: 0.9
        /// and 0.999.
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Added to the root of the mean square, above 0: 1e-8.
        #[serde(default = "epsilon")]
        epsilon: f64,
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
    /// RMSprop (Hinton, 2012). In files `rms_prop` is read, too.
    #[serde(alias = "rms_prop")]
    RmsProp {
        /// Decay of the mean of the squared gradients, at least 0 and below 1: 0.99.
        #[serde(default = "alpha")]
        alpha: f64,
        /// Share of the last step that is kept, at least 0 and below 1: 0.
        #[serde(default)]
        momentum: f64,
        /// Added to the root of the mean square, above 0: 1e-8.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// AdaGrad (Duchi, Hazan and Singer, 2011).
    AdaGrad {
        /// The learning rate of step t is divided by 1 + (t − 1) times this, at least 0: 0.
        #[serde(default)]
        lr_decay: f64,
        /// Added to the root of the sum of squares, above 0: 1e-10.
        #[serde(default = "adagrad_epsilon")]
        epsilon: f64,
    },
    /// Adafactor (Shazeer and Stern 2018, arXiv:1804.04235): mean squares of rows and columns only. The
    /// learning rate is a share of the root mean square of the parameter, and at most 1/√t in step t, as
    /// in PyTorch.
    AdaFactor {
        /// In step t the mean of the squares decays by 1 − t to this power, below 0: −0.8.
        #[serde(default = "beta2_decay")]
        beta2_decay: f64,
        /// Largest root mean square of a step before its learning rate, above 0 (PyTorch's `d`): 1.
        #[serde(default = "one")]
        clip_threshold: f64,
    },
    /// Adan (Xie et al. 2022, arXiv:2208.06677).
    Adan {
        /// Decay of the means of the gradients, of their differences and of the squares, each at least 0
        /// and below 1: 0.98, 0.92 and 0.99.
        #[serde(default = "adan_betas")]
        betas: [f64; 3],
        /// Added to the root of the mean square, above 0: 1e-8.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// LAMB: Adam's steps, each as long as a share of its parameter (You et al. 2020, arXiv:1904.00962).
    Lamb {
        /// Decay of the mean of the gradients and of their squares, each at least 0 and below 1: 0.9
        /// and 0.999.
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Added to the root of the mean square, above 0: 1e-6.
        #[serde(default = "lamb_epsilon")]
        epsilon: f64,
    },
    /// Lion: the sign of a mean gradient is the step (Chen et al. 2023, arXiv:2302.06675). It wants a
    /// learning rate three to ten times smaller than Adam's, and so much more weight decay.
    Lion {
        /// Share of the mean in the step, and decay of the mean, each at least 0 and below 1: 0.9 and 0.99.
        #[serde(default = "lion_betas")]
        betas: [f64; 2],
    },
    /// Muon: steps of matrices are orthogonalized (Jordan et al., 2024), for all weights: matrices, and
    /// kernels of convolutions as matrices `[out, in · height · width]`. Biases and the parameters of
    /// norms are trained by AdamW with betas 0.9 and 0.95, as by Muon's authors; they would train the last
    /// layer so, too, which cannot be told from the others here.
    ///
    /// A step is scaled by 0.2 √max(rows, columns) (Liu et al. 2025, arXiv:2502.16982; `match_rms_adamw` in
    /// PyTorch), so that the learning rate and the weight decay are those of AdamW for all parameters.
    Muon {
        /// Share of the last step that is kept, at least 0 and below 1: 0.95.
        #[serde(default = "muon_momentum")]
        momentum: f64,
        /// Whether the gradient is taken at the point to which the momentum leads (Nesterov): yes.
        #[serde(default = "yes")]
        nesterov: bool,
    },
}

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
const ALPHA: f64 = 0.99;

fn betas() -> [f64; 2] {
    BETAS
}

fn epsilon() -> f64 {
    EPSILON
}

fn alpha() -> f64 {
    ALPHA
}

fn adagrad_epsilon() -> f64 {
    1e-10
}

fn lamb_epsilon() -> f64 {
    1e-6
}

fn beta2_decay() -> f64 {
    -0.8
}

fn one() -> f64 {
    1.0
}

fn adan_betas() -> [f64; 3] {
    [0.98, 0.92, 0.99]
}

fn lion_betas() -> [f64; 2] {
    [0.9, 0.99]
}

fn muon_momentum() -> f64 {
    0.95
}

fn yes() -> bool {
    true
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

    /// AdamW with PyTorch's constants, but for the weight decay, which is set apart.
    pub const fn adamw() -> Self {
        Self::AdamW { betas: BETAS, epsilon: EPSILON }
    }

    /// Stochastic gradient descent with this momentum; 0 is plain gradient descent.
    pub const fn sgd(momentum: f64) -> Self {
        Self::Sgd { momentum, nesterov: false }
    }

    /// RMSprop with PyTorch's constants and this momentum.
    pub const fn rms_prop(momentum: f64) -> Self {
        Self::RmsProp { alpha: ALPHA, momentum, epsilon: EPSILON }
    }

    /// AdaGrad with PyTorch's constants.
    pub fn adagrad() -> Self {
        Self::AdaGrad { lr_decay: 0.0, epsilon: adagrad_epsilon() }
    }

    /// Adafactor with PyTorch's constants.
    pub fn adafactor() -> Self {
        Self::AdaFactor { beta2_decay: beta2_decay(), clip_threshold: 1.0 }
    }

    /// Adan with its authors' constants.
    pub fn adan() -> Self {
        Self::Adan { betas: adan_betas(), epsilon: EPSILON }
    }

    /// LAMB with its authors' constants.
    pub fn lamb() -> Self {
        Self::Lamb { betas: BETAS, epsilon: lamb_epsilon() }
    }

    /// Lion with its authors' constants.
    pub fn lion() -> Self {
        Self::Lion { betas: lion_betas() }
    }

    /// Muon with its authors' constants.
    pub fn muon() -> Self {
        Self::Muon { momentum: muon_momentum(), nesterov: true }
    }
}
