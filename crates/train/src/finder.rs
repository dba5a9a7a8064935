//! Which learning rate to begin with.

mod curve;

use burn::optim::GradientsParams;
use rand::SeedableRng;
use selvedge_data::{Batch, BatchSource};
use selvedge_models::{Model, Rng, state};
use serde::{Deserialize, Serialize};

use crate::error::require;
use crate::task::{check_images, no_batches};
use crate::{Context, FitConfig, FitSource, Task, TrainError};

pub use curve::{LearningRateCurve, LearningRatePoint};

/// The rates that a search for a learning rate goes through, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearningRateFinder {
    /// The first rate, above 0: 1e-7.
    pub start: f64,
    /// The last rate, above the first: 10.
    pub end: f64,
    /// How many steps lead from one to the other, each by the same factor, at least 20: 100.
    pub steps: usize,
    /// Share of the average loss so far that is kept with each new one, at least 0 and below 1: 0.98.
    pub smoothing: f64,
    /// The search ends where the smoothed loss is so many times the lowest one, above 1: 4.
    pub diverged_at: f64,
}

impl Default for LearningRateFinder {
    /// fastai's settings.
    fn default() -> Self {
        Self { start: 1e-7, end: 10.0, steps: 100, smoothing: 0.98, diverged_at: 4.0 }
    }
}

/// Keeps what is drawn here apart from whatever else is drawn from the same seed ("finder").
const FINDER: u64 = 0x6669_6E64_6572;

