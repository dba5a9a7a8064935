//! What is minimised, as values.

mod class_weights;
mod cross_entropy;
mod focal;
mod pixels;

use burn::tensor::Tensor;
use selvedge_data::{Batch, Targets};
use serde::{Deserialize, Serialize};

use crate::TrainError;

pub use class_weights::balanced_class_weights;
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use focal::Focal;
pub use pixels::{PixelLoss, mean_squared_error};

/// What [`Classify`](crate::Classify) and [`Reconstruct`](crate::Reconstruct) minimise: a value of this
/// library, or one of a program's own. A closure is one, too:
///
/// ```
/// use burn::tensor::Tensor;
/// use burn::tensor::activation::softmax;
/// use selvedge_data::{Batch, Targets};
/// use selvedge_train::{Classify, TrainError};
///
/// /// The mean squared error of the probabilities, the Brier score.
/// let task = Classify {
///     loss: |logits: Tensor<2>, batch: &Batch| -> Result<Tensor<1>, TrainError> {
///         let classes = logits.dims()[1];
///         let truth = match &batch.targets {
///             Targets::Hard(labels) => labels.clone().one_hot::<2>(classes).float(),
///             Targets::Soft(probabilities) => probabilities.clone(),
///         };
///         let error = softmax(logits, 1) - truth;
///         Ok((error.clone() * error).sum_dim(1).mean())
///     },
/// };
/// # fn a_task(_: impl selvedge_train::Task) {}
/// # a_task(task);
/// ```
pub trait Loss: Sync {
    /// Refuses settings that are out of range, or that do not fit this number of classes; `None` where
    /// it is not known yet.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`].
    fn check(&self, classes: Option<usize>) -> Result<(), TrainError> {
        let _ = classes;
        Ok(())
    }

    /// The mean over the batch, with one entry; `outputs` are `[batch, values]`.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if the outputs do not fit the batch.
    fn of_batch(&self, outputs: Tensor<2>, batch: &Batch) -> Result<Tensor<1>, TrainError>;

    /// What tells this loss from others, for the settings of a run folder.
    fn settings(&self) -> Option<toml::Value> {
        None
    }

    /// What the batch counts for in the mean over an epoch: what [`of_batch`](Self::of_batch) divided
    /// the batch's sum by, so that the epoch's mean is that of one batch of all images.
    fn weight(&self, batch: &Batch) -> f64 {
        batch.len() as f64
    }
}

impl<F> Loss for F
where
    F: Fn(Tensor<2>, &Batch) -> Result<Tensor<1>, TrainError> + Sync,
{
    fn of_batch(&self, outputs: Tensor<2>, batch: &Batch) -> Result<Tensor<1>, TrainError> {
        self(outputs, batch)
    }
}

/// The losses of classifiers that a file can name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name", deny_unknown_fields)]
pub enum ClassificationLoss {
    /// Cross-entropy, with label smoothing and class weights if asked.
    CrossEntropy(CrossEntropy),
    /// Focal loss.
    Focal(Focal),
}

impl Default for ClassificationLoss {
    /// Plain cross-entropy.
    fn default() -> Self {
        Self::CrossEntropy(CrossEntropy::default())
    }
}

impl From<CrossEntropy> for ClassificationLoss {
    fn from(loss: CrossEntropy) -> Self {
        Self::CrossEntropy(loss)
    }
}

impl From<Focal> for ClassificationLoss {
    fn from(loss: Focal) -> Self {
        Self::Focal(loss)
    }
}

impl ClassificationLoss {
    fn inner(&self) -> &dyn Loss {
        match self {
            Self::CrossEntropy(loss) => loss,
            Self::Focal(loss) => loss,
        }
    }
}

impl Loss for ClassificationLoss {
    fn settings(&self) -> Option<toml::Value> {
        toml::Value::try_from(self).ok()
    }

    fn check(&self, classes: Option<usize>) -> Result<(), TrainError> {
        self.inner().check(classes)
    }

    fn of_batch(&self, outputs: Tensor<2>, batch: &Batch) -> Result<Tensor<1>, TrainError> {
        self.inner().of_batch(outputs, batch)
    }

    fn weight(&self, batch: &Batch) -> f64 {
        self.inner().weight(batch)
    }
}

/// Refuses a batch whose labels or soft targets the logits do not have. Labels are compared on the host,
/// where they are.
fn check_labels(logits: &Tensor<2>, batch: &Batch) -> Result<(), TrainError> {
    let [images, classes] = logits.dims();
    check_targets(&[batch.len()], &[images])?;
    if let Some(&label) = batch.labels.iter().find(|&&label| usize::from(label) >= classes) {
        return Err(TrainError::Label { label: label.into(), classes });
    }
    match &batch.targets {
        Targets::Hard(_) => Ok(()),
        Targets::Soft(shares) => check_targets(&[images, classes], &shares.dims()),
    }
}

fn check_targets(expected: &[usize], found: &[usize]) -> Result<(), TrainError> {
    match expected == found {
        true => Ok(()),
        false => Err(TrainError::Targets { expected: expected.into(), found: found.into() }),
    }
}

#[cfg(test)]
mod tests;
