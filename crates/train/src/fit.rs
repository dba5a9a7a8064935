use std::time::Instant;

use burn::optim::{GradientsParams, ModuleOptimizer};
use rand::SeedableRng;
use selvedge_data::{BatchLoader, Normalization, View};
use selvedge_models::Rng;
use serde::{Deserialize, Serialize};

use crate::error::require;
use crate::evaluate::{check_classes, cross_entropy, to_host};
use crate::metrics::{Totals, predictions};
use crate::progress::EpochDisplay;
use crate::{
    Classifier, Context, EpochRecord, History, Metrics, OptimizerConfig, TrainError, evaluate,
};

/// How a classifier is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Step size.
    pub learning_rate: f64,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// Share of each parameter that is added to its gradient: λ‖p‖²/2 in the loss, as in PyTorch.
    pub weight_decay: f64,
    /// Ends the run after this many epochs without a lower validation loss.
    pub patience: Option<usize>,
    /// Decides the order of the images and the dropout.
    pub seed: u64,
}

impl Default for FitConfig {
    /// Ten epochs of Adam at 1e-3 in batches of 128, seed 0.
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            learning_rate: 1e-3,
            optimizer: OptimizerConfig::Adam,
            weight_decay: 0.0,
            patience: None,
            seed: 0,
        }
    }
}

impl FitConfig {
    /// Builds the optimizer if every setting is in its range.
    pub(crate) fn check(&self) -> Result<ModuleOptimizer, TrainError> {
        require(self.epochs > 0, "epochs", self.epochs, "at least 1")?;
        require(self.patience != Some(0), "patience", 0, "at least 1")?;
        let rate = self.learning_rate;
        require(rate > 0.0 && rate.is_finite(), "learning rate", rate, "above 0")?;
        self.optimizer.init(self.weight_decay)
    }
}

