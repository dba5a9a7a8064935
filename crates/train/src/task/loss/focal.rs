use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use selvedge_data::{Batch, Targets};
use selvedge_kernels::without_tiny_gradients;
use serde::{Deserialize, Serialize};

use super::class_weights::{check_class_weights, on_device};
use super::{Loss, check_labels};
use crate::TrainError;
use crate::error::require;

/// Focal loss (Lin et al., 2017), of softmax: −α(y)·(1 − p(y))^γ·ln p(y), in nats, its mean over the
/// images. What is classified well already counts for little, so that many easy images do not drown the
/// few hard ones.
///
/// Of soft targets it is the mean of the classes' losses by their shares. The mean is divided by the
/// number of images, whatever α is, as torchvision's `sigmoid_focal_loss` does, of which it is the form for
/// several classes. With γ = 0 and no α it is the cross-entropy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Focal {
    /// γ, at least 0: 2.
    pub gamma: f64,
    /// α of each class, above 0; none, and all count alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alpha: Vec<f64>,
}

impl Default for Focal {
    /// The paper's γ, and no α.
    fn default() -> Self {
        Self { gamma: 2.0, alpha: Vec::new() }
    }
}

/// 1 − p is at least this, so that for γ below 1 the slope at p = 1, which is infinite there, stays a
/// number.
const LEAST: f64 = 1e-12;

impl Loss for Focal {
    fn settings(&self) -> Option<toml::Value> {
        toml::Value::try_from(self).ok()
    }

    fn check(&self, classes: Option<usize>) -> Result<(), TrainError> {
        let gamma = self.gamma;
        require(gamma >= 0.0 && gamma.is_finite(), "focal loss's gamma", gamma, "0 or more")?;
        check_class_weights(&self.alpha, classes)
    }

    fn of_batch(&self, logits: Tensor<2>, batch: &Batch) -> Result<Tensor<1>, TrainError> {
        check_labels(&logits, batch)?;
        let [images, classes] = logits.dims();
        self.check(Some(classes))?;
        let device = logits.device();
        let log_probabilities = log_softmax(without_tiny_gradients(logits), 1);
        let (logs, shares) = match &batch.targets {
            Targets::Hard(labels) => {
                let picked = log_probabilities.gather(1, labels.clone().unsqueeze_dim(1));
                let alpha = match self.alpha.is_empty() {
                    true => None,
                    false => {
                        let alpha = on_device(&self.alpha, &device).select(0, labels.clone());
                        Some(alpha.unsqueeze_dim(1))
                    }
                };
                (picked, alpha)
            }
            Targets::Soft(shares) => {
                let shares = match self.alpha.is_empty() {
                    true => shares.clone(),
                    false => shares.clone() * on_device(&self.alpha, &device).unsqueeze(),
                };
                (log_probabilities, Some(shares))
            }
        };
        let missing = (logs.clone().exp().neg() + 1.0).clamp_min(LEAST);
        let losses = missing.powf_scalar(self.gamma) * logs;
        let losses = match shares {
            Some(shares) => losses * shares,
            None => losses,
        };
        Ok(losses.sum().neg() / images as f64)
    }
}
