use serde::{Deserialize, Serialize};

use crate::{Metrics, Score};

/// One epoch of a run; `S` is what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord<S = Metrics> {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Averages over the epoch's training batches, measured while the weights changed.
    pub train: S,
    /// Measured after the epoch, without dropout.
    pub validation: S,
    /// Seconds for the epoch, validation included.
    pub seconds: f64,
}

/// What happened in a run, epoch by epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History<S = Metrics> {
    /// The epochs in their order.
    pub epochs: Vec<EpochRecord<S>>,
}

impl<S: Score> History<S> {
    /// The epoch of lowest finite validation loss, the earlier of equal ones; `None` if there is none.
    pub fn best(&self) -> Option<&EpochRecord<S>> {
        let loss = |e: &EpochRecord<S>| e.validation.loss();
        let finite = self.epochs.iter().filter(|e| loss(e).is_finite());
        finite.min_by(|a, b| loss(a).total_cmp(&loss(b)))
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
}
