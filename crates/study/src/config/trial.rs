use std::path::PathBuf;

use selvedge_data::{Mix, Transforms};
use selvedge_models::{Initialization, Keep, NamePattern};
use selvedge_train::{ClassificationLoss, FitConfig, PixelLoss};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::tree::{What, Wrong, read};
use super::{DatasetConfig, ModelConfig, NormalizationConfig, TestTime};

/// What decides the result of one trial, but for its seed.
///
/// In a study file the settings of training stand beside the others: `epochs = 5`, not `fit.epochs = 5`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrialConfig {
    /// The images.
    pub dataset: DatasetConfig,
    /// The network.
    pub model: ModelConfig,
    /// What is learned.
    pub task: TaskConfig,
    /// How pixels are normalized: by statistics of the training images where it is `standardized`.
    pub normalization: NormalizationConfig,
    /// How the first weights are drawn.
    pub initialization: Initialization,
    /// The first convolution, if it is made to [whiten](selvedge_models::Network::whiten) the training images.
    pub whiten: Option<String>,
    /// What is done to a training image before it is learned.
    pub transforms: Transforms,
    /// How the images of a batch of training are mixed.
    pub mix: Option<Mix>,
    /// Noise that is added to the images and that a reconstruction is to take away: at most this, in units of the
    /// normalized values.
    pub input_noise: Option<f64>,
    /// Whether training compares with the noisy images; validation and test still take those without noise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub noisy_targets: bool,
    /// Where the first weights come from instead, if not from chance.
    pub pretrain: Option<Pretraining>,
    /// Parameters that do not learn.
    pub freeze: Option<NamePattern>,
    /// In which views the classifier that came of it sees the test images; as they are, unless it is set.
    pub test_time: Option<TestTime>,
    /// How it is trained. Its seed is that of the trial.
    pub fit: FitConfig,
}

/// What a trial learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum TaskConfig {
    /// To name the class of an image.
    Classify {
        /// What is minimised: cross-entropy, unless it is set.
        #[serde(default)]
        loss: ClassificationLoss,
    },
    /// To reconstruct an image.
    Reconstruct {
        /// What is minimised: the mean squared error, unless it is set.
        #[serde(default)]
        loss: PixelLoss,
    },
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self::Classify { loss: ClassificationLoss::default() }
    }
}

/// A training before the trial whose weights it begins with.
#[derive(Clone, Debug, Serialize)]
pub struct Pretraining {
    /// What is carried over: all but the last linear layer, unless it is set.
    pub keep: Keep,
    /// What is trained before, with the seed of the trial. Trials with the same share it.
    pub trial: Box<TrialConfig>,
    /// Weights in a file, instead, or the name of [published](selvedge_models::pretrained) ones.
    pub weights: Option<PathBuf>,
}

/// The settings of a trial that are not those of training.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    dataset: DatasetConfig,
    model: ModelConfig,
    task: TaskConfig,
    normalization: NormalizationConfig,
    initialization: Initialization,
    whiten: Option<String>,
    transforms: Transforms,
    mix: Option<Mix>,
    input_noise: Option<f64>,
    noisy_targets: bool,
    pretrain: Option<Table>,
    freeze: Option<NamePattern>,
    test_time: Option<TestTime>,
}

/// Their names.
const OWN: [&str; 13] = [
    "dataset",
    "model",
    "task",
    "normalization",
    "initialization",
    "whiten",
    "transforms",
    "mix",
    "input_noise",
    "noisy_targets",
    "pretrain",
    "freeze",
    "test_time",
];

/// Settings that can be written as a text, which is the name in a table.
const NAMED: [&str; 8] =
    ["dataset", "model", "task", "optimizer", "schedule", "mix", "search", "pruner"];

/// How deep pre-trainings can follow one another.
const DEEPEST: usize = 4;

impl TrialConfig {
    /// Reads the settings of a table.
    pub(crate) fn from_table(table: Table) -> Result<Self, Wrong> {
        Self::at_depth(table, 0)
    }

    fn at_depth(table: Table, depth: usize) -> Result<Self, Wrong> {
        if depth > DEEPEST {
            return Err(Wrong::other(&[], format!("more than {DEEPEST} pre-trainings in a row")));
        }
        let table = expanded(table);
        if table.contains_key("seed") {
            let message = "the seeds of a study are those of [study]";
            return Err(Wrong::other(&["seed"], message));
        }
        let (own, fit): (Table, Table) =
            table.into_iter().partition(|(key, _)| OWN.contains(&key.as_str()));
        let own: Own = read(Value::Table(own))?;
        let fit: FitConfig = read(Value::Table(fit)).map_err(with_own_names)?;
        let pretrain = own.pretrain.map(|table| Pretraining::from_table(table, depth));
        let pretrain = pretrain.transpose().map_err(|wrong| wrong.below("pretrain"))?;
        let config = Self {
            dataset: own.dataset,
            model: own.model,
            task: own.task,
            normalization: own.normalization,
            initialization: own.initialization,
            whiten: own.whiten,
            transforms: own.transforms,
            mix: own.mix,
            input_noise: own.input_noise,
            noisy_targets: own.noisy_targets,
            pretrain,
            freeze: own.freeze,
            test_time: own.test_time,
            fit,
        };
        config.check()?;
        Ok(config)
    }

