use std::time::Instant;

use selvedge_data::{Normalization, Split};
use selvedge_models::{Architecture, Init as Weights, Keep, Network};

use super::TransferConfig;
use super::results::{CurvePoint, Diverged, Init, Pretraining, TransferResults};
use crate::{Context, Evaluation, FitData, Fitted, History, TrainError, evaluate, fit};

/// A comparison of learning a target task from random weights and from those of a source task.
#[derive(Clone, Debug)]
pub struct TransferStudy {
    /// Name of the source task.
    pub source_name: String,
    /// The task that is learned first.
    pub source: Split,
    /// Name of the target task.
    pub target_name: String,
    /// The task that is learned then.
    pub target: Split,
    /// The network for the source's classes.
    pub source_network: Architecture,
    /// The network for the target's classes; it differs in its last layer alone.
    pub target_network: Architecture,
    /// The settings.
    pub config: TransferConfig,
}

/// What a study leaves behind: the figures, and what is drawn and kept.
#[derive(Clone, Debug)]
pub struct TransferOutcome {
    /// The figures.
    pub results: TransferResults,
    /// The model that was trained on the source task.
    pub pretrained: Network,
    /// Of each initialisation, the run of the largest fraction and the first seed.
    pub finals: Vec<FinalRun>,
}

/// A run that is kept whole.
#[derive(Clone, Debug)]
pub struct FinalRun {
    /// Where it started.
    pub init: Init,
    /// Fraction of the target's training images.
    pub fraction: f64,
    /// The best epoch's model.
    pub model: Network,
    /// What happened, epoch by epoch.
    pub history: History,
    /// On the target's test images.
    pub test: Evaluation,
}

impl TransferStudy {
    /// Runs the study.
    ///
    /// When [`Context::stop`] is raised, the runs that are complete are the result. A run on the
    /// target task that diverges is reported as such and leaves no point.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a setting out of range before anything is trained;
    /// [`TrainError::Diverged`] if the pre-training diverges; [`TrainError::Stopped`] if no epoch of
    /// it was complete.
    pub fn run(&self, device_name: &str, context: &Context) -> Result<TransferOutcome, TrainError> {
        let start = Instant::now();
        self.config.check()?;
        let normalization = self.config.scaling.normalization(&self.source.train);
        let mut shared = Shared { normalization, images: 0.0, seconds: 0.0 };
        let (pretrained, pretrain) = self.pretrain(context, &mut shared)?;
        let mut outcome = TransferOutcome {
            results: TransferResults {
                experiment: "transfer_learning".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                device: device_name.into(),
                seeds: self.config.seeds.clone(),
                config: self.config.clone(),
                pretrain,
                target: self.target_name.clone(),
                curve: Vec::new(),
                diverged: Vec::new(),
                stopped: false,
                images_per_second: 0.0,
                wall_seconds: 0.0,
            },
            pretrained,
            finals: Vec::new(),
        };
        self.curve(&mut outcome, context, &mut shared)?;
        outcome.results.stopped = context.stop.is_requested();
        outcome.results.images_per_second = shared.images_per_second();
        outcome.results.wall_seconds = start.elapsed().as_secs_f64();
        Ok(outcome)
    }

    fn pretrain(
        &self,
        context: &Context,
        shared: &mut Shared,
    ) -> Result<(Network, Pretraining), TrainError> {
        let (config, seed) = (&self.config, self.config.seeds[0]);
        let context = relabel(context, format!("pre-training on {}", self.source_name));
        let model = self.source_network.init(Weights::PyTorch, seed, &context.device)?;
        let data = FitData {
            train: self.source.train.clone(),
            validation: self.source.validation.clone(),
            normalization: shared.normalization.clone(),
        };
        let fitted = fit(model, &data, &config.fit(config.pretrain_epochs, seed), &context)?;
        shared.add(&fitted, data.train.len());
        let test = evaluate(&fitted.model, &self.source.test, &data.normalization, &context)?;
        let pretraining = Pretraining {
            dataset: self.source_name.clone(),
            best_epoch: fitted.best.epoch,
            epochs: fitted.history.epochs,
            test: test.metrics,
        };
        Ok((fitted.model, pretraining))
    }

