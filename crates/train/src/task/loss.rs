//! What is minimised, as values.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use selvedge_data::{Batch, Targets};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::error::require;

/// The cross-entropy of softmax(logits) against the targets, in nats, as PyTorch's `CrossEntropyLoss`.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// Share of the targets that is spread evenly over all classes (Szegedy et al., 2016); at least 0
    /// and below 1.
    pub label_smoothing: f64,
}

impl CrossEntropy {
    /// The mean over the batch; `logits` are `[batch, classes]`, the result has one entry.
    ///
    /// # Errors
    ///
    /// [`TrainError::Label`] for a class index that the logits do not have, [`TrainError::Targets`] for
    /// targets of another shape, [`TrainError::Setting`] for a smoothing out of range.
    pub fn mean(&self, logits: Tensor<2>, targets: &Targets) -> Result<Tensor<1>, TrainError> {
        self.check()?;
        let [batch, classes] = logits.dims();
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

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let smoothing = self.label_smoothing;
        let possible = (0.0..1.0).contains(&smoothing);
        require(possible, "label smoothing", smoothing, "at least 0 and below 1")
    }

    /// The mean over a batch whose labels are compared with the classes on the host, where they are.
    pub(super) fn of_batch(
        &self,
        logits: Tensor<2>,
        batch: &Batch,
    ) -> Result<Tensor<1>, TrainError> {
        let [images, classes] = logits.dims();
        check_targets(&[batch.len()], &[images])?;
        if let Some(&label) = batch.labels.iter().find(|&&label| usize::from(label) >= classes) {
            return Err(TrainError::Label { label: label.into(), classes });
        }
        if let Targets::Soft(probabilities) = &batch.targets {
            check_targets(&[images, classes], &probabilities.dims())?;
        }
        Ok(self.of_checked(logits, &batch.targets))
    }

    fn of_checked(&self, logits: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let log_probabilities = log_softmax(logits, 1);
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
}

/// -log probability of the target class, its mean over the batch.
fn picked(log_probabilities: Tensor<2>, indices: Tensor<1, Int>) -> Tensor<1> {
    log_probabilities.gather(1, indices.unsqueeze_dim(1)).mean().neg()
}

fn check_targets(expected: &[usize], found: &[usize]) -> Result<(), TrainError> {
    match expected == found {
        true => Ok(()),
        false => Err(TrainError::Targets { expected: expected.into(), found: found.into() }),
    }
}

/// [`CrossEntropy`] without label smoothing, its mean over the batch.
///
/// # Errors
///
/// As [`CrossEntropy::mean`].
pub fn cross_entropy(logits: Tensor<2>, targets: &Targets) -> Result<Tensor<1>, TrainError> {
    CrossEntropy::default().mean(logits, targets)
}

/// The mean squared error of all values of a batch, as PyTorch's `MSELoss`; the result has one entry.
///
/// # Errors
///
/// [`TrainError::Targets`] if the two are of different shapes.
pub fn mean_squared_error(outputs: Tensor<2>, targets: Tensor<2>) -> Result<Tensor<1>, TrainError> {
    check_targets(&outputs.dims(), &targets.dims())?;
    let error = outputs - targets;
    Ok((error.clone() * error).mean())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn logits() -> Tensor<2> {
        let values = [[1.0f32, 2.0, 3.0], [0.5, -1.0, 0.0]];
        Tensor::from_data(TensorData::from(values), &Device::flex())
    }

    fn hard(labels: [i32; 2]) -> Targets {
        Targets::Hard(Tensor::from_ints(labels, &Device::flex()))
    }

    fn value(loss: CrossEntropy, targets: &Targets) -> f32 {
        loss.mean(logits(), targets).unwrap().into_scalar::<f32>()
    }

    #[test]
    fn hard_soft_and_smoothed_targets_give_pytorchs_losses() {
        // torch.nn.functional.cross_entropy(tensor([[1, 2, 3], [.5, -1, 0]]), targets, label_smoothing=s)
        let device = Device::flex();
        let soft = [[0.2f32, 0.3, 0.5], [1.0, 0.0, 0.0]];
        let soft = Targets::Soft(Tensor::from_data(TensorData::from(soft), &device));
        for (smoothing, targets, expected) in [
            (0.0, hard([2, 0]), 0.505_868_3),
            (0.1, hard([2, 0]), 0.589_201_6),
            (0.0, soft.clone(), 0.855_868_3),
            (0.1, soft, 0.904_201_6),
        ] {
            let found = value(CrossEntropy { label_smoothing: smoothing }, &targets);
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }

    #[test]
    fn targets_that_the_logits_do_not_have_are_refused() {
        let message = |targets| cross_entropy(logits(), &targets).unwrap_err().to_string();
        assert_eq!(message(hard([0, 3])), "label 3 is not one of the 3 classes of the logits");
        assert_eq!(message(hard([-1, 0])), "label -1 is not one of the 3 classes of the logits");
        let three = Targets::Hard(Tensor::from_ints([0, 1, 2], &Device::flex()));
        assert_eq!(message(three), "the targets are of shape [3], expected [2]");
        let soft = Targets::Soft(Tensor::zeros([2, 4], &Device::flex()));
        assert_eq!(message(soft), "the targets are of shape [2, 4], expected [2, 3]");
        let error = CrossEntropy { label_smoothing: 1.0 }.mean(logits(), &hard([0, 1]));
        assert!(matches!(error, Err(TrainError::Setting { .. })));
    }
}
