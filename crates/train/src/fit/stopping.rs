use serde::{Deserialize, Serialize};

use crate::error::require;
use crate::{Decay, EpochRecord, History, PlateauMode, Schedule, Score, TrainError};

/// When a run that no longer improves is ended: by what [`FitConfig::monitor`](crate::FitConfig::monitor)
/// names (Prechelt, 1998).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStopping {
    /// Ends the run after so many epochs without improvement.
    pub patience: usize,
    /// The least change that is an improvement: 0.
    pub min_delta: f64,
    /// Epochs at the beginning that are not looked at: 0.
    pub warmup_epochs: usize,
}

impl Default for EarlyStopping {
    /// Five epochs without improvement.
    fn default() -> Self {
        Self { patience: 5, min_delta: 0.0, warmup_epochs: 0 }
    }
}

impl EarlyStopping {
    /// Ends a run after so many epochs without any improvement.
    pub fn patience(patience: usize) -> Self {
        Self { patience, ..Self::default() }
    }

    pub(super) fn check(&self, epochs: usize) -> Result<(), TrainError> {
        let Self { patience, min_delta, warmup_epochs } = *self;
        require(patience > 0, "patience", patience, "at least 1")?;
        let possible = min_delta >= 0.0 && min_delta.is_finite();
        require(possible, "least change of early stopping", min_delta, "0 or more")?;
        let name = "warm-up of early stopping";
        require(warmup_epochs < epochs, name, warmup_epochs, "fewer epochs than the run has")
    }

    /// Whether the run is to end after these epochs.
    pub(super) fn ends<S: Score>(&self, monitor: &Monitor, history: &History<S>) -> bool {
        let (mut best, mut waited) = (f64::INFINITY, 0);
        for record in history.epochs.iter().skip(self.warmup_epochs) {
            let cost = monitor.cost(record);
            if cost < best - self.min_delta {
                (best, waited) = (cost, 0);
            } else {
                waited += 1;
            }
            if waited >= self.patience {
                return true;
            }
        }
        false
    }
}

/// The value by which epochs are compared.
pub(super) struct Monitor {
    column: usize,
    higher_is_better: bool,
}

impl Monitor {
    /// The value of that name.
    pub fn new<S: Score>(name: &str) -> Result<Self, TrainError> {
        let column = S::COLUMNS.iter().position(|column| *column == name);
        let column = column
            .ok_or_else(|| TrainError::Metric { name: name.into(), known: S::COLUMNS.to_vec() })?;
        Ok(Self { column, higher_is_better: S::higher_is_better(name) })
    }

    /// The value.
    pub fn value<S: Score>(&self, record: &EpochRecord<S>) -> f64 {
        record.score().values()[self.column]
    }

    /// Refuses a schedule that takes a better value for a worse one.
    pub fn check(&self, schedule: &Schedule) -> Result<(), TrainError> {
        let Decay::Plateau(plateau) = &schedule.decay else { return Ok(()) };
        let (mode, expected) = match self.higher_is_better {
            true => (PlateauMode::Max, "max, since more is better of the monitored metric"),
            false => (PlateauMode::Min, "min, since less is better of the monitored metric"),
        };
        let found = if plateau.mode == PlateauMode::Max { "max" } else { "min" };
        require(plateau.mode == mode, "schedule's mode", found, expected)
    }

    /// The value, such that less is better; what is no number is the worst.
    pub fn cost<S: Score>(&self, record: &EpochRecord<S>) -> f64 {
        match self.value(record) {
            value if value.is_nan() => f64::INFINITY,
            value if self.higher_is_better => -value,
            value => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    fn history(losses: &[f64]) -> History {
        let epoch = |(i, &loss): (usize, &f64)| EpochRecord {
            epoch: i + 1,
            train: Metrics::default(),
            validation: Some(Metrics { loss, accuracy: 1.0 - loss, macro_f1: 0.5 }),
            learning_rate: 0.1,
            seconds: 1.0,
        };
        History { epochs: losses.iter().enumerate().map(epoch).collect() }
    }

    /// The epoch after which a run of these losses is ended.
    fn end(stopping: EarlyStopping, monitor: &str, losses: &[f64]) -> Option<usize> {
        let monitor = Monitor::new::<Metrics>(monitor).unwrap();
        (1..=losses.len()).find(|&n| stopping.ends(&monitor, &history(&losses[..n])))
    }

    #[test]
    fn a_run_ends_after_so_many_epochs_without_improvement() {
        let losses = [0.9, 0.5, 0.6, 0.4, 0.45, 0.41, 0.3];
        for monitor in ["loss", "accuracy"] {
            assert_eq!(end(EarlyStopping::patience(2), monitor, &losses), Some(6));
            assert_eq!(end(EarlyStopping::patience(3), monitor, &losses), None);
        }
    }

    #[test]
    fn a_change_that_is_too_small_is_no_improvement() {
        let losses = [0.9, 0.85, 0.8, 0.75, 0.74];
        let stopping = EarlyStopping { min_delta: 0.12, ..EarlyStopping::patience(2) };
        // 0.75 is the first below 0.9 - 0.12; 0.85 and 0.8 are two epochs without.
        assert_eq!(end(stopping, "loss", &losses), Some(3));
        let stopping = EarlyStopping { min_delta: 0.12, ..EarlyStopping::patience(3) };
        assert_eq!(end(stopping, "loss", &losses), None);
    }

    #[test]
    fn a_value_that_is_no_number_is_no_improvement_and_hides_none() {
        let losses = [f64::NAN, 0.9, f64::NAN, 0.8, f64::NAN, f64::NAN];
        for monitor in ["loss", "accuracy"] {
            assert_eq!(end(EarlyStopping::patience(2), monitor, &losses), Some(6));
        }
    }

    #[test]
    fn epochs_of_the_warm_up_do_not_count() {
        let losses = [0.1, 0.9, 0.8, 0.7, 0.71, 0.72];
        assert_eq!(end(EarlyStopping::patience(2), "loss", &losses), Some(3));
        let stopping = EarlyStopping { warmup_epochs: 1, ..EarlyStopping::patience(2) };
        assert_eq!(end(stopping, "loss", &losses), Some(6));
    }

    #[test]
    fn a_metric_that_is_not_measured_is_refused_with_those_that_are() {
        let error = Monitor::new::<Metrics>("f1").map(drop).unwrap_err().to_string();
        assert_eq!(error, "there is no metric `f1` to monitor; there are loss, accuracy, macro_f1");
    }
}