    /// Checks what can be known without the images.
    fn check(&self) -> Result<(), Wrong> {
        self.dataset.check()?;
        self.fit.check().map_err(|error| Wrong::other(&[setting_of(&error)], error))?;
        if let Some(mix) = &self.mix {
            mix.check().map_err(|error| Wrong::other(&["mix"], error))?;
        }
        if !self.dataset.also.is_empty() && !self.task.is_reconstruct() {
            let message = "images of other classes join those of a task without labels alone";
            return Err(Wrong::other(&["dataset", "also"], message));
        }
        if let Some(amount) = self.input_noise {
            if !self.task.is_reconstruct() {
                let message = "noise is taken away from images that are reconstructed; to train a classifier on \
                               noisy images, there are `transforms`";
                return Err(Wrong::other(&["input_noise"], message));
            }
            if !(amount >= 0.0 && amount.is_finite()) {
                let message = format!("it is {amount}, but must be at least 0");
                return Err(Wrong::other(&["input_noise"], message));
            }
        }
        if self.noisy_targets && self.input_noise.is_none() {
            let message = "there is no `input_noise`";
            return Err(Wrong::other(&["noisy_targets"], message));
        }
        if self.test_time.is_some() && self.task.is_reconstruct() {
            let message = "a classifier alone sees images in several views";
            return Err(Wrong::other(&["test_time"], message));
        }
        if self.mix.is_some() && self.task.is_reconstruct() {
            return Err(Wrong::other(&["mix"], "images are mixed where classes are learned alone"));
        }
        Ok(())
    }
}

impl TaskConfig {
    /// Whether images are reconstructed.
    pub fn is_reconstruct(&self) -> bool {
        matches!(self, Self::Reconstruct { .. })
    }
}

impl Pretraining {
    fn from_table(mut table: Table, depth: usize) -> Result<Self, Wrong> {
        let keep = match table.remove("keep") {
            None => Keep::AllButHead,
            Some(keep) => read_keep(keep).map_err(|wrong| wrong.below("keep"))?,
        };
        let weights = match table.remove("weights") {
            None => None,
            Some(path) => Some(read::<PathBuf>(path).map_err(|wrong| wrong.below("weights"))?),
        };
        if let (Some(_), Some(key)) = (&weights, table.keys().next()) {
            let message = "weights of a file are not trained: beside them stands `keep` alone";
            return Err(Wrong::other(&[key], message));
        }
        let trial = Box::new(TrialConfig::at_depth(table, depth + 1)?);
        Ok(Self { keep, trial, weights })
    }
}

/// `all_but_head`, a pattern of names, or a list of layers.
fn read_keep(value: Value) -> Result<Keep, Wrong> {
    match value {
        Value::String(text) if text == "all_but_head" => Ok(Keep::AllButHead),
        Value::String(text) => {
            let pattern = text.parse().map_err(|error| Wrong::other(&[], error))?;
            Ok(Keep::Matching(pattern))
        }
        list @ Value::Array(_) => Ok(Keep::Layers(read(list)?)),
        other => Err(Wrong::other(
            &[],
            format!("a pattern of names is expected, not {}", super::tree::kind(&other)),
        )),
    }
}

/// A key that is neither the trial's own nor one of training could have been either.
fn with_own_names(mut wrong: Wrong) -> Wrong {
    if let (1, What::Unknown { expected, .. }) = (wrong.path.len(), &mut wrong.what) {
        expected.retain(|name| name != "seed");
        expected.splice(0..0, OWN.map(String::from));
    }
    wrong
}

/// The key of the setting that an error of training names.
fn setting_of(error: &selvedge_train::TrainError) -> &'static str {
    match error {
        selvedge_train::TrainError::Setting { name, .. } => match *name {
            "batch size" => "batch_size",
            "learning rate" => "learning_rate",
            "weight decay" => "weight_decay",
            "accumulated batches" => "accumulate",
            "epochs" => "epochs",
            "l2" => "l2",
            "momentum" | "betas" | "epsilon" => "optimizer",
            "patience" | "min_delta" => "early_stopping",
            name if name.contains("averag") || name.contains("decay of the") => "averaging",
            name if name.contains("step size")
                || name.contains("milestone")
                || name.contains("gamma")
                || name.contains("warm") =>
            {
                "schedule"
            }
            _ => "",
        },
        _ => "",
    }
}

