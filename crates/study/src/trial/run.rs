use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::Device;
use selvedge_data::{BatchLoader, View};
use selvedge_models::state::{Parameter, parameters};
use selvedge_models::{Bundle, Model, ModelError, Network};
use selvedge_train::{
    ClassificationLoss, Classify, Context, Divergence, EpochRecord, EpochRow, FitConfig, FitData,
    Fitted, Progress, Reconstruct, Score, Task, TrainError, Tta, evaluate, evaluate_task, fit_task,
};

use super::limits::Watch;
use super::record::{Ending, Epoch, Scores, TrialRecord};
use super::{Limits, Plan, Weights};
use crate::StudyError;
use crate::config::{Part, Pretraining, TaskConfig, TestTime};

/// What a trial that was not stopped came to.
pub(crate) struct Trained {
    pub record: TrialRecord,
    /// The model of the best epoch, if there is one, as a file: a bundle of a classifier, of an autoencoder its
    /// weights alone.
    pub model: Option<SavedModel>,
}

/// A model that can be written.
pub(crate) enum SavedModel {
    Classifier(Box<Bundle>),
    Autoencoder(Box<Network>),
}

impl SavedModel {
    /// The file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        match self {
            Self::Classifier(bundle) => bundle.to_bytes(),
            Self::Autoencoder(network) => network.to_safetensors_bytes(),
        }
    }
}

/// Runs a trial; `None` if it was stopped. `weights` are those of the trial before it, if it has one.
pub(crate) fn train(
    plan: &Plan,
    weights: Option<&Network>,
    device_name: &str,
    context: &Context,
) -> Result<Option<Trained>, StudyError> {
    let Plan { config, seed, data, .. } = plan;
    let split = &data.split;
    let train = plan.train_images()?;
    let images = train.len();
    let normalization = config.normalization.normalization(&train);
    let mut fit_data = FitData::new(train, split.validation.clone(), normalization)
        .with_transforms(config.transforms.clone());
    fit_data.mix = config.mix;
    fit_data.input_noise = config.input_noise;
    fit_data.noisy_targets = config.noisy_targets;
    let network = first_network(plan, weights, &context.device, WHITENING_IMAGES)?;
    let parameters = network.trainable_params();
    let fit = FitConfig { seed: *seed, ..config.fit.clone() };
    let run = Run {
        network,
        data: &fit_data,
        fit: &fit,
        test: split.test.as_ref(),
        views: config.test_time.and_then(TestTime::views),
        limits: plan.limits.as_ref(),
        context,
    };
    let start = Instant::now();
    let Some(outcome) = (match &config.task {
        TaskConfig::Classify { loss } => {
            let task = Classify { loss: loss.clone() };
            let measures = if *loss == ClassificationLoss::default() {
                Classes::Plain
            } else {
                Classes::Other
            };
            run.of(&task, measures)?
        }
        TaskConfig::Reconstruct { loss } => run.of(&Reconstruct { loss: *loss }, Classes::None)?,
    }) else {
        return Ok(None);
    };
    // A trial that went on from a checkpoint has the seconds of its epochs, too.
    let epochs: f64 = outcome.rows.iter().map(|row| row.seconds).sum();
    let is_whole = !matches!(outcome.ending, Ending::Pruned { .. });
    let record = TrialRecord {
        key: if is_whole { &plan.key } else { plan.place() }.into(),
        seed: *seed,
        ending: outcome.ending,
        best_epoch: outcome.best_epoch,
        images,
        parameters,
        device: device_name.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        seconds: start.elapsed().as_secs_f64().max(epochs),
        columns: outcome.columns.iter().map(ToString::to_string).collect(),
        scores: outcome.scores,
        settings: config.to_table(),
        data: data.checksum.clone(),
        confusion: outcome.confusion,
        epochs: outcome.rows.iter().map(Epoch::from).collect(),
    };
    let model = outcome.model.map(|model| match config.task.is_reconstruct() {
        true => SavedModel::Autoencoder(Box::new(model)),
        false => SavedModel::Classifier(Box::new(Bundle::new(model, &fit_data))),
    });
    Ok(Some(Trained { record, model }))
}

/// Of so many images a first layer learns how values under its kernel go together, as in Jordan's program (2024).
const WHITENING_IMAGES: usize = 5_000;

/// What is added to the variances of what is whitened, as there.
const WHITENING_EPSILON: f64 = 5e-4;