    /// Every fraction, seed and initialisation, the fractions in the order of the settings.
    fn curve(
        &self,
        outcome: &mut TransferOutcome,
        context: &Context,
        shared: &mut Shared,
    ) -> Result<(), TrainError> {
        for &fraction in &self.config.fractions {
            for &seed in &self.config.seeds {
                for init in [Init::Random, Init::Transferred] {
                    if context.stop.is_requested() {
                        return Ok(());
                    }
                    self.point(Run { fraction, seed, init }, outcome, context, shared)?;
                }
            }
        }
        Ok(())
    }

    fn point(
        &self,
        run: Run,
        outcome: &mut TransferOutcome,
        context: &Context,
        shared: &mut Shared,
    ) -> Result<(), TrainError> {
        let Run { fraction, seed, init } = run;
        let label = format!("{}, {}, seed {seed}", super::percent(fraction), init.name());
        let context = relabel(context, label);
        let data = FitData {
            train: self.target.train.stratified_fraction(fraction, seed)?,
            validation: self.target.validation.clone(),
            normalization: shared.normalization.clone(),
        };
        // The same seed for both: their last layers and the order of their images are the same.
        let mut model = self.target_network.init(Weights::PyTorch, seed, &context.device)?;
        if init == Init::Transferred {
            model = model.transfer_from(&outcome.pretrained, &Keep::AllButHead)?.0;
        }
        let config = self.config.fit(self.config.epochs, seed);
        let fitted = match fit(model, &data, &config, &context) {
            Ok(fitted) if fitted.stopped => return Ok(()),
            Ok(fitted) => fitted,
            Err(TrainError::Stopped { .. }) => return Ok(()),
            Err(TrainError::Diverged { epoch, batch, .. }) => {
                let diverged = Diverged { fraction, init, seed, epoch, batch };
                outcome.results.diverged.push(diverged);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        shared.add(&fitted, data.train.len());
        let test = evaluate(&fitted.model, &self.target.test, &data.normalization, &context)?;
        outcome.results.curve.push(CurvePoint {
            fraction,
            images: data.train.len(),
            init,
            seed,
            best_epoch: fitted.best.epoch,
            train: fitted.best.train,
            validation: fitted.best.validation,
            test: test.metrics,
        });
        outcome.keep(FinalRun {
            init,
            fraction,
            model: fitted.model,
            history: fitted.history,
            test,
        });
        Ok(())
    }
}

impl TransferOutcome {
    /// Keeps the run if it is the first of a larger fraction than the one that is kept.
    fn keep(&mut self, run: FinalRun) {
        match self.finals.iter_mut().find(|kept| kept.init == run.init) {
            Some(kept) if run.fraction > kept.fraction => *kept = run,
            Some(_) => {}
            None => self.finals.push(run),
        }
    }

    /// The kept run of an initialisation, if one is complete.
    pub fn final_run(&self, init: Init) -> Option<&FinalRun> {
        self.finals.iter().find(|run| run.init == init)
    }
}

/// What distinguishes one run on the target task from another.
#[derive(Clone, Copy)]
struct Run {
    fraction: f64,
    seed: u64,
    init: Init,
}

/// What the runs of a study share.
struct Shared {
    /// How pixels become numbers: on both tasks as on the source's training images.
    normalization: Normalization,
    /// Training images over all runs.
    images: f64,
    /// The seconds that they took.
    seconds: f64,
}

impl Shared {
    fn add<M>(&mut self, fitted: &Fitted<M>, images_an_epoch: usize) {
        let images = (fitted.history.epochs.len() * images_an_epoch) as f64;
        self.images += images;
        self.seconds += images / fitted.images_per_second;
    }

    fn images_per_second(&self) -> f64 {
        self.images / self.seconds.max(f64::MIN_POSITIVE)
    }
}

fn relabel(context: &Context, label: String) -> Context {
    let progress = context.progress.relabel(label);
    context.clone().with_progress(progress)
}
