use selvedge_data::NormalizationKind;
use selvedge_train::{FitConfig, OptimizerConfig};
use serde::{Deserialize, Serialize};

use super::Start;
use super::trial::Run;
use crate::StudyError;
use selvedge_train::require;

/// The settings of a [`TransferStudy`](super::TransferStudy).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransferConfig {
    /// Fractions of the target's training images, each above 0 and at most 1.
    pub fractions: Vec<f64>,
    /// One pre-training a seed, and one pair of runs at every fraction. Six are the fewest that can show
    /// a difference to be more than chance.
    pub seeds: Vec<u64>,
    /// Epochs on the source task.
    pub pretrain_epochs: usize,
    /// How every network is trained: its epochs are those of a run on the target task. Each run takes
    /// its seed from [`seeds`](Self::seeds) in place of this one's.
    pub fit: FitConfig,
    /// Probability of dropout.
    pub dropout: f64,
    /// How pixels are normalized.
    pub normalization: NormalizationKind,
}

impl Default for TransferConfig {
    /// Seven seeds and a few epochs of small batches at three fractions: little more than a minute on two
    /// cores. Six seeds could just show something, if at no fraction the differences went both ways.
    fn default() -> Self {
        Self {
            fractions: vec![0.02, 0.05, 0.1],
            seeds: (1..=7).collect(),
            pretrain_epochs: 1,
            fit: FitConfig { epochs: 2, batch_size: 64, ..FitConfig::default() },
            dropout: 0.0,
            normalization: NormalizationKind::Standardized,
        }
    }
}

impl TransferConfig {
    /// One epoch at two fractions with one seed: a check that everything works.
    pub fn quick() -> Self {
        Self {
            fractions: vec![0.05, 0.1],
            seeds: vec![1],
            pretrain_epochs: 1,
            fit: FitConfig { epochs: 1, ..FitConfig::default() },
            ..Self::default()
        }
    }

    /// The long protocol: 30 epochs on the source and 20 on every twentieth of the target, SGD at
    /// 0.001 with momentum 0.9 on raw pixels, dropout 0.3, one seed.
    pub fn full() -> Self {
        Self {
            fractions: (1..=20).map(|i| i as f64 / 20.0).collect(),
            seeds: vec![1],
            pretrain_epochs: 30,
            fit: FitConfig {
                epochs: 20,
                optimizer: OptimizerConfig::sgd(0.9),
                ..FitConfig::default()
            },
            dropout: 0.3,
            normalization: NormalizationKind::Raw,
        }
    }

    /// Checks every setting, so that a mistake is found before anything is trained.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`](selvedge_train::TrainError::Setting) names the first setting that is out of range.
    pub fn check(&self) -> Result<(), StudyError> {
        require(!self.fractions.is_empty(), "fractions", "empty", "at least one")?;
        for (i, &fraction) in self.fractions.iter().enumerate() {
            let twice = self.fractions[..i].contains(&fraction);
            require(!twice, "fraction", fraction, "given once")?;
            let possible = fraction > 0.0 && fraction <= 1.0;
            require(possible, "fraction", fraction, "above 0 and at most 1")?;
        }
        require(!self.seeds.is_empty(), "seeds", "empty", "at least one")?;
        for (i, &seed) in self.seeds.iter().enumerate() {
            require(!self.seeds[..i].contains(&seed), "seed", seed, "given once")?;
            // The integers of TOML go no further.
            require(seed <= i64::MAX as u64, "seed", seed, "below 2^63")?;
        }
        require(self.pretrain_epochs > 0, "pretrain epochs", 0, "at least 1")?;
        let dropout = self.dropout;
        require((0.0..1.0).contains(&dropout), "dropout", dropout, "at least 0 and below 1")?;
        self.fit.check()?;
        let numbers = [
            ("seed", self.fit.seed),
            ("pretrain epochs", self.pretrain_epochs as u64),
            ("epochs", self.fit.epochs as u64),
            ("batch size", self.fit.batch_size as u64),
            ("accumulated batches", self.fit.accumulate as u64),
        ];
        for (name, value) in numbers {
            require(value <= i64::MAX as u64, name, value, "below 2^63")?;
        }
        // The rest, such as a patience.
        let written = toml::Table::try_from(self);
        require(written.is_ok(), "a number of the settings", "too large", "below 2^63")?;
        Ok(())
    }

    /// The settings of the run on the source task.
    pub(super) fn pretraining(&self, seed: u64) -> FitConfig {
        FitConfig { epochs: self.pretrain_epochs, ..self.run(seed) }
    }

    /// Every run on the target task: by fraction, seed and start.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for &fraction in &self.fractions {
            for &seed in &self.seeds {
                runs.extend(Start::ALL.map(|start| Run { fraction, seed, start }));
            }
        }
        runs
    }

    /// The settings of a run on the target task.
    pub(super) fn run(&self, seed: u64) -> FitConfig {
        FitConfig { seed, ..self.fit.clone() }
    }
}

#[cfg(test)]
mod tests {
    use selvedge_train::EarlyStopping;

    use super::*;

    #[test]
    fn every_impossible_setting_is_refused_by_name() {
        let base = TransferConfig::default;
        let fit = |fit| TransferConfig { fit, ..base() };
        assert!(base().check().is_ok());
        for (config, name) in [
            (TransferConfig { fractions: vec![], ..base() }, "fractions"),
            (TransferConfig { fractions: vec![0.5, 1.1], ..base() }, "fraction"),
            (TransferConfig { fractions: vec![f64::NAN], ..base() }, "fraction"),
            (TransferConfig { fractions: vec![0.5, 0.5], ..base() }, "fraction"),
            (TransferConfig { seeds: vec![], ..base() }, "seeds"),
            (TransferConfig { seeds: vec![1, 1], ..base() }, "seed"),
            (TransferConfig { seeds: vec![1 << 63], ..base() }, "seed"),
            (TransferConfig { pretrain_epochs: 0, ..base() }, "pretrain epochs"),
            (TransferConfig { dropout: 1.0, ..base() }, "dropout"),
            (fit(FitConfig { batch_size: 0, ..base().fit }), "batch size"),
            (fit(FitConfig { epochs: 0, ..base().fit }), "epochs"),
            (fit(FitConfig { seed: u64::MAX, ..base().fit }), "seed"),
            (fit(FitConfig { batch_size: usize::MAX, ..base().fit }), "batch size"),
            (TransferConfig { pretrain_epochs: usize::MAX, ..base() }, "pretrain epochs"),
            (
                fit(FitConfig {
                    early_stopping: Some(EarlyStopping::patience(usize::MAX)),
                    ..base().fit
                }),
                "a number of the settings",
            ),
            (fit(FitConfig { learning_rate: -1.0, ..base().fit }), "learning rate"),
            (fit(FitConfig { weight_decay: -1.0, ..base().fit }), "weight decay"),
        ] {
            let message = config.check().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{name} is ")), "{message}");
        }
    }

    #[test]
    fn a_file_names_what_differs_from_the_default_and_nothing_unknown() {
        let config: TransferConfig = serde_json::from_str(r#"{"dropout": 0.5}"#).unwrap();
        assert_eq!(config, TransferConfig { dropout: 0.5, ..TransferConfig::default() });
        let misspelled = serde_json::from_str::<TransferConfig>(r#"{"drop_out": 0.5}"#);
        assert!(misspelled.unwrap_err().to_string().contains("unknown field `drop_out`"));
    }
}