/// The network with the weights that it begins with. A layer that whitens learns it from so many images.
pub(super) fn first_network(
    plan: &Plan,
    weights: Option<&Network>,
    device: &Device,
    whitening_images: usize,
) -> Result<Network, StudyError> {
    let Plan { config, seed, network, .. } = plan;
    let mut network = network.init(config.initialization, *seed, device)?;
    if let Some(layer) = &config.whiten {
        let train = plan.train_images()?;
        let normalization = config.normalization.normalization(&train);
        // From all over the images, which may be sorted by class.
        let count = train.len().min(whitening_images);
        let some: Vec<usize> = (0..count).map(|i| i * train.len() / count).collect();
        let loader = BatchLoader::new(train, some.len().max(1), &normalization, device)?;
        network = network.whiten(layer, loader.gather(&some)?.images, WHITENING_EPSILON)?;
    }
    let mut unfit = Vec::new();
    if let Some(pretraining) = &config.pretrain {
        (network, unfit) = carried_over(plan, pretraining, network, weights)?;
    }
    if let Some(pattern) = &config.freeze {
        network = network.freeze(pattern)?;
        let (all, whitened) = (parameters(&network), config.whiten.as_deref());
        unfit.retain(|name| layer(name) != whitened && is_settled(&all, name));
        // They would stay as chance drew them, and the result would say nothing about the weights.
        if !unfit.is_empty() {
            return Err(StudyError::FrozenUnfit { unfit });
        }
    }
    Ok(network)
}

/// `network` with what is carried over of a file, or of a trial's `weights`, and the names of what was to be and does not
/// fit.
fn carried_over(
    plan: &Plan,
    pretraining: &Pretraining,
    network: Network,
    weights: Option<&Network>,
) -> Result<(Network, Vec<String>), StudyError> {
    let keep = &pretraining.keep;
    let Some(Weights::File(file)) = &plan.pretrained else {
        let weights = weights.expect("a trial is run after the one that has its weights");
        let (network, report) = network.transfer_from(weights, keep)?;
        return Ok((network, report.unfit));
    };
    let (of_file, taken) = file.load_into(network.clone())?;
    let (network, report) = network.transfer_from(&of_file, keep)?;
    // What is not in the file was copied from what chance drew.
    let (from_file, unfit): (Vec<_>, Vec<_>) =
        report.copied.into_iter().partition(|name| taken.contains(name));
    if from_file.is_empty() {
        let source_name = pretraining.weights.iter().map(|path| path.display().to_string());
        return Err(StudyError::Model(ModelError::NothingFits {
            architecture: network.architecture().name.clone(),
            source_name: source_name.collect(),
            unfit,
        }));
    }
    Ok((network, unfit))
}

/// The layer of a tensor of this name.
fn layer(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(layer, _)| layer)
}

/// Whether training leaves a tensor as it is, of a network with these parameters: one that is frozen, or the running statistics of a layer all
/// parameters of which are.
fn is_settled(all: &[Parameter], name: &str) -> bool {
    if let Some(own) = all.iter().find(|parameter| parameter.name == name) {
        return !own.trainable;
    }
    let mut beside =
        all.iter().filter(|parameter| layer(&parameter.name) == layer(name)).peekable();
    beside.peek().is_some() && beside.all(|parameter| !parameter.trainable)
}

/// A training, whatever the task.
struct Run<'a> {
    network: Network,
    data: &'a FitData,
    fit: &'a FitConfig,
    test: Option<&'a View>,
    /// In which views a classifier sees the test images, if not as they are.
    views: Option<Tta>,
    limits: Option<&'a Limits>,
    context: &'a Context,
}

/// What there is to know about classes.
#[derive(Clone, Copy, PartialEq)]
enum Classes {
    /// There are none.
    None,
    /// They are learned by cross-entropy: to see which are confused measures everything.
    Plain,
    /// They are learned by another loss.
    Other,
}

/// What came of it.
struct Outcome {
    ending: Ending,
    columns: &'static [&'static str],
    rows: Vec<EpochRow>,
    best_epoch: usize,
    scores: Scores,
    confusion: BTreeMap<Part, selvedge_train::ConfusionMatrix>,
    model: Option<Network>,
}

impl Outcome {
    fn without_model(
        ending: Ending,
        columns: &'static [&'static str],
        rows: Vec<EpochRow>,
    ) -> Self {
        let (scores, confusion) = (Scores::new(), BTreeMap::new());
        Self { ending, columns, rows, best_epoch: 0, scores, confusion, model: None }
    }
}

