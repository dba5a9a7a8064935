use serde::{Deserialize, Serialize};

use crate::search::MedianPruner;

/// How trials that are worse than most are ended before their last epoch.
///
/// Variants are tried in generations of four, in the order in which they are proposed or listed. A trial is compared with
/// those of the same seed, of the same `[[variant]]` and of earlier generations that came to their end: so it does not
/// depend on what runs at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pruner {
    /// A trial ends where its best epoch so far is worse than the median of what the others had at that epoch.
    Median {
        /// How many others there must be.
        #[serde(default = "startup")]
        startup: usize,
        /// Epochs that every trial may take.
        #[serde(default)]
        warmup: usize,
    },
}

impl Pruner {
    /// What a trial must have come to after each epoch but its last, given what others came to; smaller is better.
    pub(crate) fn limits(self, epochs: usize, others: &[Vec<f64>]) -> Vec<Option<f64>> {
        let Self::Median { startup, warmup } = self;
        let pruner = MedianPruner { startup, warmup };
        (1..epochs).map(|epoch| pruner.limit(epoch, others)).collect()
    }

    /// In words.
    pub(crate) fn words(self) -> String {
        let Self::Median { startup, warmup } = self;
        let spared = match warmup {
            0 => String::new(),
            1 => ", from the second epoch on".into(),
            epochs => format!(", after {epochs} epochs that every trial may take"),
        };
        format!("the median of at least {startup} earlier trials of the same seed{spared}")
    }
}

fn startup() -> usize {
    MedianPruner::default().startup
}
