use std::fmt;

use selvedge_data::Batch;
use serde::{Deserialize, Serialize};

/// What is measured in every epoch of a run: [`Metrics`] of a classifier,
/// [`Reconstruction`](crate::Reconstruction) of an autoencoder. Every image counts once.
pub trait Score: Copy + PartialEq + fmt::Debug + fmt::Display {
    /// The names of its numbers in a table.
    const COLUMNS: &'static [&'static str];

    /// The number that is minimised, and that decides which epoch is best.
    fn loss(&self) -> f64;

    /// Its numbers in the order of [`COLUMNS`](Self::COLUMNS).
    fn values(&self) -> Vec<f64>;
}

/// Loss and accuracy over a set of images, every image counted once whatever its batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean cross-entropy per image, in nats.
    pub loss: f64,
    /// Share of images whose highest logit is the right one, between 0 and 1.
    pub accuracy: f64,
}

impl Score for Metrics {
    const COLUMNS: &'static [&'static str] = &["loss", "accuracy"];

    fn loss(&self) -> f64 {
        self.loss
    }

    fn values(&self) -> Vec<f64> {
        vec![self.loss, self.accuracy]
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}, accuracy {:.2} %", self.loss, 100.0 * self.accuracy)
    }
}

/// Counts of true class against predicted class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// `counts[true][predicted]`
    pub counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    /// A matrix of zeros.
    pub fn new(classes: &[String]) -> Self {
        Self { classes: classes.to_vec(), counts: vec![vec![0; classes.len()]; classes.len()] }
    }

    /// Counts one image.
    ///
    /// # Panics
    ///
    /// Panics if a class is not below the number of classes.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        self.counts[truth][predicted] += 1;
    }

    /// How many images were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Share of images on the diagonal, between 0 and 1; 0 if none was counted.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.counts.len()).map(|i| self.counts[i][i]).sum();
        right as f64 / self.total().max(1) as f64
    }
}

/// What a classifier does on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Loss and accuracy.
    pub metrics: Metrics,
    /// Which class was taken for which.
    pub confusion: ConfusionMatrix,
}

/// Sums over the batches of one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub images: usize,
    loss: f64,
    right: usize,
}

impl Totals {
    /// Adds a batch with its mean loss and what was predicted of it.
    pub fn add(&mut self, batch: &Batch, mean_loss: f64, predictions: &[usize]) {
        let hits = predictions.iter().zip(&batch.targets);
        let right = hits.filter(|(predicted, truth)| **predicted == usize::from(**truth)).count();
        self.add_counts(batch.len(), mean_loss, right);
    }

    fn add_counts(&mut self, images: usize, mean_loss: f64, right: usize) {
        self.images += images;
        self.loss += mean_loss * images as f64;
        self.right += right;
    }

    pub fn metrics(&self) -> Metrics {
        let n = self.images.max(1) as f64;
        Metrics { loss: self.loss / n, accuracy: self.right as f64 / n }
    }
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
        totals.add_counts(100, 1.0, 50);
        totals.add_counts(20, 4.0, 20);
        // (100 · 1 + 20 · 4) / 120 and 70 / 120
        let Metrics { loss, accuracy } = totals.metrics();
        assert!((loss - 1.5).abs() < 1e-12 && (accuracy - 70.0 / 120.0).abs() < 1e-12);
    }

    #[test]
    fn equal_logits_are_won_by_the_first_class() {
        let found: Vec<usize> = predictions(&[1.0, 1.0, 0.0, 0.0, 2.0, 2.0], 3).collect();
        assert_eq!(found, [0, 1]);
    }

    #[test]
    fn accuracy_is_the_share_on_the_diagonal() {
        let mut matrix = ConfusionMatrix::new(&["a".into(), "b".into()]);
        for (truth, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
            matrix.add(truth, predicted);
        }
        assert_eq!(matrix.counts, [[1, 1], [0, 2]]);
        assert_eq!(matrix.accuracy(), 0.75);
    }
}
