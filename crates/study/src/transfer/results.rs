use selvedge_train::{EpochRecord, Metrics};
use serde::{Deserialize, Serialize};

use super::{Row, TransferConfig, TransferStudy};

/// What a study found: the content of `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferResults {
    /// Always `transfer_learning`.
    pub experiment: String,
    /// Version of this library.
    pub version: String,
    /// The device's name.
    pub device: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The settings.
    pub config: TransferConfig,
    /// Name of the source task.
    pub source: String,
    /// Name of the target task.
    pub target: String,
    /// The runs on the source task, by seed.
    pub pretrain: Vec<Pretraining>,
    /// The runs on the target task: by fraction in the order of the settings, seed and start.
    pub curve: Vec<TargetRun>,
    /// Runs that diverged and have no point on the curve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diverged: Vec<Diverged>,
    /// What the runs say, by fraction.
    pub rows: Vec<Row>,
    /// Whether every run has ended, as that of a study that was stopped has not.
    pub complete: bool,
    /// Training images a second over all complete runs: their number in the seconds of the whole study,
    /// with its validations and tests.
    pub images_per_second: f64,
    /// Seconds for the whole study: of one that was begun several times, all of them together, up to the
    /// last trial that each finished.
    pub wall_seconds: f64,
}

/// A run on the source task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pretraining {
    /// Name of the source task.
    pub dataset: String,
    /// Its seed.
    pub seed: u64,
    /// The epoch of lowest validation loss, whose weights are transferred.
    pub best_epoch: usize,
    /// Every epoch.
    pub epochs: Vec<EpochRecord>,
    /// The best epoch's model on the source's test images.
    pub test: Metrics,
}

/// Where a run on the target task starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Random weights.
    Random,
    /// The source's weights, with a fresh last layer.
    Transferred,
}

impl Start {
    /// Both, in the order of tables and files.
    pub const ALL: [Self; 2] = [Self::Random, Self::Transferred];

    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Transferred => "transferred",
        }
    }
}

/// One run on the target task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetRun {
    /// Fraction of the target's training images.
    pub fraction: f64,
    /// Their number.
    pub images: usize,
    /// Where the run started.
    pub start: Start,
    /// Its seed.
    pub seed: u64,
    /// The epochs that it took.
    pub epochs: usize,
    /// The epoch of lowest validation loss; the metrics are this epoch's.
    pub best_epoch: usize,
    /// Averages over the epoch's training batches.
    pub train: Metrics,
    /// On the target's validation images.
    pub validation: Metrics,
    /// On the target's test images.
    pub test: Metrics,
}

/// A run whose loss became infinite or NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diverged {
    /// Fraction of the target's training images.
    pub fraction: f64,
    /// Where the run started.
    pub start: Start,
    /// Its seed.
    pub seed: u64,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The batch in it, counted from 1.
    pub batch: usize,
}

impl TransferResults {
    /// Those of a study of which nothing is finished.
    pub(super) fn new(study: &TransferStudy, device_name: &str) -> Self {
        Self {
            experiment: "transfer_learning".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            device: device_name.into(),
            seeds: study.config.seeds.clone(),
            config: study.config.clone(),
            source: study.source_name.clone(),
            target: study.target_name.clone(),
            pretrain: Vec::new(),
            curve: Vec::new(),
            diverged: Vec::new(),
            rows: Vec::new(),
            complete: false,
            images_per_second: 0.0,
            wall_seconds: 0.0,
        }
    }

    /// The runs of one fraction and start.
    pub fn runs(&self, fraction: f64, start: Start) -> impl Iterator<Item = &TargetRun> {
        self.curve.iter().filter(move |p| p.fraction == fraction && p.start == start)
    }

    /// How many of the runs on the target task have ended: "3 of 10 runs are complete".
    pub fn progress(&self) -> String {
        let all = self.config.fractions.len() * self.config.seeds.len() * 2;
        format!("{} of {all} runs are complete", self.curve.len() + self.diverged.len())
    }
}
