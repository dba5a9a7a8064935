use serde::{Deserialize, Serialize};

use crate::{EpochRow, Metrics, Score};

/// One epoch of a run; `S` is what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord<S = Metrics> {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Averages over the epoch's training batches, measured while the weights changed.
    pub train: S,
    /// Measured after the epoch, without dropout; `None` without validation data.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub validation: Option<S>,
    /// The learning rate of the epoch's last step.
    #[serde(default)]
    pub learning_rate: f64,
    /// Seconds for the epoch, validation included.
    pub seconds: f64,
}

fn none<S>() -> Option<S> {
    None
}

impl<S: Score> EpochRecord<S> {
    /// What epochs are compared by: the validation's score, or the training's if there is no validation
    /// data.
    pub fn score(&self) -> &S {
        self.validation.as_ref().unwrap_or(&self.train)
    }

    /// The same without the type of what was measured.
    pub fn row(&self) -> EpochRow {
        EpochRow {
            columns: S::COLUMNS,
            epoch: self.epoch,
            train: self.train.values(),
            validation: self.validation.map(|score| score.values()),
            learning_rate: self.learning_rate,
            seconds: self.seconds,
        }
    }

    /// The record of which [`row`](Self::row) is `row`; `None` if it has other values.
    pub fn from_row(row: &EpochRow) -> Option<Self> {
        let score =
            |values: &Vec<f64>| (values.len() == S::COLUMNS.len()).then(|| S::from_values(values));
        Some(Self {
            epoch: row.epoch,
            train: score(&row.train)?,
            validation: match &row.validation {
                Some(values) => Some(score(values)?),
                None => None,
            },
            learning_rate: row.learning_rate,
            seconds: row.seconds,
        })
    }
}

/// What happened in a run, epoch by epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History<S = Metrics> {
    /// The epochs in their order.
    pub epochs: Vec<EpochRecord<S>>,
}

impl<S: Score> History<S> {
    /// The epochs without the type of what was measured.
    pub fn rows(&self) -> Vec<EpochRow> {
        self.epochs.iter().map(EpochRecord::row).collect()
    }
}

impl<S: Score> History<S> {
    /// The epoch of lowest finite validation loss (of training loss where there is no validation), the
    /// earlier of equal ones; `None` if there is none.
    pub fn best(&self) -> Option<&EpochRecord<S>> {
        let loss = |e: &EpochRecord<S>| e.score().loss();
        let finite = self.epochs.iter().filter(|e| loss(e).is_finite());
        finite.min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }
}

/// The first line of a table of epochs.
pub(crate) fn csv_header(columns: &[&str], has_validation: bool) -> String {
    let mut header = "epoch".to_string();
    for part in ["train", "validation"].iter().take(if has_validation { 2 } else { 1 }) {
        columns.iter().for_each(|column| header += &format!(",{part}_{column}"));
    }
    header + ",learning_rate,seconds\n"
}

/// The line of an epoch.
pub(crate) fn csv_row(row: &EpochRow) -> String {
    let mut line = row.epoch.to_string();
    let values = row.train.iter().chain(row.validation.iter().flatten());
    values.for_each(|value| line += &format!(",{value:.6}"));
    line + &format!(",{},{:.3}\n", row.learning_rate, row.seconds)
}

impl<S: Score> History<S> {
    /// The epochs as a table with a header, separated by commas: epoch, what was measured in training and in
    /// validation, learning rate, seconds.
    ///
    /// ```
    /// use selvedge_train::{History, Reconstruction};
    ///
    /// let header = "epoch,train_loss,validation_loss,learning_rate,seconds\n";
    /// assert_eq!(History::<Reconstruction>::default().to_csv(), header);
    /// ```
    pub fn to_csv(&self) -> String {
        let rows = self.rows();
        let has_validation = rows.iter().all(|row| row.validation.is_some());
        rows.iter().fold(csv_header(S::COLUMNS, has_validation), |csv, row| csv + &csv_row(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(losses: &[f64]) -> History {
        let epoch = |(i, &loss): (usize, &f64)| EpochRecord {
            epoch: i + 1,
            train: Metrics { loss: 1.0, accuracy: 0.5, macro_f1: 0.5 },
            validation: Some(Metrics { loss, accuracy: 0.25, macro_f1: 0.25 }),
            learning_rate: 1e-3,
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
