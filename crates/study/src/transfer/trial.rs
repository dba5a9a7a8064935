//! One training within a study, whatever it is for.

use selvedge_data::Normalization;
use selvedge_models::{Bundle, Initialization, Keep, Network};
use selvedge_train::{
    Classify, Context, Divergence, EpochRecord, Evaluation, FitConfig, FitData, Fitted, History,
    TrainError, evaluate,
};
use serde::{Deserialize, Serialize};

use super::results::{Diverged, Pretraining, Start, TargetRun};
use super::{TransferStudy, percent};
use crate::StudyError;
use crate::trial::fit_saved_or_not;

/// What distinguishes one run on the target task from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub fraction: f64,
    pub seed: u64,
    pub start: Start,
}

impl Run {
    /// The name of its files.
    pub fn name(&self) -> String {
        format!("{}-{}-seed{}", self.fraction, self.start.name(), self.seed)
    }
}

/// How a run on the target task ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunEnd {
    Complete(CompleteRun),
    Diverged(Diverged),
}

/// A run on the target task, but for its model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CompleteRun {
    pub run: TargetRun,
    pub test: Evaluation,
    pub history: History,
}

impl TransferStudy {
    /// The run on the source task with one seed; `None` if it was stopped.
    pub(super) fn pretrain(
        &self,
        seed: u64,
        normalization: &Normalization,
        context: &Context,
    ) -> Result<Option<(Pretraining, Bundle)>, StudyError> {
        let context =
            relabel(context, format!("pre-training on {}, seed {seed}", self.source_name));
        let model = self.source_network.init(Initialization::PyTorch, seed, &context.device)?;
        let data = FitData::from(&self.source).with_normalization(normalization.clone());
        let Trained { model, history, best } =
            match train(model, &data, &self.config.pretraining(seed), &context)? {
                End::Complete(trained) => *trained,
                End::Stopped => return Ok(None),
                End::Diverged(error) => return Err(error.into()),
            };
        let test = evaluate(&model, self.source.test()?, &data.normalization, &context)?;
        let pretraining = Pretraining {
            dataset: self.source_name.clone(),
            seed,
            best_epoch: best.epoch,
            epochs: history.epochs,
            test: test.metrics,
        };
        Ok(Some((pretraining, Bundle::new(model, &data))))
    }

    /// A run on the target task, and the model of one that is complete; `None` if it was stopped.
    pub(super) fn learn(
        &self,
        run: &Run,
        pretrained: &Network,
        normalization: &Normalization,
        context: &Context,
    ) -> Result<Option<(RunEnd, Option<Bundle>)>, StudyError> {
        let Run { fraction, seed, start } = *run;
        let context =
            relabel(context, format!("{}, {}, seed {seed}", percent(fraction), start.name()));
        let few = self.target.train.stratified_fraction(fraction, seed)?;
        let data = FitData::new(few, self.target.validation.clone(), normalization.clone());
        // The same seed for both: their last layers and the order of their images are the same.
        let mut model = self.target_network.init(Initialization::PyTorch, seed, &context.device)?;
        if start == Start::Transferred {
            model = model.transfer_from(pretrained, &Keep::AllButHead)?.0;
        }
        let Trained { model, history, best } =
            match train(model, &data, &self.config.run(seed), &context)? {
                End::Complete(trained) => *trained,
                End::Stopped => return Ok(None),
                End::Diverged(TrainError::Diverged { epoch, batch, .. }) => {
                    let diverged = Diverged { fraction, start, seed, epoch, batch };
                    return Ok(Some((RunEnd::Diverged(diverged), None)));
                }
                End::Diverged(error) => return Err(error.into()),
            };
        let test = evaluate(&model, self.target.test()?, &data.normalization, &context)?;
        let run = TargetRun {
            fraction,
            images: data.train.len(),
            start,
            seed,
            epochs: history.epochs.len(),
            best_epoch: best.epoch,
            train: best.train,
            validation: *best.score(),
            test: test.metrics,
        };
        let complete = CompleteRun { run, test, history };
        Ok(Some((RunEnd::Complete(complete), Some(Bundle::new(model, &data)))))
    }
}

/// How a training ended.
enum End {
    Complete(Box<Trained>),
    Stopped,
    Diverged(TrainError),
}

struct Trained {
    /// Of the best epoch.
    model: Network,
    history: History,
    best: EpochRecord,
}

/// A run that was stopped has not the epochs that it was to have: there is nothing of it to compare.
fn train(
    model: Network,
    data: &FitData,
    config: &FitConfig,
    context: &Context,
) -> Result<End, TrainError> {
    match fit_saved_or_not(&Classify::default(), model, data, config, context) {
        Ok(fitted) if fitted.stopped => Ok(End::Stopped),
        // The best of the epochs before would not be what the others are compared by.
        Ok(Fitted { diverged: Some(Divergence { epoch, batch, loss }), .. }) => {
            let what = context.progress.label().into();
            Ok(End::Diverged(TrainError::Diverged { what, epoch, batch, loss }))
        }
        Ok(fitted) => {
            let (model, history, best) = (fitted.model, fitted.history, fitted.best);
            Ok(End::Complete(Box::new(Trained { model, history, best })))
        }
        Err(TrainError::Stopped { .. }) => Ok(End::Stopped),
        Err(error @ TrainError::Diverged { .. }) => Ok(End::Diverged(error)),
        Err(error) => Err(error),
    }
}

fn relabel(context: &Context, label: String) -> Context {
    let progress = context.progress.relabel(label);
    context.clone().with_progress(progress)
}
