use serde::{Deserialize, Serialize};

use crate::Metrics;

/// One epoch of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Averages over the epoch's training batches, measured while the weights changed.
    pub train: Metrics,
    /// Measured after the epoch, without dropout.
    pub validation: Metrics,
    /// Seconds for the epoch, validation included.
    pub seconds: f64,
}

/// What happened in a run, epoch by epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The epochs in their order.
    pub epochs: Vec<EpochRecord>,
}

impl History {
    /// The epoch of lowest finite validation loss, the earlier of equal ones; `None` if there is none.
    pub fn best(&self) -> Option<&EpochRecord> {
        let by_loss =
            |a: &&EpochRecord, b: &&EpochRecord| a.validation.loss.total_cmp(&b.validation.loss);
        self.epochs.iter().filter(|e| e.validation.loss.is_finite()).min_by(by_loss)
    }

    /// A table with a header: epoch, losses, accuracies and seconds, separated by commas.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from(
            "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds\n",
        );
        for e in &self.epochs {
            csv += &format!(
                "{},{:.6},{:.6},{:.6},{:.6},{:.3}\n",
                e.epoch,
                e.train.loss,
                e.train.accuracy,
                e.validation.loss,
                e.validation.accuracy,
                e.seconds
            );
        }
        csv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(losses: &[f64]) -> History {
        let epoch = |(i, &loss): (usize, &f64)| EpochRecord {
            epoch: i + 1,
            train: Metrics { loss: 1.0, accuracy: 0.5 },
            validation: Metrics { loss, accuracy: 0.25 },
            seconds: 2.0,
        };
        History { epochs: losses.iter().enumerate().map(epoch).collect() }
    }

    #[test]
    fn the_best_epoch_is_the_first_of_lowest_validation_loss() {
        assert_eq!(history(&[3.0, 1.0, 2.0, 1.0]).best().unwrap().epoch, 2);
        assert_eq!(history(&[f64::NAN, -f64::NAN, 2.0]).best().unwrap().epoch, 3);
        assert!(history(&[]).best().is_none());
    }

    #[test]
    fn csv_has_a_line_an_epoch_below_its_header() {
        let csv = history(&[0.125, 0.5]).to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1], "1,1.000000,0.500000,0.125000,0.250000,2.000");
    }
}
