//! What is measured of a model, and kept of a run.

mod calibration;
mod confusion;
#[cfg(test)]
mod edges;
mod findings;
mod history;
mod predictions;
#[cfg(test)]
mod recorded;
mod scores;
mod threshold;

pub use calibration::{Calibration, CalibrationBin};
pub use confusion::{ConfusionMatrix, Evaluation};
pub use history::{EpochRecord, History};
pub(crate) use history::{csv_header, csv_row};
pub use predictions::{Predictions, Verdict};
pub use scores::{Average, BinaryCounts, ClassScores, ClassificationReport, ConfusedPair};
pub use threshold::{PrecisionRecallCurve, RocCurve};

use std::fmt;

use burn::tensor::Tensor;
use selvedge_data::Batch;
use serde::{Deserialize, Serialize};

/// What is measured in every epoch of a run: [`Metrics`] of a classifier,
/// [`Reconstruction`](crate::Reconstruction) of an autoencoder. Every image counts once.
pub trait Score: Copy + PartialEq + fmt::Debug + fmt::Display {
    /// The names of its values in a table.
    const COLUMNS: &'static [&'static str];

    /// The value that is minimised, and that decides which epoch is best.
    fn loss(&self) -> f64;

    /// Its values in the order of [`COLUMNS`](Self::COLUMNS).
    fn values(&self) -> Vec<f64>;

    /// The score with these values, in the order of [`COLUMNS`](Self::COLUMNS); of as many.
    fn from_values(values: &[f64]) -> Self;

    /// Whether more is better of the value of that name: of none, unless it is written.
    fn higher_is_better(column: &str) -> bool {
        let _ = column;
        false
    }
}

/// Loss and accuracy over a set of images, every image counted once whatever its batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean loss per image, of the loss that is minimised: the cross-entropy in nats unless another is
    /// chosen. With class weights an image counts for the weight of its class.
    pub loss: f64,
    /// Share of images whose highest logit is the right one, between 0 and 1.
    pub accuracy: f64,
    /// Mean of the F1 scores of the classes that occur or are predicted, between 0 and 1: scikit-learn's
    /// `f1_score(average="macro")`. Unlike accuracy it counts a rare class as much as a frequent one.
    #[serde(default)]
    pub macro_f1: f64,
}

impl Score for Metrics {
    const COLUMNS: &'static [&'static str] = &["loss", "accuracy", "macro_f1"];

    fn loss(&self) -> f64 {
        self.loss
    }

    fn values(&self) -> Vec<f64> {
        vec![self.loss, self.accuracy, self.macro_f1]
    }

    fn from_values(values: &[f64]) -> Self {
        Self { loss: values[0], accuracy: values[1], macro_f1: values[2] }
    }

    fn higher_is_better(column: &str) -> bool {
        matches!(column, "accuracy" | "macro_f1")
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}, accuracy {:.2} %", self.loss, 100.0 * self.accuracy)
    }
}

/// Sums over the batches of one pass, every image counted once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// The images so far.
    pub images: usize,
    weight: f64,
    loss: f64,
    right: usize,
    /// Of each class up to the highest that occurred: images of it, those taken for it, and both at once.
    classes: Vec<[u64; 3]>,
}

impl Totals {
    /// Adds a batch with its mean loss and what was predicted of it.
    pub fn add(&mut self, batch: &Batch, mean_loss: f64, predictions: &[usize]) {
        self.add_labels(&batch.labels, batch.len() as f64, mean_loss, predictions);
    }

    /// As [`add`](Self::add), of a batch of which only the labels are left, and which counts for `weight` in the
    /// mean loss, rather than for its images: [`Task::weight`](crate::Task::weight).
    pub(crate) fn add_labels(
        &mut self,
        labels: &[u16],
        weight: f64,
        mean_loss: f64,
        predictions: &[usize],
    ) {
        let mut right = 0;
        for (&predicted, &truth) in predictions.iter().zip(labels) {
            let truth = usize::from(truth);
            if self.classes.len() <= predicted.max(truth) {
                self.classes.resize(predicted.max(truth) + 1, [0; 3]);
            }
            self.classes[truth][0] += 1;
            self.classes[predicted][1] += 1;
            if predicted == truth {
                self.classes[truth][2] += 1;
                right += 1;
            }
        }
        self.add_counts(labels.len(), weight, mean_loss, right);
    }

