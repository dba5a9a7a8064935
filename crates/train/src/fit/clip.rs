use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::error::require;

/// How gradients are kept small: a single batch of bad luck then cannot ruin the weights (Pascanu,
/// Mikolov and Bengio, 2013).
///
/// ```
/// use selvedge_train::{Clip, FitConfig};
///
/// let config = FitConfig { clip: Some(Clip::Norm(1.0)), ..FitConfig::default() };
/// config.check()?;
/// # Ok::<(), selvedge_train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// Scales all gradients together so that the norm of all of them, taken as one vector, is at most this:
    /// PyTorch's `clip_grad_norm_`.
    Norm(f64),
    /// Brings each value between minus this and this: PyTorch's `clip_grad_value_`.
    Value(f64),
}

impl Clip {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let (name, most) = match *self {
            Self::Norm(most) => ("norm of clipped gradients", most),
            Self::Value(most) => ("value of clipped gradients", most),
        };
        require(most > 0.0 && most.is_finite(), name, most, "above 0")
    }
}
