//! What observers are told, and when.

use std::path::Path;
use std::time::Instant;

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use selvedge_models::Model;
use selvedge_models::state::{self, State};

use super::folder::Settings;
use super::run::Run;
use super::state::TrainState;
use crate::observe::Observers;
use crate::progress::Terminal;
use crate::{
    Context, EndReason, EpochDone, EpochRow, RunEnded, RunStarted, Score, StepDone, StepInterval,
    Task, Tensors, Totals, TrainError,
};

/// The observers of a run, and the clock.
pub(super) struct Watch {
    observers: Observers,
    /// For each observer, what it wants and what it was told the last time.
    told: Vec<Told>,
    label: String,
    epochs: usize,
    /// Training images an epoch.
    images: usize,
    start: Instant,
    /// When the pass that is under way began.
    pass: Instant,
    /// The images of this pass.
    pass_images: usize,
    /// Images and seconds of all passes that have ended, in this process.
    trained: usize,
    training_seconds: f64,
    /// Images a second of the last pass that has ended.
    pass_speed: f64,
    /// Of the last step.
    pub learning_rate: f64,
    /// The gradients of the last step, if an observer wants them.
    pub gradients: Option<KeptGradients>,
}

struct Told {
    interval: StepInterval,
    step: usize,
    time: Instant,
    totals: Totals,
}

impl Watch {
    pub fn new(context: &Context, epochs: usize, images: usize) -> Self {
        let observers = match Terminal::new(&context.progress) {
            Some(terminal) => context.observers.clone().with(terminal),
            None => context.observers.clone(),
        };
        let now = Instant::now();
        let told = observers.intervals().into_iter().map(|interval| Told {
            interval,
            step: 0,
            time: now,
            totals: Totals::default(),
        });
        Self {
            told: told.collect(),
            label: context.progress.label().into(),
            epochs,
            images,
            start: now,
            pass: now,
            pass_images: 0,
            trained: 0,
            training_seconds: 0.0,
            pass_speed: 0.0,
            learning_rate: 0.0,
            gradients: observers.want_gradients().then(KeptGradients::default),
            observers,
        }
    }

    /// Tells that the run starts, or that it was complete before.
    pub fn started<T: Task, M: Model>(
        &self,
        run: &Run<'_, T>,
        state: &TrainState<M, T::Score>,
        settings: &Settings,
        folder: Option<&Path>,
        is_complete: bool,
    ) -> Result<(), TrainError> {
        let (rows, config) = (state.history.rows(), settings.to_toml());
        let started = RunStarted {
            label: &self.label,
            model: state.model().name(),
            layers: state.model().layers(),
            epochs: self.epochs,
            images: self.images,
            batches: run.batches,
            columns: T::Score::COLUMNS,
            rows: &rows,
            step: state.step,
            batch: state.batch,
            folder,
            config: &config,
            settings: &settings.flat(),
        };
        self.observers.tell(|observer| match is_complete {
            true => observer.run_found_complete(&started),
            false => observer.run_started(&started),
        })
    }

    /// A pass begins, or goes on after what was measured.
    pub fn pass_started(&mut self, totals: &Totals) {
        self.pass = Instant::now();
        self.pass_images = 0;
        for told in &mut self.told {
            told.totals = totals.clone();
        }
    }

    /// So many images more.
    pub fn trained(&mut self, images: usize) {
        self.pass_images += images;
    }

    pub fn pass_ended(&mut self) {
        let seconds = self.pass.elapsed().as_secs_f64();
        self.pass_speed = self.pass_images as f64 / seconds.max(f64::MIN_POSITIVE);
        self.trained += self.pass_images;
        self.training_seconds += seconds;
        self.pass_images = 0;
    }

    /// Whether an observer is to be told of this step.
    pub fn is_due(&self, step: usize) -> bool {
        self.told.iter().any(|told| told.is_due(step))
    }

