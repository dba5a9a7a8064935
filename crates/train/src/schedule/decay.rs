use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{OneCycle, Plateau};

/// What happens to the learning rate after the warm-up: a factor of the base rate, epochs t counted from
/// the end of the warm-up, and T of them left there.
///
/// Least values (`min_factor`, `end_factor`) are factors of the base rate, too, not rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name", deny_unknown_fields)]
pub enum Decay {
    /// 1 throughout.
    // Braces, because settings that do not exist are refused of a variant that could have some.
    Constant {},
    /// gamma^⌊t / step_size⌋: PyTorch's `StepLR`.
    Step {
        /// Epochs between two changes, at least 1.
        step_size: usize,
        /// The factor of each change, above 0 and at most 1: 0.1.
        #[serde(default = "tenth")]
        gamma: f64,
    },
    /// gamma to the number of milestones so far: PyTorch's `MultiStepLR`.
    MultiStep {
        /// The epochs t at which the rate changes, in rising order.
        milestones: Vec<usize>,
        /// The factor of each change, above 0 and at most 1: 0.1.
        #[serde(default = "tenth")]
        gamma: f64,
    },
    /// gamma^t: PyTorch's `ExponentialLR`.
    Exponential {
        /// The factor of an epoch, above 0 and at most 1.
        gamma: f64,
    },
    /// m + (1 − m)(1 + cos(πt/T))/2: PyTorch's `CosineAnnealingLR` with `T_max` = T (Loshchilov and
    /// Hutter, 2017). Moved once an epoch, it is above m in the last epoch, as in PyTorch.
    Cosine {
        /// m, at least 0 and at most 1: 0.
        #[serde(default)]
        min_factor: f64,
    },
    /// As [`Cosine`](Self::Cosine), over T₀ epochs, then again over T₀·k, T₀·k², …: PyTorch's
    /// `CosineAnnealingWarmRestarts`.
    CosineRestarts {
        /// T₀, the epochs of the first cycle, at least 1.
        t_0: usize,
        /// k, at least 1: 1.
        #[serde(default = "one")]
        t_mult: usize,
        /// As in [`Cosine`](Self::Cosine): 0.
        #[serde(default)]
        min_factor: f64,
    },
    /// 1 + (e − 1)·t/T: PyTorch's `LinearLR` with `start_factor` 1, `end_factor` e and `total_iters` T.
    Linear {
        /// e, at least 0 and at most 1: 0.
        #[serde(default)]
        end_factor: f64,
    },
    /// (1 − t/T)^power: PyTorch's `PolynomialLR` with `total_iters` T.
    Polynomial {
        /// Above 0: 1.
        #[serde(default = "whole")]
        power: f64,
    },
    /// Up and down once, moved with every step.
    OneCycle(OneCycle),
    /// Lower whenever a monitored value no longer improves.
    Plateau(Plateau),
}

fn tenth() -> f64 {
    0.1
}

fn whole() -> f64 {
    1.0
}

fn one() -> usize {
    1
}

impl Decay {
    /// The factor after so many epochs of `total`, of what depends on these alone.
    pub(super) fn factor(&self, epochs: f64, total: f64) -> f64 {
        let share = if total > 0.0 { (epochs / total).clamp(0.0, 1.0) } else { 1.0 };
        match self {
            Self::Constant {} | Self::OneCycle(_) | Self::Plateau(_) => 1.0,
            Self::Step { step_size, gamma } => gamma.powf((epochs / *step_size as f64).floor()),
            Self::MultiStep { milestones, gamma } => {
                let passed = milestones.iter().filter(|m| **m as f64 <= epochs).count();
                gamma.powf(passed as f64)
            }
            Self::Exponential { gamma } => gamma.powf(epochs),
            Self::Cosine { min_factor } => half_cosine(share, 1.0, *min_factor),
            Self::CosineRestarts { t_0, t_mult, min_factor } => {
                half_cosine(share_of_cycle(epochs, *t_0, *t_mult), 1.0, *min_factor)
            }
            Self::Linear { end_factor } => 1.0 + (end_factor - 1.0) * share,
            Self::Polynomial { power } => (1.0 - share).powf(*power),
        }
    }
}

/// From `start` to `end` along half a cosine.
pub(super) fn half_cosine(share: f64, start: f64, end: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (PI * share).cos())
}

/// How much of the present cycle is over, at least 0 and below 1.
fn share_of_cycle(epochs: f64, t_0: usize, t_mult: usize) -> f64 {
    let first = t_0.max(1) as f64;
    if t_mult <= 1 {
        return (epochs / first).fract();
    }
    let (mut start, mut length) = (0.0, first);
    while epochs >= start + length {
        start += length;
        length *= t_mult as f64;
    }
    (epochs - start) / length
}
