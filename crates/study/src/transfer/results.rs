use std::fmt::Write as _;

use selvedge_train::{EpochRecord, Metrics};
use serde::{Deserialize, Serialize};

use super::TransferConfig;

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
    /// The run on the source task.
    pub pretrain: Pretraining,
    /// Name of the target task.
    pub target: String,
    /// The runs on the target task: by fraction in the order of the settings, seed and start.
    pub curve: Vec<TargetRun>,
    /// Runs that diverged and have no point on the curve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diverged: Vec<Diverged>,
    /// Whether the study was stopped before it was complete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Training images a second over all complete runs: their number in the seconds of the whole study,
    /// with its validations and tests.
    pub images_per_second: f64,
    /// Seconds for the whole study.
    pub wall_seconds: f64,
}

/// The run on the source task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pretraining {
    /// Name of the source task.
    pub dataset: String,
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

/// One fraction of the curve: mean test accuracies over the seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Fraction of the target's training images.
    pub fraction: f64,
    /// Their number.
    pub images: usize,
    /// Mean test accuracy from random weights; `None` if no run is complete.
    pub random: Option<f64>,
    /// Mean test accuracy from transferred weights; `None` if no run is complete.
    pub transferred: Option<f64>,
}

impl TransferResults {
    /// The runs of one fraction and start.
    pub fn runs(&self, fraction: f64, start: Start) -> impl Iterator<Item = &TargetRun> {
        self.curve.iter().filter(move |p| p.fraction == fraction && p.start == start)
    }

    /// A row for every fraction that has a point.
    pub fn rows(&self) -> Vec<Row> {
        let mean = |fraction, start| {
            let values: Vec<f64> = self.runs(fraction, start).map(|p| p.test.accuracy).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let mut rows: Vec<Row> = Vec::new();
        for point in &self.curve {
            if rows.iter().all(|row| row.fraction != point.fraction) {
                rows.push(Row {
                    fraction: point.fraction,
                    images: point.images,
                    random: mean(point.fraction, Start::Random),
                    transferred: mean(point.fraction, Start::Transferred),
                });
            }
        }
        rows
    }

    /// The rows as text: fraction, images, test accuracy of both starts, difference; then a
    /// line for each run that diverged.
    pub fn table(&self) -> String {
        let mut table = String::from("fraction   images    random  transferred  difference\n");
        let percent = |x: Option<f64>| x.map_or("–".into(), |x| format!("{:.2} %", 100.0 * x));
        for row in self.rows() {
            let difference = row.transferred.zip(row.random).map(|(t, r)| t - r);
            let difference = difference.map_or("–".into(), |d| format!("{:+.2}", 100.0 * d));
            writeln!(
                table,
                "{:>8}  {:>7}  {:>8}  {:>11}  {difference:>10}",
                super::percent(row.fraction),
                row.images,
                percent(row.random),
                percent(row.transferred),
            )
            .expect("writing to a string");
        }
        for d in &self.diverged {
            let Diverged { seed, epoch, batch, .. } = d;
            let (share, start) = (super::percent(d.fraction), d.start.name());
            writeln!(
                table,
                "{share:>8}  {start}, seed {seed}: diverged in epoch {epoch}, batch {batch}"
            )
            .expect("writing to a string");
        }
        table
    }

    /// How many of the runs on the target task are complete: "3 of 10 runs are complete".
    pub fn progress(&self) -> String {
        let all = self.config.fractions.len() * self.config.seeds.len() * 2;
        format!("{} of {all} runs are complete", self.curve.len())
    }

    /// The study's question and its answer at the smallest fraction, in one sentence.
    pub fn answer(&self) -> String {
        let question =
            format!("Does pre-training on {} help on {}?", self.pretrain.dataset, self.target);
        let smallest = self.rows().into_iter().min_by(|a, b| a.fraction.total_cmp(&b.fraction));
        let pair = smallest.and_then(|row| Some((row, row.random?, row.transferred?)));
        let Some((row, random, transferred)) = pair else {
            return format!("{question} No pair of runs is complete");
        };
        format!(
            "{question} With {} images, {:.1} % of the test images are right instead of {:.1} %",
            row.images,
            100.0 * transferred,
            100.0 * random
        )
    }

    /// Every point as a table with a header, separated by commas.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from(
            "fraction,images,start,seed,best_epoch,train_loss,train_accuracy,\
             validation_loss,validation_accuracy,test_loss,test_accuracy\n",
        );
        for p in &self.curve {
            let start = p.start.name();
            write!(csv, "{},{},{start},{},{}", p.fraction, p.images, p.seed, p.best_epoch)
                .expect("writing to a string");
            for m in [p.train, p.validation, p.test] {
                write!(csv, ",{:.6},{:.6}", m.loss, m.accuracy).expect("writing to a string");
            }
            csv.push('\n');
        }
        csv
    }
}
