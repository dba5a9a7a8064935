use burn::tensor::Tensor;
use selvedge_data::Batch;
use serde::{Deserialize, Serialize};

use super::{Task, mean_squared_error};
use crate::{Score, Totals, TrainError};

/// Reconstructing the input: the mean squared error of its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconstruct;

impl Task for Reconstruct {
    type Score = Reconstruction;

    fn loss(&self, outputs: Tensor<2>, batch: &Batch, _: usize) -> Result<Tensor<1>, TrainError> {
        let inputs: Tensor<2> = batch.images.clone().flatten(1, 3);
        let (outputs_len, pixels) = (outputs.dims()[1], inputs.dims()[1]);
        if outputs_len != pixels {
            return Err(TrainError::Pixels { outputs: outputs_len, pixels });
        }
        mean_squared_error(outputs, inputs)
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
    /// Mean squared error of a pixel, in the units of the normalized pixels.
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
        write!(f, "mean squared error {:.6}", self.loss)
    }
}