/// What a classifier is trained on.
#[derive(Clone, Debug)]
pub struct FitData {
    /// The images that are learned.
    pub train: View,
    /// The images that decide which epoch was best.
    pub validation: View,
    /// How pixels become numbers.
    pub normalization: Normalization,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Fitted<M> {
    /// The model of the epoch of lowest validation loss, ready for inference.
    pub model: M,
    /// What happened, epoch by epoch.
    pub history: History,
    /// The epoch that [`model`](Self::model) is from.
    pub best: EpochRecord,
    /// Whether the run was stopped before its last epoch was complete.
    pub stopped: bool,
    /// Training images a second, measured over the training steps alone.
    pub images_per_second: f64,
}

/// Keeps dropout apart from the initial weights, which are drawn by the same generator ("dropout").
const DROPOUT: u64 = 0x0064_726F_706F_7574;

/// Trains `model` and returns it as it was after its best epoch.
///
/// Loss and accuracy count images, not batches. The run ends early if the loss is not finite (an
/// error), if validation stops improving for [`FitConfig::patience`] epochs, or if
/// [`Context::stop`] is raised: then the epochs that are complete are the result.
///
/// # Errors
///
/// [`TrainError::Setting`] for a setting out of range, [`TrainError::Data`] for data that cannot be
/// batched, [`TrainError::Classes`] if the model does not fit the classes, [`TrainError::Diverged`]
/// with epoch and batch, [`TrainError::Stopped`] if no epoch was complete.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::{ImageDataset, Normalization};
/// use selvedge_models::{Architecture, Init};
/// use selvedge_train::{Context, FitConfig, FitData, fit};
///
/// // Two classes of 4 × 4 images: dark and bright.
/// let pixels = (0..64).flat_map(|i| [if i % 2 == 0 { 20 } else { 200 }; 16]).collect();
/// let labels = (0..64).map(|i| i % 2).collect();
/// let names = vec!["dark".to_string(), "bright".to_string()];
/// let images = ImageDataset::new("brightness", pixels, [1, 4, 4], labels, names)?.view();
///
/// let device = Device::flex();
/// let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 2);
/// let model = network.init(Init::PyTorch, 0, &device)?;
/// let data = FitData {
///     normalization: Normalization::standardized(&images),
///     train: images.clone(),
///     validation: images,
/// };
/// let config = FitConfig { learning_rate: 0.05, batch_size: 16, ..FitConfig::default() };
/// let fitted = fit(model, &data, &config, &Context::new(&device))?;
/// assert_eq!(fitted.best.validation.accuracy, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit<M: Classifier>(
    model: M,
    data: &FitData,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M>, TrainError> {
    let optimizer = config.check()?;
    let device = context.device.clone().autodiff();
    let loader =
        BatchLoader::new(data.train.clone(), config.batch_size, &data.normalization, &device)?
            .with_shuffle(config.seed);
    let mut trainer = Trainer {
        model: Some(model.fork(&context.device).train()),
        optimizer,
        learning_rate: config.learning_rate,
        rng: Rng::seed_from_u64(config.seed ^ DROPOUT),
    };
    // For models that draw from the device, such as Burn's own dropout.
    device.seed(config.seed);

    let mut history = History::default();
    let mut best: Option<(EpochRecord, M)> = None;
    let (mut images, mut training_seconds) = (0, 0.0);
    let mut stopped = false;
    for epoch in 1..=config.epochs {
        let start = Instant::now();
        let display = context.progress.epoch(epoch, config.epochs, loader.num_images());
        let pass = trainer.pass(&loader, epoch, context, &display)?;
        images += pass.images;
        let pass_seconds = start.elapsed().as_secs_f64();
        training_seconds += pass_seconds;
        if pass.images < loader.num_images() {
            stopped = true;
            break;
        }
        let snapshot = trainer.model().valid();
        let validation =
            evaluate(&snapshot, &data.validation, &data.normalization, context)?.metrics;
        if !validation.loss.is_finite() {
            let (batch, loss) = (loader.num_batches(), validation.loss);
            return Err(TrainError::Diverged { what: label(context), epoch, batch, loss });
        }
        let record = EpochRecord {
            epoch,
            train: pass.metrics(),
            validation,
            seconds: start.elapsed().as_secs_f64(),
        };
        display.finish(&record, pass.images as f64 / pass_seconds);
        history.epochs.push(record.clone());
        if best.as_ref().is_none_or(|(b, _)| validation.loss < b.validation.loss) {
            best = Some((record, snapshot));
        }
        let best_epoch = best.as_ref().map_or(epoch, |(b, _)| b.epoch);
        if config.patience.is_some_and(|patience| epoch - best_epoch >= patience) {
            break;
        }
    }
    let what = label(context);
    let (best, model) = best.ok_or(TrainError::Stopped { what })?;
    Ok(Fitted {
        model,
        history,
        best,
        stopped,
        images_per_second: images as f64 / training_seconds.max(f64::MIN_POSITIVE),
    })
}

/// What changes from step to step.
struct Trainer<M> {
    /// `None` only within a step, while the optimizer holds it.
    model: Option<M>,
    optimizer: ModuleOptimizer,
    learning_rate: f64,
    rng: Rng,
}

fn label(context: &Context) -> String {
    context.progress.label().to_string()
}

const WHOLE: &str = "the model is put back after every step";

impl<M: Classifier> Trainer<M> {
    fn model(&self) -> &M {
        self.model.as_ref().expect(WHOLE)
    }

    /// One pass over the training images, or as far as it gets before a stop.
    fn pass(
        &mut self,
        loader: &BatchLoader,
        epoch: usize,
        context: &Context,
        display: &EpochDisplay,
    ) -> Result<Totals, TrainError> {
        let mut totals = Totals::default();
        for (i, batch) in loader.epoch(epoch).enumerate() {
            if context.stop.is_requested() {
                break;
            }
            let model = self.model.as_ref().expect(WHOLE);
            let logits = model.logits_train(batch.images, &mut self.rng);
            let classes = check_classes(&logits, loader.view())?;
            let loss = cross_entropy(logits.clone(), batch.labels);
            let gradients = loss.backward();
            let loss = loss.into_scalar::<f32>() as f64;
            if !loss.is_finite() {
                let batch = i + 1;
                return Err(TrainError::Diverged { what: label(context), epoch, batch, loss });
            }
            let host = to_host(logits);
            let hits = predictions(&host, classes).zip(&batch.targets);
            let right = hits.filter(|(p, t)| *p == **t as usize).count();
            totals.add(batch.targets.len(), loss, right);
            self.step(gradients);
            display.update(&totals);
        }
        Ok(totals)
    }

