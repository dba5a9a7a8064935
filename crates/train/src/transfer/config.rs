use selvedge_data::{Normalization, View};
use serde::{Deserialize, Serialize};

use crate::error::require;
use crate::{FitConfig, OptimizerConfig, TrainError};

/// How pixels become numbers in a study.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// As they are, 0 to 255.
    Raw,
    /// Divided by 255.
    Unit,
    /// Mean 0 and standard deviation 1 over the source task's training images.
    #[default]
    Standardized,
}

impl Scaling {
    /// The scaling for images like those of `view`.
    pub fn normalization(self, view: &View) -> Normalization {
        match self {
            Self::Raw => Normalization::raw(),
            Self::Unit => Normalization::unit(),
            Self::Standardized => Normalization::standardized(view),
        }
    }
}

/// The settings of a [`TransferStudy`](super::TransferStudy).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferConfig {
    /// Fractions of the target's training images, each above 0 and at most 1.
    pub fractions: Vec<f64>,
    /// Epochs on the source task.
    pub pretrain_epochs: usize,
    /// Epochs of each run on the target task.
    pub epochs: usize,
    /// One pair of runs a seed at every fraction. The first also decides the pre-training.
    pub seeds: Vec<u64>,
    /// Images a step.
    pub batch_size: usize,
    /// Step size, on both tasks.
    pub learning_rate: f64,
    /// The optimizer, on both tasks.
    pub optimizer: OptimizerConfig,
    /// Probability of dropout.
    pub dropout: f64,
    /// How pixels become numbers.
    pub scaling: Scaling,
}

impl Default for TransferConfig {
    /// A few epochs at four fractions: a minute on a CPU.
    fn default() -> Self {
        Self {
            fractions: vec![0.02, 0.05, 0.1, 0.25],
            pretrain_epochs: 3,
            epochs: 2,
            seeds: vec![1, 2, 3],
            batch_size: 128,
            learning_rate: 1e-3,
            optimizer: OptimizerConfig::Adam,
            dropout: 0.0,
            scaling: Scaling::Standardized,
        }
    }
}

impl TransferConfig {
    /// One epoch at two fractions with one seed: a check that everything works.
    pub fn quick() -> Self {
        Self {
            fractions: vec![0.05, 0.1],
            pretrain_epochs: 1,
            epochs: 1,
            seeds: vec![1],
            ..Self::default()
        }
    }

    /// The long protocol: 30 epochs on the source and 20 on every twentieth of the target, SGD at
    /// 0.001 with momentum 0.9 on raw pixels, dropout 0.3, one seed.
    pub fn full() -> Self {
        Self {
            fractions: (1..=20).map(|i| i as f64 / 20.0).collect(),
            pretrain_epochs: 30,
            epochs: 20,
            seeds: vec![1],
            optimizer: OptimizerConfig::Sgd { momentum: 0.9, nesterov: false },
            dropout: 0.3,
            scaling: Scaling::Raw,
            ..Self::default()
        }
    }

    /// Checks every setting, so that a mistake is found before anything is trained.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        require(!self.fractions.is_empty(), "fractions", "empty", "at least one")?;
        for (i, &fraction) in self.fractions.iter().enumerate() {
            let twice = self.fractions[..i].contains(&fraction);
            require(!twice, "fraction", fraction, "given once")?;
            let possible = fraction > 0.0 && fraction <= 1.0;
            require(possible, "fraction", fraction, "above 0 and at most 1")?;
        }
        require(!self.seeds.is_empty(), "seeds", "empty", "at least one")?;
        require(self.batch_size > 0, "batch size", self.batch_size, "at least 1")?;
        require(self.pretrain_epochs > 0, "pretrain epochs", 0, "at least 1")?;
        require(self.epochs > 0, "epochs", 0, "at least 1")?;
        let dropout = self.dropout;
        require((0.0..1.0).contains(&dropout), "dropout", dropout, "at least 0 and below 1")?;
        self.fit(self.epochs, 0).check().map(drop)
    }

    /// The settings of one run.
    pub(super) fn fit(&self, epochs: usize, seed: u64) -> FitConfig {
        FitConfig {
            epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            optimizer: self.optimizer,
            seed,
            ..FitConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_impossible_setting_is_refused_by_name() {
        let base = TransferConfig::default;
        assert!(base().check().is_ok());
        for (config, name) in [
            (TransferConfig { fractions: vec![], ..base() }, "fractions"),
            (TransferConfig { fractions: vec![0.5, 1.1], ..base() }, "fraction"),
            (TransferConfig { fractions: vec![f64::NAN], ..base() }, "fraction"),
            (TransferConfig { fractions: vec![0.5, 0.5], ..base() }, "fraction"),
            (TransferConfig { seeds: vec![], ..base() }, "seeds"),
            (TransferConfig { batch_size: 0, ..base() }, "batch size"),
            (TransferConfig { epochs: 0, ..base() }, "epochs"),
            (TransferConfig { pretrain_epochs: 0, ..base() }, "pretrain epochs"),
            (TransferConfig { dropout: 1.0, ..base() }, "dropout"),
            (TransferConfig { learning_rate: -1.0, ..base() }, "learning rate"),
        ] {
            let message = config.check().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{name} is ")), "{message}");
        }
    }
}