/// The same settings with every name that stands for a table as that table.
pub(crate) fn expanded(table: Table) -> Table {
    let expand = |(key, value): (String, Value)| {
        let value = match value {
            Value::String(text) if NAMED.contains(&key.as_str()) => {
                Value::Table(named(&key, &text))
            }
            Value::Table(mut table) if key == "dataset" && !table.contains_key("classes") => {
                // A name with classes in brackets, beside other settings.
                if let Some(Value::String(text)) = table.remove("name") {
                    table.extend(named(&key, &text));
                }
                Value::Table(table)
            }
            value => value,
        };
        (key, value)
    };
    table.into_iter().map(expand).collect()
}

/// Gives what is trained before the settings of the base that it does not have itself.
pub(crate) fn inherit(table: &mut Table, base: &Table) {
    let Some(Value::Table(pretrain)) = table.get_mut("pretrain") else { return };
    if pretrain.contains_key("weights") {
        return;
    }
    for (key, value) in base {
        if !["pretrain", "freeze"].contains(&key.as_str()) && !pretrain.contains_key(key) {
            pretrain.insert(key.clone(), value.clone());
        }
    }
    inherit(pretrain, base);
}

/// `{ name = text }`; of a data set with the classes that stand in brackets.
fn named(key: &str, text: &str) -> Table {
    let mut table = Table::new();
    let parts = text.strip_suffix(']').and_then(|text| text.split_once('['));
    match parts.filter(|_| key == "dataset") {
        Some((name, classes)) => {
            let labels = format!("x = [{classes}]").parse::<Table>();
            let classes = labels.ok().and_then(|mut table| table.remove("x"));
            let text = parts.map(|(_, classes)| Value::String(classes.trim().into()));
            table.insert("name".into(), Value::String(name.trim().into()));
            table.extend(classes.or(text).map(|classes| ("classes".into(), classes)));
        }
        None => {
            table.insert("name".into(), Value::String(text.into()));
        }
    }
    table
}

/// Sets what a path of keys leads to. Tables are made on the way, and names become tables.
pub(crate) fn set(table: &mut Table, path: &[String], value: Value) -> Result<(), Wrong> {
    let Some((key, rest)) = path.split_first() else { return Ok(()) };
    if rest.is_empty() {
        table.insert(key.clone(), value);
        return Ok(());
    }
    let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
    if let (Value::String(text), true) = (&*inner, NAMED.contains(&key.as_str())) {
        *inner = Value::Table(named(key, text));
    }
    match inner {
        Value::Table(inner) => set(inner, rest, value).map_err(|wrong| wrong.below(key)),
        other => {
            let message = format!("it is {}, which has no `{}`", super::tree::kind(other), rest[0]);
            Err(Wrong::other(&[key], message))
        }
    }
}

impl TrialConfig {
    /// One epoch on a fiftieth of the training images.
    pub(crate) fn make_quick(&mut self) {
        self.fit = FitConfig {
            epochs: 1,
            early_stopping: None,
            averaging: None,
            schedule: selvedge_train::Schedule::constant(),
            ..self.fit.clone()
        };
        self.dataset.fraction *= 0.02;
        self.dataset.evaluation_fraction *= 0.05;
        if let Some(pretraining) = &mut self.pretrain {
            pretraining.trial.make_quick();
        }
    }

    /// The settings as a file would have them.
    pub(crate) fn to_table(&self) -> Table {
        let mut table = Table::try_from(self).expect("settings are data of TOML");
        // Those of training stand beside the others, and the seed is not one of them.
        if let Some(Value::Table(mut fit)) = table.remove("fit") {
            fit.remove("seed");
            table.extend(fit);
        }
        if let Some(pretraining) = &self.pretrain {
            table.insert("pretrain".into(), Value::Table(pretraining.to_table()));
        }
        table
    }
}

impl Pretraining {
    fn to_table(&self) -> Table {
        let mut table = match &self.weights {
            Some(_) => Table::new(),
            None => self.trial.to_table(),
        };
        let keep = match &self.keep {
            Keep::AllButHead => Value::String("all_but_head".into()),
            Keep::Layers(layers) => layers.clone().into(),
            Keep::Matching(pattern) => Value::String(pattern.to_string()),
        };
        table.insert("keep".into(), keep);
        let weights = self.weights.as_ref().map(|path| path.display().to_string());
        table.extend(weights.map(|path| ("weights".into(), Value::String(path))));
        table
    }
}