    fn step(&mut self, gradients: burn::tensor::Gradients) {
        let model = self.model.take().expect(WHOLE);
        let gradients = GradientsParams::from_grads(gradients, &model);
        self.model = Some(self.optimizer.step(self.learning_rate, model, gradients));
    }
}

impl std::fmt::Display for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "loss {:.4}, accuracy {:.2} %", self.loss, 100.0 * self.accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Progress, Stop};
    use burn::tensor::Device;
    use selvedge_data::ImageDataset;
    use selvedge_models::{Architecture, Init, Network, state};

    /// Images of one grey each; bright ones are of class 1.
    fn greys(count: usize) -> View {
        let pixels = (0..count).flat_map(|i| [if i % 2 == 0 { 20 } else { 200 }; 16]).collect();
        let labels = (0..count).map(|i| (i % 2) as u8).collect();
        let classes = vec!["dark".into(), "bright".into()];
        ImageDataset::new("greys", pixels, [1, 4, 4], labels, classes).unwrap().view()
    }

    fn data(normalization: Normalization) -> FitData {
        let (train, validation) = (greys(50), greys(20));
        FitData { train, validation, normalization }
    }

    fn network() -> Network {
        let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 2);
        network.init(Init::PyTorch, 0, &Device::flex()).unwrap()
    }

    fn sgd(learning_rate: f64, epochs: usize) -> FitConfig {
        let optimizer = OptimizerConfig::Sgd { momentum: 0.0, nesterov: false };
        FitConfig { learning_rate, epochs, batch_size: 16, optimizer, ..FitConfig::default() }
    }

    #[test]
    fn a_diverging_run_names_epoch_and_batch() {
        let result = fit(network(), &data(Normalization::raw()), &sgd(1e36, 3), &context());
        let Err(TrainError::Diverged { epoch, batch, loss, .. }) = result else {
            panic!("it did not diverge")
        };
        // The first batch is computed with the initial weights; its step ruins them.
        assert!(epoch == 1 && batch == 2 && !loss.is_finite(), "{epoch} {batch} {loss}");
    }

    fn context() -> Context {
        Context::new(&Device::flex())
    }

    #[test]
    fn the_model_is_the_one_of_the_best_epoch() {
        // One step too far in every epoch: on raw pixels this rate makes the loss jump about.
        let data = data(Normalization::raw());
        let fitted = fit(network(), &data, &sgd(0.002, 12), &context()).unwrap();
        let best = fitted.history.best().unwrap();
        let losses: Vec<f64> = fitted.history.epochs.iter().map(|e| e.validation.loss).collect();
        assert!(best.epoch < 12, "the last epoch is the best, so nothing is shown: {losses:?}");
        assert_eq!(best, &fitted.best);
        let again =
            evaluate(&fitted.model, &data.validation, &data.normalization, &context()).unwrap();
        assert_eq!(again.metrics, best.validation);
    }

    #[test]
    fn patience_ends_a_run_that_no_longer_improves() {
        let config = FitConfig { patience: Some(2), ..sgd(0.002, 50) };
        let fitted = fit(network(), &data(Normalization::raw()), &config, &context()).unwrap();
        assert_eq!(fitted.history.epochs.len(), fitted.best.epoch + 2);
        assert!(!fitted.stopped);
    }

    #[test]
    fn a_stop_before_the_first_epoch_leaves_nothing_to_report() {
        let stop = Stop::default();
        stop.request();
        let context = context().with_stop(stop);
        let result = fit(network(), &data(Normalization::unit()), &sgd(0.1, 2), &context);
        assert!(matches!(result, Err(TrainError::Stopped { .. })));
    }

    #[test]
    fn a_model_for_other_classes_is_refused() {
        let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 3);
        let network = network.init(Init::PyTorch, 0, &Device::flex()).unwrap();
        let error = fit(network, &data(Normalization::unit()), &sgd(0.1, 1), &context());
        let message = error.map(drop).unwrap_err().to_string();
        assert_eq!(message, "the model gives 3 logits, but the images have 2 classes");
    }

    #[test]
    fn showing_progress_changes_nothing() {
        let run = |progress| {
            let context = context().with_progress(progress);
            let fitted = fit(network(), &data(Normalization::unit()), &sgd(0.1, 2), &context);
            state::read(&fitted.unwrap().model)
        };
        let hidden = run(Progress::Hidden);
        assert_eq!(run(Progress::Lines("lines".into())), hidden);
        assert_eq!(run(Progress::Bar("bar".into())), hidden);
    }

    #[test]
    fn the_model_that_was_passed_in_is_not_changed() {
        let before = network();
        let kept = before.clone();
        fit(before, &data(Normalization::unit()), &sgd(0.1, 2), &context()).unwrap();
        assert_eq!(state::read(&kept), state::read(&network()));
    }
}