/// The loss at learning rates that grow with every step (Smith, 2017, *Cyclical learning rates*), with
/// the settings of fastai's `lr_find`; see [`LearningRateFinder::find`].
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::ImageDataset;
/// use selvedge_models::{Architecture, Initialization};
/// use selvedge_train::{Classify, Context, FitConfig, FitData, find_learning_rate, fit};
///
/// # let pixels = (0..64).flat_map(|i| [if i % 2 == 0 { 20 } else { 200 }; 16]).collect();
/// # let labels = (0..64).map(|i| i % 2).collect();
/// # let names = vec!["dark".to_string(), "bright".to_string()];
/// # let images = ImageDataset::new("brightness", pixels, [1, 4, 4], labels, names)?;
/// # let data = FitData::from(images.view().split_stratified(0.75, 1)?);
/// # let context = Context::new(&Device::flex());
/// # let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 2);
/// # let model = network.init(Initialization::PyTorch, 0, &Device::flex())?;
/// let config = FitConfig { batch_size: 16, ..FitConfig::default() };
/// let curve = find_learning_rate(&Classify::default(), &model, &data, &config, &context)?;
/// let learning_rate = curve.valley().unwrap_or(config.learning_rate);
/// let fitted = fit(model, &data, &FitConfig { learning_rate, ..config }, &context)?;
/// # assert!(fitted.best.score().accuracy > 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`LearningRateFinder::find`].
pub fn find_learning_rate<T: Task, M: Model>(
    task: &T,
    model: &M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<LearningRateCurve, TrainError> {
    LearningRateFinder::default().find(task, model, data, config, context)
}

impl LearningRateFinder {
    /// Trains a copy of `model` with a rate that grows by the same factor with every step, and notes the
    /// loss of each batch before its step. The model itself stays as it is.
    ///
    /// Of `config` the batch size, the optimizer, the weight decay, the seed and the factors of parameter
    /// groups count; its own learning rate and its epochs do not. The training data is gone through again
    /// and again until the steps are done. The search ends early where the loss has become
    /// [so much](Self::diverged_at) larger, or is not finite.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a range or another setting that cannot be,
    /// [`TrainError::NothingToTrain`] if everything is frozen, [`TrainError::Diverged`] if the very first
    /// loss is not finite, [`TrainError::Stopped`] if the stop of `context` is raised; and what
    /// [`fit_task`](crate::fit_task) refuses.
    pub fn find<T: Task, M: Model>(
        &self,
        task: &T,
        model: &M,
        data: &impl FitSource,
        config: &FitConfig,
        context: &Context,
    ) -> Result<LearningRateCurve, TrainError> {
        self.check()?;
        task.check()?;
        config.check()?;
        let parameters = state::parameters(model);
        if !parameters.iter().any(|p| p.trainable) {
            return Err(TrainError::NothingToTrain);
        }
        let mut optimizer = config.optimizer(&parameters, model.name())?;
        let rates = config.rates(&parameters, model.name())?;
        let device = context.device.clone().autodiff();
        let train = data.train(config.batch_size, config.seed, &device)?;
        check_images(model, &*train)?;
        task.check_data(&*train)?;
        let what = format!("{} · learning rate", context.progress.label());
        let display = context.progress.pass(what.clone(), self.steps * config.batch_size);

        // Made for inference first: only thus does the copy have running statistics of its own whatever
        // the module.
        let mut model = model.valid().fork(&context.device).train();
        let mut rng = Rng::seed_from_u64(config.seed ^ FINDER);
        device.seed(config.seed);
        let mut batches = Endless { source: &*train, epoch: 0, batches: None };
        let mut losses = Smoothed { keep: self.smoothing, ..Smoothed::default() };
        let (mut curve, mut images) = (LearningRateCurve::default(), 0);
        for step in 0..self.steps {
            if context.stop.is_requested() {
                return Err(TrainError::Stopped { what });
            }
            let batch = batches.next()?;
            let outputs = model.forward_train(batch.images.clone(), &mut rng);
            let loss = task.loss(outputs, &batch, train.classes().len())?;
            let gradients = loss.backward();
            let loss = f64::from(loss.into_scalar::<f32>());
            if !loss.is_finite() {
                if curve.points.is_empty() {
                    return Err(TrainError::Diverged { what, epoch: 1, batch: 1, loss });
                }
                curve.diverged = true;
                break;
            }
            let learning_rate = self.rate(step);
            let smoothed = losses.add(loss);
            curve.points.push(LearningRatePoint { learning_rate, loss, smoothed });
            if losses.rose_to(self.diverged_at) {
                curve.diverged = true;
                break;
            }
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(rates.at(learning_rate), model, gradients);
            images += batch.len();
            display.update(images, || format!("rate {learning_rate:.1e}, loss {smoothed:.4} · "));
        }
        display.finish_pass(images);
        Ok(curve)
    }

    fn check(&self) -> Result<(), TrainError> {
        let (start, end) = (self.start, self.end);
        require(start > 0.0 && start.is_finite(), "first learning rate", start, "above 0")?;
        require(end > start && end.is_finite(), "last learning rate", end, "above the first one")?;
        require(self.steps >= 20, "steps of the search", self.steps, "at least 20")?;
        let smoothing = self.smoothing;
        let possible = (0.0..1.0).contains(&smoothing);
        require(possible, "smoothing of the loss", smoothing, "at least 0 and below 1")?;
        require(self.diverged_at > 1.0, "divergence factor", self.diverged_at, "above 1")
    }

    fn rate(&self, step: usize) -> f64 {
        let share = step as f64 / (self.steps - 1) as f64;
        self.start * (self.end / self.start).powf(share)
    }
}

/// The batches of one epoch after another.
struct Endless<'a> {
    source: &'a dyn BatchSource,
    /// The next one, counted from 0.
    epoch: usize,
    batches: Option<Box<dyn Iterator<Item = Result<Batch, selvedge_data::DataError>> + 'a>>,
}

impl Endless<'_> {
    fn next(&mut self) -> Result<Batch, TrainError> {
        if let Some(batch) = self.batches.as_mut().and_then(Iterator::next) {
            return Ok(batch?);
        }
        self.epoch += 1;
        let batches = self.batches.insert(self.source.batches(self.epoch));
        Ok(batches.next().ok_or_else(|| no_batches("training"))??)
    }
}

/// The average of the losses, those long ago counting less and less. It is divided by what their weights
/// are in all, so that the first ones are not drawn towards 0.
#[derive(Default)]
struct Smoothed {
    keep: f64,
    sum: f64,
    weight: f64,
    least: Option<f64>,
}

impl Smoothed {
    fn add(&mut self, loss: f64) -> f64 {
        self.sum = self.keep * self.sum + (1.0 - self.keep) * loss;
        self.weight = self.keep * self.weight + (1.0 - self.keep);
        let value = self.value();
        self.least = Some(self.least.map_or(value, |least| least.min(value)));
        value
    }

    fn value(&self) -> f64 {
        self.sum / self.weight
    }

    /// Whether the average is so many times the least one; a loss may be negative.
    fn rose_to(&self, times: f64) -> bool {
        self.least.is_some_and(|least| self.value() - least > (times - 1.0) * least.abs())
    }
}

#[cfg(test)]
mod tests;
