use std::collections::BTreeMap;

use selvedge_train::{ConfusionMatrix, EpochRow};
use serde::{Deserialize, Serialize};

use crate::config::{Metric, Part};

/// What came of one trial: all of it follows from its settings and its seed, but for the times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// A hash of all that decides the result.
    pub key: String,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub ending: Ending,
    /// The epoch whose model is judged, from 1; 0 if there is none.
    pub best_epoch: usize,
    /// Images of one epoch.
    pub images: usize,
    /// Parameters of the network that learn.
    pub parameters: usize,
    /// The device, as its name.
    pub device: String,
    /// The version of this program.
    pub version: String,
    /// Seconds that it took, over all processes that worked on it.
    pub seconds: f64,
    /// The names of the values of an epoch.
    pub columns: Vec<String>,
    /// What was measured of the best epoch's model.
    pub scores: Scores,
    /// All settings.
    pub settings: toml::Table,
    /// The SHA-256 of all images and labels.
    pub data: String,
    /// The classes in truth and in prediction, of the validation and the test images.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confusion: BTreeMap<Part, ConfusionMatrix>,
    /// The epochs in their order.
    pub epochs: Vec<Epoch>,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ending {
    /// With all its epochs, or by early stopping.
    Complete {},
    /// Early, because it was worse than most: without a model, and without scores.
    Pruned {
        /// The epoch after which it ended, from 1.
        epoch: usize,
    },
    /// With a loss that is no number, or infinite.
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch, from 1; 0 for the validation after them.
        batch: usize,
    },
}

/// What was measured of a model, by part and by name.
pub type Scores = BTreeMap<Part, BTreeMap<String, f64>>;

/// One epoch of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Over the batches of training, in the order of the columns.
    pub train: Vec<f64>,
    /// After the epoch.
    pub validation: Vec<f64>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Seconds, with validation.
    pub seconds: f64,
}

impl TrialRecord {
    /// The value that decides; `None` of a trial that diverged or was ended early.
    pub fn value(&self, metric: &Metric) -> Option<f64> {
        match self.ending {
            Ending::Complete {} => self.score(metric.part(), metric.column()),
            Ending::Pruned { .. } | Ending::Diverged { .. } => None,
        }
    }

    /// The epoch after which it was ended early, from 1; `None` if it was not.
    pub fn pruned_after(&self) -> Option<usize> {
        match self.ending {
            Ending::Pruned { epoch } => Some(epoch),
            Ending::Complete {} | Ending::Diverged { .. } => None,
        }
    }

    /// A value of the best epoch's model, if there is such a model and such a value.
    pub fn score(&self, part: Part, column: &str) -> Option<f64> {
        self.scores.get(&part)?.get(column).copied()
    }

    /// The values of a column, epoch by epoch.
    pub fn curve(&self, part: Part, column: &str) -> Option<Vec<f64>> {
        let at = self.columns.iter().position(|name| name == column)?;
        let of = |epoch: &Epoch| match part {
            Part::Train => epoch.train.get(at).copied(),
            Part::Validation => epoch.validation.get(at).copied(),
            Part::Test => None,
        };
        self.epochs.iter().map(of).collect()
    }
}

impl From<&EpochRow> for Epoch {
    fn from(row: &EpochRow) -> Self {
        Self {
            train: row.train.clone(),
            validation: row.validation.clone().unwrap_or_default(),
            learning_rate: row.learning_rate,
            seconds: row.seconds,
        }
    }
}