    /// What was added since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            images: self.images - earlier.images,
            weight: self.weight - earlier.weight,
            loss: self.loss - earlier.loss,
            right: self.right - earlier.right,
            classes: self
                .classes
                .iter()
                .enumerate()
                .map(|(class, counts)| {
                    let before = earlier.classes.get(class).copied().unwrap_or_default();
                    std::array::from_fn(|i| counts[i] - before[i])
                })
                .collect(),
        }
    }

    fn add_counts(&mut self, images: usize, weight: f64, mean_loss: f64, right: usize) {
        self.images += images;
        self.weight += weight;
        self.loss += mean_loss * weight;
        self.right += right;
    }

    /// Mean loss, and the share of images that were predicted rightly.
    pub fn metrics(&self) -> Metrics {
        let images = self.images.max(1) as f64;
        let weight = if self.weight > 0.0 { self.weight } else { 1.0 };
        Metrics {
            loss: self.loss / weight,
            accuracy: self.right as f64 / images,
            macro_f1: self.macro_f1(),
        }
    }

    fn macro_f1(&self) -> f64 {
        let (mut sum, mut classes) = (0.0, 0usize);
        for &[truth, predicted, both] in &self.classes {
            if truth + predicted > 0 {
                sum += 2.0 * both as f64 / (truth + predicted) as f64;
                classes += 1;
            }
        }
        sum / classes.max(1) as f64
    }
}

/// A tensor's values on the host, row by row.
pub(crate) fn to_host(values: Tensor<2>) -> Vec<f32> {
    values.into_data().try_to_vec_as().expect("outputs of a model are floats")
}

/// The index of the highest logit of each row of `width`; the first of equal ones, as in PyTorch.
pub(crate) fn predictions(logits: &[f32], width: usize) -> impl Iterator<Item = usize> + '_ {
    logits.chunks_exact(width).map(|row| {
        let mut best = 0;
        for (i, value) in row.iter().enumerate() {
            if *value > row[best] {
                best = i;
            }
        }
        best
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_last_batch_counts_by_its_images() {
        let mut totals = Totals::default();
        totals.add_counts(100, 100.0, 1.0, 50);
        totals.add_counts(20, 20.0, 4.0, 20);
        // (100 · 1 + 20 · 4) / 120 and 70 / 120
        let Metrics { loss, accuracy, .. } = totals.metrics();
        assert!((loss - 1.5).abs() < 1e-12 && (accuracy - 70.0 / 120.0).abs() < 1e-12);
    }

    #[test]
    fn macro_f1_is_that_of_scikit_learn() {
        // sklearn.metrics.f1_score([0, 0, 0, 0, 1, 1, 3], [0, 0, 0, 1, 1, 2, 3], average="macro")
        let mut totals = Totals::default();
        totals.add_labels(&[0, 0, 0, 0], 4.0, 1.0, &[0, 0, 0, 1]);
        let first = totals.clone();
        totals.add_labels(&[1, 1, 3], 3.0, 1.0, &[1, 2, 3]);
        assert!((totals.metrics().macro_f1 - 0.589_285_714_285_714_3).abs() < 1e-15);
        // Of the second batch alone: classes 1, 2 and 3 with 2/3, 0 and 1.
        assert!((totals.since(&first).metrics().macro_f1 - 5.0 / 9.0).abs() < 1e-15);
        assert_eq!(Totals::default().metrics().macro_f1, 0.0);
    }

    #[test]
    fn equal_logits_are_won_by_the_first_class() {
        let found: Vec<usize> = predictions(&[1.0, 1.0, 0.0, 0.0, 2.0, 2.0], 3).collect();
        assert_eq!(found, [0, 1]);
    }
}
