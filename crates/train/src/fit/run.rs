//! The loop over epochs and batches.

use std::time::Instant;

use burn::tensor::Device;
use selvedge_data::BatchSource;
use selvedge_kernels::end_of_step;
use selvedge_models::{Model, state};

use super::config::Rates;
use super::folder::{RunFolder, Settings};
use super::gradients::Accumulated;
use super::parallel::{Learned, Learning};
use super::state::{TrainState, batch_seed, settings};
use super::stopping::Monitor;
use super::watch::{KeptGradients, Watch};
use super::{Divergence, FitConfig, Fitted};
use crate::error::require;
use crate::meter::{Hopeless, Meter};
use crate::task::{Task, check_images, measure, no_batches};
use crate::{Context, Decay, EndReason, EpochRecord, FitSource, Position, TrainError};

/// Trains `model` for the task and returns it as it was after its best epoch.
pub(super) fn run<T: Task, M: Model>(
    task: &T,
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M, T::Score>, TrainError> {
    task.check()?;
    config.check()?;
    let saves = context.save_every != Some(0);
    require(saves, "steps from one checkpoint to the next", 0, "at least 1")?;
    let monitor = Monitor::new::<T::Score>(&config.monitor)?;
    let parameters = state::parameters(&model);
    if !parameters.iter().any(|p| p.trainable) {
        return Err(TrainError::NothingToTrain);
    }
    let device = context.device.clone().autodiff();
    let train = data.train(config.batch_size, config.seed, &device)?;
    let validation = data.validation(model.inference_batch(), &context.device)?;
    check_images(&model, &*train)?;
    if let Some(validation) = &validation {
        check_images(&model, &**validation)?;
        task.check_data(&**validation)?;
    }
    task.check_data(&*train)?;
    let batches = train.num_batches();
    let batches = batches.unwrap_or_else(|| train.num_images().div_ceil(config.batch_size));
    config.schedule.check_steps(config.epochs, batches.div_ceil(config.accumulate))?;
    monitor.check(&config.schedule)?;
    // Before the folder is made, so that what is refused leaves none.
    let optimizer = config.optimizer(&parameters, model.name())?;
    config.rates(&parameters, model.name())?;
    let mut fit_settings = settings(config)?;
    if !context.others.is_empty() {
        fit_settings.insert("devices".into(), (1 + context.others.len() as i64).into());
    }
    // Nobody else asks, and going through large weights takes its time.
    let is_asked = context.run_folder.is_some() || !context.observers.is_empty();
    let settings = match is_asked {
        true => Settings::new(task, &model, data, fit_settings),
        false => Settings::default(),
    };
    let model = model.fork(&context.device);

    let mut folder = match &context.run_folder {
        Some(path) => Some(RunFolder::open(path, &settings)?),
        None => None,
    };
    let restored = match &mut folder {
        Some(folder) => folder.latest(|snapshot| TrainState::restore(&model, config, snapshot))?,
        None => None,
    };
    let mut state = match restored {
        Some(state) => state,
        None => TrainState::new(model.train(), optimizer),
    };
    if let Some(folder) = &mut folder {
        folder.align(&state, data.spec(), validation.is_some())?;
    }
    let run = Run {
        task,
        config,
        context,
        rates: config.rates(&state::parameters(state.model()), state.model().name())?,
        monitor: &monitor,
        train: &*train,
        device,
        others: context.others.iter().map(|device| device.clone().autodiff()).collect(),
        batches,
    };
    let mut watch = Watch::new(context, config.epochs, train.num_images());
    let ended = |state: &TrainState<M, T::Score>| {
        let early = config.early_stopping.is_some_and(|how| how.ends(&monitor, &state.history));
        match state.epoch == config.epochs {
            true => Some(EndReason::Complete),
            false => early.then_some(EndReason::EarlyStopping),
        }
    };
    // A run that came to its end before is told of at once; then there is nothing to watch.
    let is_watched = ended(&state).is_none();
    let path = folder.as_ref().map(RunFolder::path);
    watch.started(&run, &state, &settings, path, !is_watched)?;

    let end = loop {
        if let Some(reason) = ended(&state) {
            break End::of(reason);
        }
        let start = Instant::now();
        let pass = run.pass(&mut state, &mut watch, &mut folder, data)?;
        match pass {
            Pass::Diverged(divergence) => break End::diverged(divergence),
            Pass::Stopped => {
                if let Some(folder) = folder.as_mut().filter(|_| state.batch > 0) {
                    folder.save(&state, data.spec(), false);
                }
                break End::of(EndReason::Stopped);
            }
            Pass::Complete => {}
        }
        let train_score = task.score(&state.totals);
        let snapshot = state.end_steps(config.averaging.as_ref());
        let score = match &validation {
            Some(validation) => Some(measure(task, &snapshot, &**validation, |_, _| {})?),
            None => None,
        };
        let loss = crate::Score::loss(score.as_ref().unwrap_or(&train_score));
        if task.diverged(loss) {
            let (epoch, batch) = (state.epoch + 1, state.batch);
            break End::diverged(Divergence { epoch, batch, loss });
        }
        let record = EpochRecord {
            epoch: state.epoch + 1,
            train: train_score,
            validation: score,
            learning_rate: run.rate(&state, state.step - 1),
            seconds: start.elapsed().as_secs_f64(),
        };
        let is_best = state.finish_epoch(record, snapshot, &monitor);
        if let Some(folder) = &mut folder {
            folder.save(&state, data.spec(), is_best);
        }
        watch.epoch(&state, is_best)?;
    };
    if is_watched {
        watch.ended(&state, end.reason)?;
    }

    let label = context.progress.label();
    if let (Some(Divergence { epoch, batch, loss }), None) = (end.divergence, &state.best) {
        return Err(TrainError::Diverged { what: label.to_string(), epoch, batch, loss });
    }
    let unsaved = folder.as_ref().and_then(|folder| folder.failure().map(String::from));
    let images_per_second = watch.images_per_second();
    let (best, model, history) = state.into_best(label)?;
    Ok(Fitted {
        model,
        history,
        best,
        stopped: end.reason == EndReason::Stopped,
        diverged: end.divergence,
        unsaved,
        images_per_second,
    })
}

/// How a run ended.
struct End {
    reason: EndReason,
    divergence: Option<Divergence>,
}

impl End {
    fn of(reason: EndReason) -> Self {
        Self { reason, divergence: None }
    }

    fn diverged(divergence: Divergence) -> Self {
        Self { reason: EndReason::Diverged, divergence: Some(divergence) }
    }
}

/// What stays the same through a run.
pub(super) struct Run<'a, T> {
    pub task: &'a T,
    pub config: &'a FitConfig,
    context: &'a Context,
    rates: Rates,
    monitor: &'a Monitor,
    train: &'a dyn BatchSource,
    device: Device,
    /// Those that share each batch with it.
    others: Vec<Device>,
    /// Batches an epoch.
    pub batches: usize,
}

