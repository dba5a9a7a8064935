//! What is finished of a study: in memory, and in its folder if it has one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use selvedge_models::Bundle;
use selvedge_train::{Context, Progress};
use serde::{Deserialize, Serialize};

use super::outcome::{FinalRun, TransferOutcome};
use super::results::{Pretraining, Start, TransferResults};
use super::store::{Clock, Store};
use super::trial::{Run, RunEnd};
use super::{TransferStudy, report};
use crate::StudyError;

/// The results are written no more often than this while the study goes on: the trials are on the disk
/// anyway.
const PAUSE: Duration = Duration::from_secs(1);

/// Trainings of as many epochs are saved while they go on: what a kill costs of a shorter one is less than
/// what it costs to save it.
const LONG: usize = 5;

/// A trial as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    /// Seconds of the whole study when this was finished.
    study_seconds: f64,
    /// The hash of the model, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    trial: T,
}

pub(super) struct Ledger<'a> {
    study: &'a TransferStudy,
    device_name: &'a str,
    context: Context,
    runs: Vec<Run>,
    store: Option<Store>,
    clock: Clock,
    /// The hashes of the models that were found with the trials.
    models: HashMap<String, String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the order of the seeds.
    pretrainings: Vec<Option<Pretraining>>,
    /// By the order of the runs.
    ends: Vec<Option<RunEnd>>,
    /// The first error of a file that could not be written.
    unwritten: Option<StudyError>,
    written: Option<Instant>,
}

impl<'a> Ledger<'a> {
    /// Everything that is in the store already.
    pub fn open(
        study: &'a TransferStudy,
        device_name: &'a str,
        context: &Context,
        store: Option<Store>,
    ) -> Self {
        let start = Instant::now();
        let (mut before, mut models) = (0.0_f64, HashMap::new());
        let mut state = State::default();
        let runs = study.config.runs();
        if let Some(store) = &store {
            let mut note = |name: String, seconds: f64, model: Option<String>| {
                store.forget_unfinished(&name);
                before = before.max(seconds);
                models.extend(model.map(|hash| (name, hash)));
            };
            for &seed in &study.config.seeds {
                let kept = store.load::<Kept<Pretraining>>(&pretraining(seed));
                state.pretrainings.push(kept.map(|kept| {
                    note(pretraining(seed), kept.study_seconds, kept.model);
                    kept.trial
                }));
            }
            for run in &runs {
                let kept = store.load::<Kept<RunEnd>>(&run.name());
                state.ends.push(kept.map(|kept| {
                    note(run.name(), kept.study_seconds, kept.model);
                    kept.trial
                }));
            }
        } else {
            state.pretrainings.resize_with(study.config.seeds.len(), || None);
            state.ends.resize_with(runs.len(), || None);
        }
        Self {
            study,
            device_name,
            context: context.clone(),
            runs,
            store,
            clock: Clock::new(start, before),
            models,
            state: Mutex::new(state),
        }
    }

    /// Every run on the target task: by fraction in the order of the settings, seed and start.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The network of a pre-training that is finished. One whose model is damaged is not.
    pub fn pretrained(&self, index: usize) -> Option<Bundle> {
        self.state().pretrainings[index].as_ref()?;
        let model = self.model(&pretraining(self.study.config.seeds[index]));
        if model.is_none() {
            self.state().pretrainings[index] = None;
        }
        model
    }

    /// Whether a run is finished, and its model if it is one of those that are kept whole. A run whose
    /// model is damaged is not finished.
    pub fn finished(&self, index: usize) -> Option<Option<Bundle>> {
        let end = self.state().ends[index].clone()?;
        let run = &self.runs[index];
        match end {
            RunEnd::Complete(_) if self.keeps_model(run) => {
                let model = self.model(&run.name());
                if model.is_none() {
                    self.state().ends[index] = None;
                }
                model.map(Some)
            }
            _ => Some(None),
        }
    }

    /// The models of the runs of the largest fraction are kept: all others would fill disk and memory.
    pub fn keeps_model(&self, run: &Run) -> bool {
        self.study.config.fractions.iter().all(|&fraction| fraction <= run.fraction)
    }

    fn model(&self, name: &str) -> Option<Bundle> {
        self.store.as_ref()?.load_model(name, self.models.get(name)?, &self.context)
    }

    /// The context of a pre-training.
    pub fn pretraining_context(&self, index: usize) -> Context {
        let name = pretraining(self.study.config.seeds[index]);
        self.trial_context(&name, self.study.config.pretrain_epochs)
    }

    /// The context of a run.
    pub fn run_context(&self, index: usize) -> Context {
        self.trial_context(&self.runs[index].name(), self.study.config.fit.epochs)
    }

    fn trial_context(&self, name: &str, epochs: usize) -> Context {
        match &self.store {
            Some(store) if epochs >= LONG => {
                self.context.clone().with_run_folder(store.unfinished(name))
            }
            _ => self.context.clone(),
        }
    }