impl Run<'_> {
    fn of<T: Task>(self, task: &T, classes: Classes) -> Result<Option<Outcome>, TrainError> {
        let columns = T::Score::COLUMNS;
        let diverged = |epoch, batch| Ending::Diverged { epoch, batch };
        let watch = self.limits.map(Watch::new);
        let context = match &watch {
            Some(watch) => &self.context.clone().with_observer(watch.clone()),
            None => self.context,
        };
        let fitted = fit_saved_or_not(task, self.network, self.data, self.fit, context);
        // A training that went on from its last epoch is not watched any more.
        let rows = match (&fitted, &watch) {
            (Ok(fitted), Some(_)) => Some(fitted.history.rows()),
            (_, Some(watch)) => watch.ended(),
            _ => None,
        };
        if let (Some(limits), Some(mut rows)) = (self.limits, rows)
            && let Some(epoch) = limits.epoch_of(&rows)
        {
            rows.truncate(epoch);
            return Ok(Some(Outcome::without_model(Ending::Pruned { epoch }, columns, rows)));
        }
        let fitted = match fitted {
            Ok(fitted) if fitted.stopped => return Ok(None),
            Ok(fitted) => fitted,
            Err(TrainError::Stopped { .. }) => return Ok(None),
            // Before the first epoch was whole: there is no model.
            Err(TrainError::Diverged { epoch, batch, .. }) => {
                let ending = diverged(epoch, batch);
                return Ok(Some(Outcome::without_model(ending, columns, Vec::new())));
            }
            Err(error) => return Err(error),
        };
        let ending = match fitted.diverged {
            Some(Divergence { epoch, batch, .. }) => diverged(epoch, batch),
            None => Ending::Complete {},
        };
        let EpochRecord { epoch: best_epoch, train, validation, .. } = fitted.best;
        let mut scores = Scores::from([(Part::Train, named(&train))]);
        scores.extend(validation.map(|score| (Part::Validation, named(&score))));
        let mut confusion = BTreeMap::new();
        let normalization = &self.data.normalization;
        if let Some(test) = self.test.filter(|_| classes != Classes::Plain) {
            let device = &self.context.device;
            let batch = fitted.model.inference_batch();
            let source = BatchLoader::new(test.clone(), batch, normalization, device)?;
            let source = match self.data.input_noise {
                Some(amount) => source.with_input_noise(amount)?,
                None => source,
            };
            let score = evaluate_task(task, &fitted.model, &source)?;
            scores.insert(Part::Test, named(&score));
        }
        if classes != Classes::None {
            let parts =
                [(Part::Validation, self.data.validation.as_ref()), (Part::Test, self.test)];
            for (part, view) in parts {
                if let Some(view) = view {
                    let (model, context) = (&fitted.model, self.context);
                    let evaluation = match self.views.as_ref().filter(|_| part == Part::Test) {
                        Some(views) => views.evaluate(model, view, normalization, context)?,
                        None => evaluate(model, view, normalization, context)?,
                    };
                    if part == Part::Test && classes == Classes::Plain {
                        scores.insert(part, named(&evaluation.metrics));
                    } else if part == Part::Test && self.views.is_some() {
                        // The loss stays that which was learned.
                        let found = named(&evaluation.metrics).into_iter();
                        let found = found.filter(|(name, _)| name != "loss");
                        scores.entry(part).or_default().extend(found);
                    }
                    confusion.insert(part, evaluation.confusion);
                }
            }
        }
        Ok(Some(Outcome {
            ending,
            columns,
            rows: fitted.history.rows(),
            best_epoch,
            scores,
            confusion,
            model: Some(fitted.model),
        }))
    }
}

/// Trains; without checkpoints where they cannot be written, which is told: the figures are worth more than what a kill
/// would cost.
pub(crate) fn fit_saved_or_not<T: Task>(
    task: &T,
    network: Network,
    data: &FitData,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<Network, T::Score>, TrainError> {
    match fit_task(task, network.clone(), data, config, context) {
        Err(error @ TrainError::Folder { .. }) => {
            if !matches!(context.progress, Progress::Hidden) {
                Progress::message(&format!("{error}; it is trained without being saved meanwhile"));
            }
            let mut context = context.clone();
            context.run_folder = None;
            fit_task(task, network, data, config, &context)
        }
        fitted => fitted,
    }
}

fn named<S: Score>(score: &S) -> BTreeMap<String, f64> {
    S::COLUMNS.iter().map(ToString::to_string).zip(score.values()).collect()
}
