use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use selvedge_data::Batch;
use serde::{Deserialize, Serialize};

use super::{Loss, check_targets};
use crate::TrainError;

/// How a reconstruction is compared with the image: the mean over all values of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelLoss {
    /// The mean squared error, as PyTorch's `MSELoss`.
    #[default]
    Mse,
    /// The binary cross-entropy, in nats, as PyTorch's `BCELoss`: the outputs are probabilities, the
    /// model's last layer a sigmoid, and the pixels 0 to 1
    /// ([`Normalization::unit`](selvedge_data::Normalization::unit)).
    ///
    /// A logarithm is at least −100. An output outside 0 to 1 gives a loss that is not a number. Where
    /// it can be chosen, [`BinaryCrossEntropyWithLogits`](Self::BinaryCrossEntropyWithLogits) is more
    /// exact.
    BinaryCrossEntropy,
    /// The same of outputs before the sigmoid, as PyTorch's `BCEWithLogitsLoss`.
    BinaryCrossEntropyWithLogits,
}

impl PixelLoss {
    /// The mean over all values; `outputs` and `targets` are `[batch, values]`, the result has one entry.
    ///
    /// # Errors
    ///
    /// [`TrainError::Targets`] if the two are of different shapes.
    pub fn mean(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Result<Tensor<1>, TrainError> {
        check_targets(&outputs.dims(), &targets.dims())?;
        Ok(match self {
            Self::Mse => selvedge_kernels::mean_squared_error(outputs, targets),
            Self::BinaryCrossEntropy => {
                let absent = targets.clone().neg() + 1.0;
                let complement = outputs.clone().neg() + 1.0;
                (targets * bounded_log(outputs) + absent * bounded_log(complement)).mean().neg()
            }
            // −z·ln σ(x) − (1 − z)·ln σ(−x), and ln σ(−x) is ln σ(x) − x.
            Self::BinaryCrossEntropyWithLogits => {
                let absent = targets.neg() + 1.0;
                (absent * outputs.clone() - log_sigmoid(outputs)).mean()
            }
        })
    }

    /// Whether the pixels must lie within 0 to 1.
    pub(in crate::task) fn takes_probabilities(&self) -> bool {
        *self != Self::Mse
    }
}

/// The logarithm, and -100 of 0, with a slope of 0 there. PyTorch's slope is large but finite, and
/// becomes 0 in the sigmoid before.
fn bounded_log(values: Tensor<2>) -> Tensor<2> {
    // The inverse of a smaller number, which is the slope, can be infinite. Negative numbers are left to
    // the logarithm, which is not a number.
    let nothing = values.clone().abs().lower_elem(f32::MIN_POSITIVE);
    let positive = values.mask_fill(nothing.clone(), 1.0);
    positive.log().mask_fill(nothing, -100.0)
}

impl Loss for PixelLoss {
    fn settings(&self) -> Option<toml::Value> {
        toml::Value::try_from(self).ok()
    }

    /// Compares the outputs with the images of the batch, as they were before noise was added to them.
    fn of_batch(&self, outputs: Tensor<2>, batch: &Batch) -> Result<Tensor<1>, TrainError> {
        let images = batch.clean.as_ref().unwrap_or(&batch.images);
        self.mean(outputs, images.clone().flatten(1, 3))
    }
}

/// The mean squared error of all values of a batch, as PyTorch's `MSELoss`; the result has one entry.
///
/// # Errors
///
/// [`TrainError::Targets`] if the two are of different shapes.
pub fn mean_squared_error(outputs: Tensor<2>, targets: Tensor<2>) -> Result<Tensor<1>, TrainError> {
    PixelLoss::Mse.mean(outputs, targets)
}
