use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use selvedge_data::{Normalization, Split};
use selvedge_models::{Architecture, Bundle, Initialization, Keep, Network};
use selvedge_train::{
    Context, Divergence, Evaluation, FitData, Fitted, History, TrainError, evaluate, fit,
};

use super::TransferConfig;
use super::results::{Diverged, Pretraining, Start, TargetRun, TransferResults};
use crate::{StudyError, jobs};

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
    pub pretrained: Bundle,
    /// Of each start, the run of the largest fraction and the first seed.
    pub finals: Vec<FinalRun>,
}

/// A run that is kept whole.
#[derive(Clone, Debug)]
pub struct FinalRun {
    /// Where it started.
    pub start: Start,
    /// Fraction of the target's training images.
    pub fraction: f64,
    /// The best epoch's model.
    pub model: Bundle,
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
    pub fn run(&self, device_name: &str, context: &Context) -> Result<TransferOutcome, StudyError> {
        let start = Instant::now();
        self.config.check()?;
        // Both are needed at the end; better to know now.
        self.source.test()?;
        self.target.test()?;
        self.check_networks(context)?;
        let normalization = self.config.normalization.normalization(&self.source.train);
        let (pretrained, pretrain) = self.pretrain(context, &normalization)?;
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
        self.curve(&mut outcome, context, &normalization)?;
        let (source, results) = (self.source.train.len(), &mut outcome.results);
        let pretraining = results.pretrain.epochs.len() * source;
        let points = results.curve.iter().map(|point| point.images * point.epochs);
        let images = pretraining + points.sum::<usize>();
        results.stopped = context.stop.is_requested();
        results.wall_seconds = start.elapsed().as_secs_f64();
        results.images_per_second = images as f64 / results.wall_seconds;
        Ok(outcome)
    }

    /// Refuses networks of which more than the last layer cannot be carried over.
    fn check_networks(&self, context: &Context) -> Result<(), StudyError> {
        let [source, target] = [&self.source_network, &self.target_network]
            .map(|network| network.init(Initialization::PyTorch, 0, &context.device));
        let report = target?.transfer_from(&source?, &Keep::AllButHead)?.1;
        match report.unfit.is_empty() {
            true => Ok(()),
            false => Err(StudyError::Networks { unfit: report.unfit }),
        }
    }

    fn pretrain(
        &self,
        context: &Context,
        normalization: &Normalization,
    ) -> Result<(Bundle, Pretraining), StudyError> {
        let (config, seed) = (&self.config, self.config.seeds[0]);
        let context = relabel(context, format!("pre-training on {}", self.source_name));
        let model = self.source_network.init(Initialization::PyTorch, seed, &context.device)?;
        let data = FitData::from(&self.source).with_normalization(normalization.clone());
        let fitted = fit(model, &data, &config.pretraining(), &context)?;
        let test = evaluate(&fitted.model, self.source.test()?, &data.normalization, &context)?;
        let pretraining = Pretraining {
            dataset: self.source_name.clone(),
            best_epoch: fitted.best.epoch,
            epochs: fitted.history.epochs,
            test: test.metrics,
        };
        Ok((Bundle::new(fitted.model, &data), pretraining))
    }

    /// Every fraction, seed and start, the fractions in the order of the settings.
    fn curve(
        &self,
        outcome: &mut TransferOutcome,
        context: &Context,
        normalization: &Normalization,
    ) -> Result<(), StudyError> {
        let mut runs = Vec::new();
        for &fraction in &self.config.fractions {
            for &seed in &self.config.seeds {
                for start in Start::ALL {
                    runs.push(Run { fraction, seed, start });
                }
            }
        }
        let (finals, pretrained) = (Mutex::new(Finals::default()), outcome.pretrained.network());
        let ends = jobs::map(context, &runs, |index, run| {
            let (end, last) = self.point(run, pretrained, context, normalization)?;
            if let Some(last) = last {
                finals.lock().unwrap_or_else(PoisonError::into_inner).keep(index, last);
            }
            Ok(end)
        })?;
        for end in ends {
            match end {
                RunEnd::Complete(point) => outcome.results.curve.push(point),
                RunEnd::Diverged(diverged) => outcome.results.diverged.push(diverged),
                RunEnd::Stopped => {}
            }
        }
        let mut finals = finals.into_inner().unwrap_or_else(PoisonError::into_inner).0;
        finals.sort_by_key(|(_, run)| run.start != Start::Random);
        outcome.finals = finals.into_iter().map(|(_, run)| run).collect();
        Ok(())
    }

