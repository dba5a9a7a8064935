use burn::tensor::Tensor;
use selvedge_data::{Batch, BatchSource};
use serde::{Deserialize, Serialize};

use super::{Loss, PixelLoss, Task};
use crate::error::require;
use crate::{Score, Totals, TrainError};

/// Reconstructing the input: the mean squared error of its values, unless another loss is chosen.
///
/// ```
/// use selvedge_train::{PixelLoss, Reconstruct};
///
/// let task = Reconstruct { loss: PixelLoss::BinaryCrossEntropyWithLogits };
/// # let _ = task;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reconstruct {
    /// What is minimised.
    pub loss: PixelLoss,
}

impl Task for Reconstruct {
    type Score = Reconstruction;

    fn settings(&self) -> toml::Table {
        self.loss.settings().map(|loss| ("loss".to_string(), loss)).into_iter().collect()
    }

    /// Reads the first batch where the loss takes pixels of 0 to 1 alone.
    fn check_data(&self, source: &dyn BatchSource) -> Result<(), TrainError> {
        if !self.loss.takes_probabilities() {
            return Ok(());
        }
        let Some(batch) = source.batches(0).next() else { return Ok(()) };
        let pixels = batch?.images.into_data();
        let outside = pixels.iter::<f32>().find(|value| !(0.0..=1.0).contains(value));
        let expected = "from 0 to 1 for binary cross-entropy, as Normalization::unit() makes it";
        require(outside.is_none(), "pixel", outside.unwrap_or_default(), expected)
    }

    fn loss(&self, outputs: Tensor<2>, batch: &Batch, _: usize) -> Result<Tensor<1>, TrainError> {
        let [_, channels, height, width] = batch.images.dims();
        let (outputs_len, pixels) = (outputs.dims()[1], channels * height * width);
        if outputs_len != pixels {
            return Err(TrainError::Pixels { outputs: outputs_len, pixels });
        }
        self.loss.of_batch(outputs, batch)
    }

    fn predictions(&self, _: Tensor<2>) -> Vec<usize> {
        Vec::new()
    }

    fn score(&self, totals: &Totals) -> Reconstruction {
        Reconstruction { loss: totals.metrics().loss }
    }
}

/// How well images are reconstructed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reconstruction {
    /// The mean of the loss over all pixels: of the squared error in the units of the normalized pixels,
    /// or of the binary cross-entropy in nats.
    pub loss: f64,
}

impl Score for Reconstruction {
    const COLUMNS: &'static [&'static str] = &["loss"];

    fn loss(&self) -> f64 {
        self.loss
    }

    fn values(&self) -> Vec<f64> {
        vec![self.loss]
    }

    fn from_values(values: &[f64]) -> Self {
        Self { loss: values[0] }
    }
}

impl std::fmt::Display for Reconstruction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "loss {:.6}", self.loss)
    }
}
