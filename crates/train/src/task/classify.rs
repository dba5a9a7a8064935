use burn::tensor::Tensor;
use selvedge_data::Batch;
use serde::{Deserialize, Serialize};

use super::{CrossEntropy, Task};
use crate::metrics::{predictions, to_host};
use crate::{Metrics, Totals, TrainError};

/// Naming the class of an image: cross-entropy and accuracy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classify {
    /// What is minimised.
    pub loss: CrossEntropy,
}

impl Task for Classify {
    type Score = Metrics;

    fn check(&self) -> Result<(), TrainError> {
        self.loss.check()
    }

    fn settings(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn loss(
        &self,
        outputs: Tensor<2>,
        batch: &Batch,
        classes: usize,
    ) -> Result<Tensor<1>, TrainError> {
        let logits = outputs.dims()[1];
        if logits != classes {
            return Err(TrainError::Classes { logits, classes });
        }
        self.loss.of_batch(outputs, batch)
    }

    fn predictions(&self, outputs: Tensor<2>) -> Vec<usize> {
        let classes = outputs.dims()[1];
        predictions(&to_host(outputs), classes).collect()
    }

    fn score(&self, totals: &Totals) -> Metrics {
        totals.metrics()
    }
}