    /// Tells those who are to be told of this step.
    pub fn step<T: Task, M: Model>(
        &mut self,
        task: &T,
        state: &TrainState<M, T::Score>,
        totals: &Totals,
    ) -> Result<(), TrainError> {
        let so_far = task.score(totals);
        let (text, values) = (so_far.to_string(), so_far.values());
        let seconds = self.pass.elapsed().as_secs_f64();
        for at in 0..self.told.len() {
            if !self.told[at].is_due(state.step) {
                continue;
            }
            let recent = totals.since(&self.told[at].totals);
            let done = StepDone {
                epoch: state.epoch + 1,
                epochs: self.epochs,
                step: state.step,
                batch: state.batch,
                images: totals.images,
                images_of: self.images,
                columns: T::Score::COLUMNS,
                recent: &task.score(&recent).values(),
                so_far: &values,
                text: &text,
                learning_rate: self.learning_rate,
                images_per_second: self.pass_images as f64 / seconds.max(f64::MIN_POSITIVE),
                seconds_left: self.seconds_left(state.epoch, totals.images),
            };
            self.observers.tell_one(at, &done)?;
            let told = &mut self.told[at];
            (told.step, told.time, told.totals) = (state.step, Instant::now(), totals.clone());
        }
        Ok(())
    }

    /// At the speed so far, after these epochs and as many images of the next.
    fn seconds_left(&self, epochs: usize, images: usize) -> f64 {
        let done = (self.trained + self.pass_images).max(1);
        let left = ((self.epochs - epochs) * self.images).saturating_sub(images);
        self.start.elapsed().as_secs_f64() / done as f64 * left as f64
    }

    /// Of all passes that have ended.
    pub fn images_per_second(&self) -> f64 {
        self.trained as f64 / self.training_seconds.max(f64::MIN_POSITIVE)
    }

    /// Tells of the last epoch.
    pub fn epoch<M: Model, S: Score>(
        &self,
        state: &TrainState<M, S>,
        is_best: bool,
    ) -> Result<(), TrainError> {
        let Some(record) = state.history.epochs.last() else { return Ok(()) };
        let text = match &record.validation {
            Some(validation) => format!("train {} · validation {validation}", record.train),
            None => format!("train {}", record.train),
        };
        let done = EpochDone {
            row: &record.row(),
            text: &text,
            epochs: self.epochs,
            step: state.step,
            is_best,
            images_per_second: self.pass_speed,
            seconds_left: self.seconds_left(state.epoch, 0),
            tensors: &TensorsOf { model: state.model(), gradients: self.gradients.as_ref() },
        };
        self.observers.tell(|observer| observer.epoch(&done))
    }

    pub fn ended<M: Model, S: Score>(
        &self,
        state: &TrainState<M, S>,
        reason: EndReason,
    ) -> Result<(), TrainError> {
        let rows = state.history.rows();
        let best: Option<EpochRow> = state.best.as_ref().map(|(record, _)| record.row());
        let end = RunEnded { rows: &rows, best: best.as_ref(), reason };
        self.observers.tell(|observer| observer.run_ended(&end))
    }
}

impl Told {
    fn is_due(&self, step: usize) -> bool {
        match self.interval {
            StepInterval::Never => false,
            StepInterval::Steps(steps) => step > self.step && step.is_multiple_of(steps.max(1)),
            StepInterval::Seconds(seconds) => self.time.elapsed().as_secs_f64() >= seconds,
        }
    }
}

/// The tensors of a model and the gradients of its last step.
struct TensorsOf<'a, M> {
    model: &'a M,
    gradients: Option<&'a KeptGradients>,
}

impl<M> std::fmt::Debug for TensorsOf<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the tensors of a model")
    }
}

impl<M: Model> Tensors for TensorsOf<'_, M> {
    fn values(&self) -> State {
        state::read(self.model)
    }

    fn gradients(&self) -> State {
        match self.gradients {
            Some(kept) => state::gradients(self.model, &kept.0),
            None => State::new(),
        }
    }
}

/// The gradients of a step, which the optimizer takes.
#[derive(Default)]
pub(super) struct KeptGradients(GradientsParams);

impl KeptGradients {
    pub fn of<M: Model>(gradients: &GradientsParams, model: &M) -> Self {
        let mut keeper = Keeper { gradients, kept: GradientsParams::new() };
        model.visit(&mut keeper);
        Self(keeper.kept)
    }
}

struct Keeper<'a> {
    gradients: &'a GradientsParams,
    kept: GradientsParams,
}

impl ModuleVisitor for Keeper<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.kept.register(param.id, gradient);
        }
    }
}