    /// How a run ended, and the whole of it if it is complete.
    fn point(
        &self,
        run: &Run,
        pretrained: &Network,
        context: &Context,
        normalization: &Normalization,
    ) -> Result<(RunEnd, Option<FinalRun>), StudyError> {
        let Run { fraction, seed, start } = *run;
        let label = format!("{}, {}, seed {seed}", super::percent(fraction), start.name());
        let context = relabel(context, label);
        let few = self.target.train.stratified_fraction(fraction, seed)?;
        let data = FitData::new(few, self.target.validation.clone(), normalization.clone());
        // The same seed for both: their last layers and the order of their images are the same.
        let mut model = self.target_network.init(Initialization::PyTorch, seed, &context.device)?;
        if start == Start::Transferred {
            model = model.transfer_from(pretrained, &Keep::AllButHead)?.0;
        }
        let config = self.config.run(seed);
        let fitted = match fit(model, &data, &config, &context) {
            Ok(fitted) if fitted.stopped => return Ok((RunEnd::Stopped, None)),
            Ok(Fitted { diverged: Some(Divergence { epoch, batch, .. }), .. }) => {
                let diverged = Diverged { fraction, start, seed, epoch, batch };
                return Ok((RunEnd::Diverged(diverged), None));
            }
            Ok(fitted) => fitted,
            Err(TrainError::Stopped { .. }) => return Ok((RunEnd::Stopped, None)),
            Err(TrainError::Diverged { epoch, batch, .. }) => {
                let diverged = Diverged { fraction, start, seed, epoch, batch };
                return Ok((RunEnd::Diverged(diverged), None));
            }
            Err(error) => return Err(error.into()),
        };
        let test = evaluate(&fitted.model, self.target.test()?, &data.normalization, &context)?;
        let point = TargetRun {
            fraction,
            images: data.train.len(),
            start,
            seed,
            epochs: fitted.history.epochs.len(),
            best_epoch: fitted.best.epoch,
            train: fitted.best.train,
            validation: *fitted.best.score(),
            test: test.metrics,
        };
        let last = FinalRun {
            start,
            fraction,
            model: Bundle::new(fitted.model, &data),
            history: fitted.history,
            test,
        };
        Ok((RunEnd::Complete(point), Some(last)))
    }
}

/// How a run on the target task ended.
enum RunEnd {
    Complete(TargetRun),
    Diverged(Diverged),
    Stopped,
}

/// The runs that are kept whole, with their indices: other models would fill the memory.
#[derive(Default)]
struct Finals(Vec<(usize, FinalRun)>);

impl Finals {
    /// Keeps the run if none of its start has a larger fraction, or the same and an earlier
    /// place.
    fn keep(&mut self, index: usize, run: FinalRun) {
        match self.0.iter_mut().find(|(_, kept)| kept.start == run.start) {
            Some((at, kept)) => {
                let larger = run.fraction > kept.fraction;
                if larger || (run.fraction == kept.fraction && index < *at) {
                    (*at, *kept) = (index, run);
                }
            }
            None => self.0.push((index, run)),
        }
    }
}

impl TransferOutcome {
    /// The kept run of a start, if one is complete.
    pub fn final_run(&self, start: Start) -> Option<&FinalRun> {
        self.finals.iter().find(|run| run.start == start)
    }
}

/// What distinguishes one run on the target task from another.
#[derive(Clone, Copy)]
struct Run {
    fraction: f64,
    seed: u64,
    start: Start,
}

fn relabel(context: &Context, label: String) -> Context {
    let progress = context.progress.relabel(label);
    context.clone().with_progress(progress)
}
