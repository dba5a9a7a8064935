use std::sync::Arc;

use burn::tensor::Device;
use selvedge_data::{DataError, View};
use selvedge_models::{Architecture, ModelError};
use selvedge_train::TrainError;

use toml::Table;

use super::Limits;
use super::weights::{Weights, WeightsFile};
use crate::config::{TestTime, TrialConfig};
use crate::{Datasets, LoadedData, StudyError};

/// The settings that are not as they are where nothing is said: a setting that is new in the next version leaves the
/// keys of others as they were. A default that changes has to change [`NUMERICS`].
fn unusual(settings: Table) -> Table {
    let usual = TrialConfig::default().to_table();
    settings.into_iter().filter(|(key, value)| usual.get(key) != Some(value)).collect()
}

/// Another number makes every finished trial count for nothing: it rises when the same settings give other results by
/// more than the last bits of a kernel, which are not those of another processor either.
const NUMERICS: u32 = 1;

/// A trial that can be run: its settings, its images and its networks were checked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub config: TrialConfig,
    pub seed: u64,
    pub data: Arc<LoadedData>,
    pub network: Architecture,
    /// What it begins with, if not chance.
    pub pretrained: Option<Weights>,
    /// What it is called in messages.
    pub label: String,
    /// Whether another trial begins with its weights.
    pub is_needed: bool,
    /// A hash of all that decides the result.
    pub key: String,
    /// Where it ends early, if it may.
    pub limits: Option<Limits>,
}

impl Plan {
    /// Checks a trial on its images, and finds its key on a device of that name.
    pub fn new(
        config: &TrialConfig,
        seed: u64,
        datasets: &Datasets,
        device: &str,
    ) -> Result<Self, StudyError> {
        let data = datasets.load(&config.dataset)?;
        // An autoencoder has no classes: its output is the image.
        let network = config.model.architecture(data.split.shape(), data.split.classes().len())?;
        let shape = data.split.shape();
        config.normalization.check(shape[0])?;
        config.transforms.require_same_shape(shape).map_err(TrainError::from)?;
        if let Some(views) = config.test_time.and_then(TestTime::views) {
            views.check(shape)?;
            if data.split.test.is_none() {
                let reason = "`test_time` is about test images, and there are none";
                return Err(TrainError::from(DataError::other(reason)).into());
            }
        }
        let values = network.output_shape()?.size();
        let expected = match config.task.is_reconstruct() {
            true => shape.iter().product(),
            false => data.split.classes().len(),
        };
        if values != expected {
            return Err(ModelError::Setting {
                name: "model",
                value: format!("`{}`, which gives {values} values", network.name),
                expected: format!("one that gives {expected}, as the task has").into(),
            }
            .into());
        }
        let pretrained = match &config.pretrain {
            None => None,
            Some(pretraining) => Some(match &pretraining.weights {
                None => {
                    let plan = Self::new(&pretraining.trial, seed, datasets, device)?;
                    Weights::Trial(Box::new(Self { is_needed: true, ..plan }))
                }
                Some(path) => Weights::File(WeightsFile::find(path, &network, datasets)?),
            }),
        };
        let mut plan = Self {
            config: config.clone(),
            seed,
            data,
            network,
            pretrained,
            label: String::new(),
            is_needed: false,
            key: String::new(),
            limits: None,
        };
        plan.key = plan.hash(device);
        Ok(plan)
    }

    /// The same trial with another seed, and so what is trained before it.
    pub fn with_seed(&self, seed: u64, device: &str) -> Self {
        let mut plan = Self { seed, ..self.clone() };
        if let Some(Weights::Trial(before)) = &mut plan.pretrained {
            **before = before.with_seed(seed, device);
        }
        plan.key = plan.hash(device);
        plan
    }

    /// Whether the weights that it begins with fit, and the parameters are there that do not learn. Nothing is read but
    /// names and shapes, unless the weights are in a file.
    pub fn check(&self, device: &Device) -> Result<(), StudyError> {
        if let Some(before) = self.before() {
            before.check(device)?;
        }
        let Self { config, .. } = self;
        if config.pretrain.is_none() && config.freeze.is_none() && config.whiten.is_none() {
            return Ok(());
        }
        let before = match self.before() {
            None => None,
            Some(before) => Some(before.network.init(before.config.initialization, 0, device)?),
        };
        // Two images say whether a layer can be made to whiten them.
        super::run::first_network(self, before.as_ref(), device, 2).map(drop)
    }

    /// The trial that has to be finished before this one.
    pub fn before(&self) -> Option<&Self> {
        match &self.pretrained {
            Some(Weights::Trial(plan)) => Some(plan),
            _ => None,
        }
    }

    /// The key of what comes of it in a study: where it may end early, the limits are part of it.
    pub fn place(&self) -> &str {
        self.limits.as_ref().map_or(&self.key, |limits| &limits.key)
    }

    /// About how many images it learns from in all its epochs.
    pub fn images_seen(&self) -> u64 {
        let images = self.data.split.train.len() as f64 * self.config.dataset.fraction;
        (images as u64).saturating_mul(self.config.fit.epochs as u64)
    }

    /// The images that it learns from.
    pub fn train_images(&self) -> Result<View, DataError> {
        let train = &self.data.split.train;
        match self.config.dataset.fraction {
            1.0 => Ok(train.clone()),
            fraction => train.stratified_fraction(fraction, self.seed),
        }
    }

    fn hash(&self, device: &str) -> String {
        let network = serde_json::to_string(&self.network).expect("a network is data");
        let weights = match &self.pretrained {
            None => "chance",
            Some(Weights::Trial(plan)) => &plan.key,
            Some(Weights::File(file)) => &file.key,
        };
        let settings = unusual(self.config.to_table()).to_string();
        hash_of(&[
            &format!("numerics {NUMERICS}"),
            device,
            &format!("seed {}", self.seed),
            &self.data.checksum,
            &network,
            weights,
            &settings,
        ])
    }
}

/// A key of these parts.
pub(super) fn hash_of(parts: &[&str]) -> String {
    let mut hash = selvedge_files::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = hash.finish();
    key.truncate(32);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finished trials are found by it: a change of it, or of a default, makes all records of the past count for
    /// nothing, and is to be made on purpose alone.
    #[test]
    fn what_decides_a_trial_is_pinned() {
        let default = TrialConfig::default().to_table();
        let hash = selvedge_files::sha256(default.to_string().as_bytes());
        assert_eq!(&hash[..16], "918a63a6b9198e6e", "{default}");
        assert!(unusual(default).is_empty());
    }

    #[test]
    fn only_what_is_unusual_is_in_a_key() {
        let mut config = TrialConfig::default();
        config.fit.epochs = 3;
        config.model.name = "cnn2".into();
        let expected = "epochs = 3\n\n[model]\nname = \"cnn2\"\n";
        assert_eq!(unusual(config.to_table()).to_string(), expected);
    }
}
