//! The loop over epochs and batches.

use std::time::Instant;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use selvedge_data::BatchSource;
use selvedge_models::{Model, state};

use super::state::TrainState;
use super::{FitConfig, Fitted};
use crate::progress::EpochDisplay;
use crate::task::{Task, check_images, measure, no_batches};
use crate::{Context, EpochRecord, FitSource, Score, Totals, TrainError};

/// Trains `model` for the task and returns it as it was after its best epoch.
pub(super) fn run<T: Task, M: Model>(
    task: &T,
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M, T::Score>, TrainError> {
    task.check()?;
    let optimizer = config.optimizer()?;
    let parameters = state::parameters(&model);
    if !parameters.iter().any(|p| p.trainable) {
        return Err(TrainError::NothingToTrain);
    }
    let device = context.device.clone().autodiff();
    let train = data.train(config.batch_size, config.seed, &device)?;
    let validation = data.validation(model.inference_batch(), &context.device)?;
    check_images(&model, &*train)?;
    check_images(&model, &*validation)?;
    task.check_data(&*train)?;
    task.check_data(&*validation)?;
    let rates = config.learning_rates(&parameters, model.name())?;
    let run = Run { task, context, rates: &rates, train: &*train };
    let model = model.fork(&context.device).train();
    let mut state = TrainState::new(model, optimizer, config.seed);
    // For models that draw from the device, such as Burn's own dropout.
    device.seed(config.seed);

    let (mut images, mut training_seconds) = (0, 0.0);
    let mut stopped = false;
    for epoch in 1..=config.epochs {
        let start = Instant::now();
        let display = context.progress.epoch(epoch, config.epochs, train.num_images());
        let pass = run.pass(&mut state, epoch, &display)?;
        images += pass.totals.images;
        let pass_seconds = start.elapsed().as_secs_f64();
        training_seconds += pass_seconds;
        if pass.stopped {
            stopped = true;
            break;
        }
        let snapshot = state.model().valid();
        let score = measure(task, &snapshot, &*validation, |_, _| {})?;
        if !score.loss().is_finite() {
            return Err(run.diverged(epoch, pass.batches, score.loss()));
        }
        let record = EpochRecord {
            epoch,
            train: task.score(&pass.totals),
            validation: score,
            seconds: start.elapsed().as_secs_f64(),
        };
        display.finish(&record, pass.totals.images as f64 / pass_seconds);
        state.finish_epoch(record, snapshot);
        if config.patience.is_some_and(|patience| state.epochs_without_progress() >= patience) {
            break;
        }
    }
    let (best, model, history) = state.into_best(context.progress.label())?;
    Ok(Fitted {
        model,
        history,
        best,
        stopped,
        images_per_second: images as f64 / training_seconds.max(f64::MIN_POSITIVE),
    })
}

/// What stays the same through a run.
struct Run<'a, T> {
    task: &'a T,
    context: &'a Context,
    rates: &'a ModuleLearningRate,
    train: &'a dyn BatchSource,
}

/// One pass over the training images, or as far as it got before a stop.
#[derive(Default)]
struct Pass {
    totals: Totals,
    batches: usize,
    stopped: bool,
}

impl<T: Task> Run<'_, T> {
    fn pass<M: Model>(
        &self,
        state: &mut TrainState<M, T::Score>,
        epoch: usize,
        display: &EpochDisplay,
    ) -> Result<Pass, TrainError> {
        let classes = self.train.classes().len();
        let mut pass = Pass::default();
        for batch in self.train.batches(epoch) {
            if self.context.stop.is_requested() {
                pass.stopped = true;
                break;
            }
            let batch = batch?;
            pass.batches += 1;
            let outputs = state.outputs(batch.images.clone());
            let loss = self.task.loss(outputs.clone(), &batch, classes)?;
            let gradients = loss.backward();
            let loss = f64::from(loss.into_scalar::<f32>());
            if !loss.is_finite() {
                return Err(self.diverged(epoch, pass.batches, loss));
            }
            let weight = self.task.weight(&batch);
            pass.totals.add_weighted(&batch, weight, loss, &self.task.predictions(outputs));
            state.step(gradients, self.rates);
            let totals = &pass.totals;
            display.update(totals.images, || format!("{} · ", self.task.score(totals)));
        }
        match pass.batches {
            0 if !pass.stopped => Err(no_batches("training")),
            _ => Ok(pass),
        }
    }

    fn diverged(&self, epoch: usize, batch: usize, loss: f64) -> TrainError {
        let what = self.context.progress.label().to_string();
        TrainError::Diverged { what, epoch, batch, loss }
    }
}
