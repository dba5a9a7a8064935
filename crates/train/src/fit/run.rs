//! The loop over epochs and batches.

use std::time::Instant;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use rand::SeedableRng;
use selvedge_models::{Rng, state};

use super::{FitConfig, Fitted};
use crate::metrics::Totals;
use crate::progress::EpochDisplay;
use crate::task::{Task, check_images, measure};
use crate::{BatchSource, Context, EpochRecord, FitSource, History, Score, TrainError};

/// Keeps dropout apart from the initial weights, which are drawn by the same generator ("dropout").
const DROPOUT: u64 = 0x0064_726F_706F_7574;

/// Trains `model` for the task and returns it as it was after its best epoch.
pub(crate) fn run<T: Task<M>, M: Module>(
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M, T::Score>, TrainError> {
    let optimizer = config.init_optimizer()?;
    let parameters = state::parameters(&model);
    if !parameters.iter().any(|p| p.trainable) {
        return Err(TrainError::NothingToTrain);
    }
    let device = context.device.clone().autodiff();
    let train = data.train(config.batch_size, config.seed, &device)?;
    let validation = data.validation(T::inference_batch(&model), &context.device)?;
    check_images::<T, M>(&model, &*train)?;
    check_images::<T, M>(&model, &*validation)?;
    let mut trainer = Trainer {
        learning_rate: config.rates(&parameters, T::name(&model))?,
        model: Some(model.fork(&context.device).train()),
        optimizer,
        rng: Rng::seed_from_u64(config.seed ^ DROPOUT),
    };
    // For models that draw from the device, such as Burn's own dropout.
    device.seed(config.seed);

    let mut history = History { epochs: Vec::new() };
    let mut best: Option<(EpochRecord<T::Score>, M)> = None;
    let (mut images, mut training_seconds) = (0, 0.0);
    let mut stopped = false;
    for epoch in 1..=config.epochs {
        let start = Instant::now();
        let display = context.progress.epoch(epoch, config.epochs, train.num_images());
        let pass = trainer.pass::<T>(&*train, epoch, context, &display)?;
        images += pass.totals.images;
        let pass_seconds = start.elapsed().as_secs_f64();
        training_seconds += pass_seconds;
        if pass.totals.images < train.num_images() {
            stopped = true;
            break;
        }
        let snapshot = trainer.model().valid();
        let validation = measure::<T, M>(&snapshot, &*validation, |_, _| {})?;
        let loss = validation.loss();
        if !loss.is_finite() {
            let (what, batch) = (label(context), pass.batches);
            return Err(TrainError::Diverged { what, epoch, batch, loss });
        }
        let record = EpochRecord {
            epoch,
            train: T::score(&pass.totals),
            validation,
            seconds: start.elapsed().as_secs_f64(),
        };
        display.finish(&record, pass.totals.images as f64 / pass_seconds);
        history.epochs.push(record.clone());
        if best.as_ref().is_none_or(|(b, _)| loss < b.validation.loss()) {
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
    learning_rate: ModuleLearningRate,
    rng: Rng,
}

/// One pass over the training images, or as far as it got before a stop.
#[derive(Default)]
struct Pass {
    totals: Totals,
    batches: usize,
}

fn label(context: &Context) -> String {
    context.progress.label().to_string()
}

const WHOLE: &str = "the model is put back after every step";

impl<M: Module> Trainer<M> {
    fn model(&self) -> &M {
        self.model.as_ref().expect(WHOLE)
    }

    fn pass<T: Task<M>>(
        &mut self,
        source: &dyn BatchSource,
        epoch: usize,
        context: &Context,
        display: &EpochDisplay,
    ) -> Result<Pass, TrainError> {
        let mut pass = Pass::default();
        for batch in source.batches(epoch) {
            if context.stop.is_requested() {
                break;
            }
            pass.batches += 1;
            let model = self.model.as_ref().expect(WHOLE);
            let outputs = T::learn(model, &batch, &mut self.rng);
            T::check(&outputs, &batch, source.classes().len())?;
            let loss = T::loss(outputs.clone(), &batch);
            let gradients = loss.backward();
            let loss = loss.into_scalar::<f32>() as f64;
            if !loss.is_finite() {
                let (what, batch) = (label(context), pass.batches);
                return Err(TrainError::Diverged { what, epoch, batch, loss });
            }
            pass.totals.add(&batch, loss, &T::predictions(outputs));
            self.step(gradients);
            let totals = &pass.totals;
            display.update(totals.images, || format!("{} · ", T::score(totals)));
        }
        Ok(pass)
    }

    fn step(&mut self, gradients: burn::tensor::Gradients) {
        let model = self.model.take().expect(WHOLE);
        let gradients = GradientsParams::from_grads(gradients, &model);
        self.model = Some(self.optimizer.step(self.learning_rate.clone(), model, gradients));
    }
}
