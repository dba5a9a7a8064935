use serde::{Deserialize, Serialize};

use crate::Metrics;

/// Counts of true class against predicted class.
///
/// Its methods expect a row and a column of counts for each class, and panic otherwise.
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

#[cfg(test)]
mod tests {
    use super::*;

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