/// How a pass over the training images ended.
enum Pass {
    Complete,
    Stopped,
    Diverged(Divergence),
}

impl<T: Task> Run<'_, T> {
    /// The rest of the next epoch, whose totals are then in the state.
    fn pass<M: Model>(
        &self,
        state: &mut TrainState<M, T::Score>,
        watch: &mut Watch,
        folder: &mut Option<RunFolder>,
        data: &impl FitSource,
    ) -> Result<Pass, TrainError> {
        let (config, epoch) = (self.config, state.epoch + 1);
        let classes = self.train.classes().len();
        let learning = Learning { task: self.task, classes, others: &self.others };
        let several = config.accumulate > 1;
        let mut batches = self.train.batches_from(epoch, state.batch);
        let mut meter = Meter::new(self.task, state.totals.clone(), state.batch);
        let mut accumulated = Accumulated::default();
        watch.pass_started(&meter.totals);
        let diverged =
            |at: Hopeless| Ok(Pass::Diverged(Divergence { epoch, batch: at.batch, loss: at.loss }));
        loop {
            if accumulated.batches == 0 && self.context.stop.is_requested() {
                if let Err(at) = meter.read() {
                    return diverged(at);
                }
                state.totals = meter.totals;
                return Ok(Pass::Stopped);
            }
            let Some(batch) = batches.next() else { break };
            let batch = batch?;
            let seed = batch_seed(config.seed, epoch, state.batch);
            // For models that draw from the device, such as Burn's own dropout.
            self.device.seed(seed);
            let Learned { loss, outputs, gradients } =
                learning.learn(state.model(), &batch, seed)?;
            let weight = self.task.weight(&batch);
            accumulated.add(gradients, weight, several, state.model());
            state.batch += 1;
            watch.trained(batch.len());
            meter.add(loss, outputs, weight, batch.labels);
            if accumulated.batches == config.accumulate {
                self.step(state, &mut accumulated, watch);
                if self.context.saves_after(state.step) && state.batch < self.batches {
                    if let Err(at) = meter.read() {
                        return diverged(at);
                    }
                    state.totals = meter.totals.clone();
                    if let Some(folder) = folder {
                        folder.save(state, data.spec(), false);
                    }
                }
            }
            if meter.is_full() || watch.is_due(state.step) {
                if let Err(at) = meter.read() {
                    return diverged(at);
                }
                watch.step(self.task, state, &meter.totals)?;
            }
            end_of_step();
        }
        if accumulated.batches > 0 {
            self.step(state, &mut accumulated, watch);
        }
        if let Err(at) = meter.read() {
            return diverged(at);
        }
        // The last step may have had fewer batches, and not have been looked at.
        if watch.is_due(state.step) {
            watch.step(self.task, state, &meter.totals)?;
        }
        watch.pass_ended();
        state.totals = meter.totals;
        match state.batch {
            0 => Err(no_batches("training")),
            _ => Ok(Pass::Complete),
        }
    }

    fn step<M: Model>(
        &self,
        state: &mut TrainState<M, T::Score>,
        accumulated: &mut Accumulated,
        watch: &mut Watch,
    ) {
        let several = self.config.accumulate > 1;
        let Some(gradients) = accumulated.take(several, self.config, state.model()) else { return };
        // Those of the last step alone are asked for; others would fill the caches.
        let is_last = state.batch >= self.batches || self.train.num_batches().is_none();
        if let Some(kept) = watch.gradients.as_mut().filter(|_| is_last) {
            *kept = KeptGradients::of(&gradients, state.model());
        }
        watch.learning_rate = self.rate(state, state.step);
        state.step(gradients, self.rates.at(watch.learning_rate), self.config.averaging.as_ref());
    }

    /// The learning rate of the step before which there were so many.
    fn rate<M: Model>(&self, state: &TrainState<M, T::Score>, step: usize) -> f64 {
        let costs: Vec<f64> = match self.config.schedule.decay {
            Decay::Plateau(_) => {
                state.history.epochs.iter().map(|record| self.monitor.value(record)).collect()
            }
            _ => Vec::new(),
        };
        let position = Position {
            step,
            steps_per_epoch: self.batches.div_ceil(self.config.accumulate),
            epochs: self.config.epochs,
            monitored: &costs,
        };
        self.config.learning_rate * self.config.schedule.factor(&position)
    }
}