    /// Notes a pre-training that is finished.
    pub fn add_pretraining(&self, index: usize, trial: Pretraining, model: &Bundle) {
        let name = pretraining(self.study.config.seeds[index]);
        let kept = self.keep(&name, &trial, Some(model));
        self.state().pretrainings[index] = Some(trial);
        self.note(kept);
    }

    /// Notes a run that is finished, with its model if that is kept.
    pub fn add_run(&self, index: usize, end: RunEnd, model: Option<&Bundle>) {
        let kept = self.keep(&self.runs[index].name(), &end, model);
        self.state().ends[index] = Some(end);
        self.note(kept);
    }

    /// Puts a trial on the disk, its model first.
    fn keep<T: Serialize>(
        &self,
        name: &str,
        trial: &T,
        model: Option<&Bundle>,
    ) -> Result<(), StudyError> {
        let Some(store) = &self.store else { return Ok(()) };
        let model = model.map(|model| store.save_model(name, model)).transpose()?;
        let study_seconds = self.clock.seconds();
        store.save(name, &Kept { study_seconds, model, trial })?;
        store.forget_unfinished(name);
        Ok(())
    }

    /// Brings the results on the disk up to date now and then. What cannot be written is said and kept in
    /// memory: the training goes on, and its figures are shown at the end.
    fn note(&self, kept: Result<(), StudyError>) {
        let Some(store) = &self.store else { return };
        let mut state = self.state();
        let due = state.written.is_none_or(|before| before.elapsed() >= PAUSE);
        let written = match due && state.unwritten.is_none() {
            true => {
                state.written = Some(Instant::now());
                report::write_figures(&self.results(&state), store.output())
            }
            false => Ok(()),
        };
        if let Err(error) = kept.and(written) {
            if !matches!(self.context.progress, Progress::Hidden) && state.unwritten.is_none() {
                Progress::message(&format!("{error}; the study goes on without being kept"));
            }
            state.unwritten.get_or_insert(error);
        }
    }

    /// What there is, at the end: `pretrained` is the network of the first seed, `models` those that are
    /// kept of the runs.
    pub fn close(
        self,
        pretrained: Option<Bundle>,
        models: Vec<(usize, Bundle)>,
    ) -> TransferOutcome {
        // Where the study was stopped before it came to them, those of an earlier time are in the folder.
        let pretrained = pretrained.or_else(|| self.pretrained(0));
        let mut finals = Vec::new();
        for start in Start::ALL {
            let kept = (0..self.runs.len()).filter(|&index| {
                self.runs[index].start == start && self.keeps_model(&self.runs[index])
            });
            finals.extend(kept.filter_map(|index| self.final_run(index, &models)).take(1));
        }
        let mut state = self.state();
        let results = self.results(&state);
        let unwritten = state.unwritten.take();
        drop(state);
        let damaged = self.store.as_ref().map_or(Vec::new(), Store::damaged);
        TransferOutcome { results, pretrained, finals, damaged, unwritten, store: self.store }
    }

    /// A run that is complete, with its model: one of `models`, or that of the folder.
    fn final_run(&self, index: usize, models: &[(usize, Bundle)]) -> Option<FinalRun> {
        let found = models.iter().find(|(of, _)| *of == index).map(|(_, model)| model.clone());
        let model = found.or_else(|| self.finished(index)?)?;
        let Some(RunEnd::Complete(complete)) = &self.state().ends[index] else { return None };
        Some(FinalRun {
            start: self.runs[index].start,
            fraction: self.runs[index].fraction,
            model,
            history: complete.history.clone(),
            test: complete.test.clone(),
        })
    }

    fn results(&self, state: &State) -> TransferResults {
        let mut results = TransferResults::new(self.study, self.device_name);
        results.pretrain = state.pretrainings.iter().flatten().cloned().collect();
        for end in state.ends.iter().flatten() {
            match end {
                RunEnd::Complete(complete) => results.curve.push(complete.run.clone()),
                RunEnd::Diverged(diverged) => results.diverged.push(diverged.clone()),
            }
        }
        let pretrained = state.pretrainings.iter().all(Option::is_some);
        results.complete = pretrained && state.ends.iter().all(Option::is_some);
        let pretrainings = results.pretrain.iter().map(|p| p.epochs.len());
        let points = results.curve.iter().map(|point| point.images * point.epochs);
        let images = pretrainings.sum::<usize>() * self.study.source.train.len();
        results.wall_seconds = self.clock.seconds();
        results.images_per_second =
            (images + points.sum::<usize>()) as f64 / results.wall_seconds.max(f64::MIN_POSITIVE);
        results.rows = results.compare();
        results
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the files of a pre-training.
fn pretraining(seed: u64) -> String {
    format!("pretrain-seed{seed}")
}
