use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use selvedge_data::{Batch, Targets};
use selvedge_kernels::without_tiny_gradients;
use serde::{Deserialize, Serialize};

use super::class_weights::{check_class_weights, on_device, weight_of_labels};
use super::{Loss, check_labels, check_targets};
use crate::TrainError;
use crate::error::require;

/// The cross-entropy of softmax(logits) against the targets, in nats, as PyTorch's `CrossEntropyLoss`.
///
/// With label smoothing s, K classes and class weights w, an image of class y has the loss
/// −(1 − s)·w(y)·ln p(y) − s/K·Σ w(k)·ln p(k). As in PyTorch, the mean of a batch is the sum of these
/// divided by Σ w(y); of soft targets, where each class k has its share q(k) in place of y, it is divided by
/// the number of images.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_data::Targets;
/// use selvedge_train::CrossEntropy;
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::zeros([2, 4], &device);
/// let targets = Targets::Hard(Tensor::from_ints([0, 3], &device));
/// let loss = CrossEntropy::default().mean(logits, &targets)?.into_scalar::<f32>();
/// assert!((loss - 4.0f32.ln()).abs() < 1e-6);
/// # Ok::<(), selvedge_train::TrainError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// Share of the targets that is spread evenly over all classes (Szegedy et al., 2016); at least 0
    /// and below 1.
    pub label_smoothing: f64,
    /// What an image of each class counts for, above 0 each; none, and all count alike. See
    /// [`balanced_class_weights`](crate::balanced_class_weights).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class_weights: Vec<f64>,
}

impl CrossEntropy {
    /// The mean over the batch; `logits` are `[batch, classes]`, the result has one entry.
    ///
    /// # Errors
    ///
    /// [`TrainError::Label`] for a class index that the logits do not have, [`TrainError::Targets`] for
    /// targets of another shape, [`TrainError::Setting`] for a smoothing or a class weight out of range.
    pub fn mean(&self, logits: Tensor<2>, targets: &Targets) -> Result<Tensor<1>, TrainError> {
        let [batch, classes] = logits.dims();
        Loss::check(self, Some(classes))?;
        match targets {
            Targets::Hard(indices) => {
                check_targets(&[batch], &indices.dims())?;
                let indices = indices.clone().into_data();
                let inside = |&index: &i64| usize::try_from(index).is_ok_and(|i| i < classes);
                if let Some(label) = indices.iter::<i64>().find(|index| !inside(index)) {
                    return Err(TrainError::Label { label, classes });
                }
            }
            Targets::Soft(probabilities) => {
                check_targets(&[batch, classes], &probabilities.dims())?
            }
        }
        Ok(self.of_checked(logits, targets))
    }

    fn of_checked(&self, logits: Tensor<2>, targets: &Targets) -> Tensor<1> {
        if let (Targets::Hard(indices), true) = (targets, *self == Self::default()) {
            return selvedge_kernels::cross_entropy(logits, indices.clone());
        }
        let log_probabilities = log_softmax(without_tiny_gradients(logits), 1);
        if !self.class_weights.is_empty() {
            return self.weighted(log_probabilities, targets);
        }
        let on_targets = match targets {
            Targets::Hard(indices) => picked(log_probabilities.clone(), indices.clone()),
            Targets::Soft(probabilities) => {
                (log_probabilities.clone() * probabilities.clone()).sum_dim(1).mean().neg()
            }
        };
        match self.label_smoothing {
            0.0 => on_targets,
            share => on_targets * (1.0 - share) + log_probabilities.mean().neg() * share,
        }
    }

    fn weighted(&self, log_probabilities: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let [images, classes] = log_probabilities.dims();
        let weights = on_device(&self.class_weights, &log_probabilities.device());
        let (on_targets, whole) = match targets {
            Targets::Hard(indices) => {
                let of_images = weights.clone().select(0, indices.clone());
                let picked = log_probabilities.clone().gather(1, indices.clone().unsqueeze_dim(1));
                let picked: Tensor<1> = picked.squeeze_dim(1);
                ((picked * of_images.clone()).sum().neg(), of_images.sum())
            }
            Targets::Soft(probabilities) => {
                let of_classes = probabilities.clone() * weights.clone().unsqueeze();
                let whole = Tensor::full([1], images as f32, &log_probabilities.device());
                ((log_probabilities.clone() * of_classes).sum().neg(), whole)
            }
        };
        let sum = match self.label_smoothing {
            0.0 => on_targets,
            share => {
                let spread = (log_probabilities * weights.unsqueeze()).sum().neg();
                on_targets * (1.0 - share) + spread * (share / classes as f64)
            }
        };
        sum / whole
    }
}

impl Loss for CrossEntropy {
    fn settings(&self) -> Option<toml::Value> {
        toml::Value::try_from(self).ok()
    }

    fn check(&self, classes: Option<usize>) -> Result<(), TrainError> {
        let smoothing = self.label_smoothing;
        let possible = (0.0..1.0).contains(&smoothing);
        require(possible, "label smoothing", smoothing, "at least 0 and below 1")?;
        check_class_weights(&self.class_weights, classes)
    }

    fn of_batch(&self, logits: Tensor<2>, batch: &Batch) -> Result<Tensor<1>, TrainError> {
        check_labels(&logits, batch)?;
        Loss::check(self, Some(logits.dims()[1]))?;
        Ok(self.of_checked(logits, &batch.targets))
    }

    /// Σ w(y), by which the mean of a batch is divided.
    fn weight(&self, batch: &Batch) -> f64 {
        match batch.targets {
            Targets::Hard(_) => weight_of_labels(&self.class_weights, &batch.labels),
            Targets::Soft(_) => batch.len() as f64,
        }
    }
}

/// -log probability of the target class, its mean over the batch.
fn picked(log_probabilities: Tensor<2>, indices: Tensor<1, Int>) -> Tensor<1> {
    log_probabilities.gather(1, indices.unsqueeze_dim(1)).mean().neg()
}

/// [`CrossEntropy`] without label smoothing, its mean over the batch.
///
/// # Errors
///
/// As [`CrossEntropy::mean`].
pub fn cross_entropy(logits: Tensor<2>, targets: &Targets) -> Result<Tensor<1>, TrainError> {
    CrossEntropy::default().mean(logits, targets)
}
