use burn::tensor::Tensor;
use selvedge_data::{Batch, BatchSource};
use serde::{Deserialize, Serialize};

use super::{ClassificationLoss, Loss, Task};
use crate::metrics::{predictions, to_host};
use crate::{Metrics, Totals, TrainError};

/// Naming the class of an image: a loss, which is the cross-entropy unless another is chosen, and
/// accuracy.
///
/// The loss that is reported, also of validation images, is the one that is minimised.
///
/// ```
/// use selvedge_train::{Classify, CrossEntropy, Focal};
///
/// let plain = Classify::default();
/// let smoothed =
///     Classify { loss: CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() } };
/// let focal = Classify { loss: Focal { gamma: 1.0, ..Focal::default() } };
/// // From a file; `Classify` alone is that of any loss that a file can name.
/// let read: Classify = serde_json::from_str(r#"{"loss": {"name": "focal", "gamma": 1.0}}"#).unwrap();
/// assert_eq!(read.loss, focal.loss.into());
/// # let _ = (plain, smoothed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classify<L = ClassificationLoss> {
    /// What is minimised.
    pub loss: L,
}

impl Default for Classify {
    /// Plain cross-entropy.
    fn default() -> Self {
        Self { loss: ClassificationLoss::default() }
    }
}

/// No classifier that learns is further off, in nats: its logits would be as far apart.
const HOPELESS: f64 = 1e9;

impl<L: Loss> Task for Classify<L> {
    type Score = Metrics;

    fn check(&self) -> Result<(), TrainError> {
        self.loss.check(None)
    }

    fn check_data(&self, source: &dyn BatchSource) -> Result<(), TrainError> {
        self.loss.check(Some(source.classes().len()))
    }

    fn settings(&self) -> toml::Table {
        self.loss.settings().map(|loss| ("loss".to_string(), loss)).into_iter().collect()
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

    fn weight(&self, batch: &Batch) -> f64 {
        self.loss.weight(batch)
    }

    fn diverged(&self, loss: f64) -> bool {
        loss.is_nan() || loss.abs() >= HOPELESS
    }

    fn predictions(&self, outputs: Tensor<2>) -> Vec<usize> {
        let classes = outputs.dims()[1];
        predictions(&to_host(outputs), classes).collect()
    }

    fn score(&self, totals: &Totals) -> Metrics {
        totals.metrics()
    }
}
