//! Running a study: every variant with every seed, each trial once.

mod contrasts;
mod far;
mod files;
mod halving;
mod importance;
mod journal;
#[cfg(feature = "plot")]
mod kept;
#[cfg(feature = "plot")]
pub mod pages;
mod progress;
mod pruning;
#[cfg(feature = "plot")]
mod report;
mod results;
mod search;
mod sender;
mod table;
mod tuned;
mod unit;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::Device;
use selvedge_train::{Context, Progress};

use crate::config::Variant;
use crate::store::Store;
use crate::trial::Plan;
use crate::{Datasets, StudyConfig, StudyError, statistics};

pub use contrasts::Contrast;
pub use files::check_output;
use halving::Halving;
pub use importance::Importance;
use progress::StudyProgress;
use pruning::Planned;
use results::Trials;
pub use results::{Failure, StudyResults, VariantResults};
use search::Searching;
pub use table::{Row, Table};
pub use tuned::TunedArm;
use work::Work;

/// Runs studies on one store.
///
/// Several processes may run the same study, or others with trials in common, on one store at the same time: each
/// trial is run by one of them, and a dead one's are taken over.
///
/// ```
/// use std::sync::Arc;
///
/// use burn::tensor::Device;
/// use selvedge_data::ImageDataset;
/// use selvedge_study::store::FolderStore;
/// use selvedge_study::{Datasets, Runner, StudyConfig};
/// use selvedge_train::Context;
///
/// // Black and white images: any set would do.
/// let pixels = (0..60).flat_map(|i| vec![if i % 2 == 0 { 0 } else { 255 }; 16]).collect();
/// let (labels, classes) = ((0..60).map(|i| i % 2).collect(), vec!["black".into(), "white".into()]);
/// let images = ImageDataset::new("toy", pixels, [1, 4, 4], labels, classes)?.view();
/// let datasets = Datasets::default().with("toy", images.split_stratified_three([0.6, 0.2, 0.2], 0)?);
///
/// let study: StudyConfig =
///     "[study]\nseeds = 2\n[base]\ndataset = 'toy'\nmodel = { name = 'mlp', hidden = 4 }\nepochs = 1\n\
///      [vary]\nlearning_rate = [0.1, 0.01]".parse()?;
/// let folder = tempfile::tempdir()?;
/// let store = Arc::new(FolderStore::open(folder.path())?);
/// let results = Runner::new(store, &datasets, "flex").run(&study, &Context::new(&Device::flex()))?;
/// assert!(results.complete());
/// assert_eq!(results.variants.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Runner<'a> {
    store: Arc<dyn Store>,
    datasets: &'a Datasets,
    device_name: String,
    lease_time: Duration,
    keep_models: bool,
}

impl std::fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("store", &self.store.display()).finish_non_exhaustive()
    }
}

impl<'a> Runner<'a> {
    /// Runs on this store, with images of these data sets, on a device of that name.
    pub fn new(
        store: Arc<dyn Store>,
        datasets: &'a Datasets,
        device_name: impl Into<String>,
    ) -> Self {
        let (device_name, lease_time) = (device_name.into(), Duration::from_secs(60));
        Self { store, datasets, device_name, lease_time, keep_models: false }
    }

    /// The same, with trials taken over that no process renewed its lease on for so long: a minute, unless it is set.
    #[must_use]
    pub fn with_lease_time(self, time: Duration) -> Self {
        Self { lease_time: time, ..self }
    }

    /// The same, with the model of every trial kept in the store, and not only those that others begin with.
    #[must_use]
    pub fn with_models(self) -> Self {
        Self { keep_models: true, ..self }
    }

    /// Runs what is not finished of a study, [`Context::jobs`] trials at the same time, until all is or the context
    /// is stopped.
    ///
    /// A trial that fails or diverges is a row of the results that says so; the others go on.
    ///
    /// # Errors
    ///
    /// Before anything runs: [`StudyError::Config`] for a study that is impossible, or what reading the images or
    /// building a network gives. [`StudyError::Store`] if finished trials cannot be kept.
    pub fn run(&self, study: &StudyConfig, context: &Context) -> Result<StudyResults, StudyError> {
        self.go(study, &Work::new(self, context))
    }

    /// What is finished of a study: nothing is trained, and nothing is written. What a search would try next is not
    /// known where a trial is missing: the results of its arm end there.
    ///
    /// The context's device is for checks alone: records are found that were made on the device of the runner's name.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); also [`StudyError::Record`] for a record that is damaged.
    pub fn read(&self, study: &StudyConfig, context: &Context) -> Result<StudyResults, StudyError> {
        let context = context.clone().with_progress(Progress::Hidden);
        self.go(study, &Work::new(self, &context).reading())
    }

    fn go(&self, study: &StudyConfig, work: &Work<'_>) -> Result<StudyResults, StudyError> {
        let (variants, context) = (study.checked()?, work.context);
        let mut all = Trials::default();
        let searches = Searching::of(study)?;
        let halvings = Halving::of(study)?;
        let progress = StudyProgress::new(&context.progress);
        if searches.is_empty() && halvings.is_empty() {
            // All are checked before the first is run.
            let planned = self.planned(study, variants, &work.context.device)?;
            let generations = pruning::generations(study, planned);
            progress.expect(generations.iter().map(distinct).sum());
            let mut cut_arm = None;
            for planned in generations {
                let arm = planned.first().map(|(variant, _)| variant.arm.clone());
                // The limits of these would be those of trials that are missing.
                if arm.is_some() && arm == cut_arm {
                    all.variants.extend(planned);
                } else if self.try_planned(study, planned, work, &progress, &mut all)?.is_none() {
                    cut_arm = arm;
                }
            }
        }
        // Each search goes on as far as its own trials are known: that of one arm learns nothing from another.
        for mut search in searches {
            let mut untried = search.left();
            while untried > 0 && !context.stop.is_requested() {
                let variants = search.next()?;
                untried = if variants.is_empty() { 0 } else { search.left() };
                let costs = self.try_all(study, variants, work, &progress, &mut all)?;
                let Some(costs) = costs else { break };
                search.learn(&costs);
            }
            all.untried.push((search.arm().into(), untried));
        }
        for halving in halvings {
            let untried = halving.run(&context.stop, |variants| {
                self.try_all(study, variants, work, &progress, &mut all)
            })?;
            all.untried.push((halving.arm().into(), untried));
        }
        progress.end();
        let results = StudyResults::found(study, &all);
        #[cfg(feature = "plot")]
        let results = {
            let plans = all.variants.into_iter().map(|(_, plans)| plans).collect();
            let kept = kept::Kept::new(self.store.clone(), context.device.clone(), plans);
            StudyResults { kept: Some(Arc::new(kept)), ..results }
        };
        Ok(results)
    }

    /// Does all trials of some variants, and tells what each variant came to: the mean of what is to be made small,
    /// over its seeds, if every trial has it or ended early. `None` if trials were left undone: what would come after
    /// them is not known.
    fn try_all(
        &self,
        study: &StudyConfig,
        variants: Vec<Variant>,
        work: &Work<'_>,
        progress: &StudyProgress,
        all: &mut Trials,
    ) -> Result<Option<Vec<Option<f64>>>, StudyError> {
        let planned = self.planned(study, variants, &work.context.device)?;
        progress.expect(distinct(&planned));
        self.try_planned(study, planned, work, progress, all)
    }

    /// The same of variants whose trials are planned.
    fn try_planned(
        &self,
        study: &StudyConfig,
        mut planned: Planned,
        work: &Work<'_>,
        progress: &StudyProgress,
        all: &mut Trials,
    ) -> Result<Option<Vec<Option<f64>>>, StudyError> {
        pruning::limit(study, all, &mut planned);
        let mut is_whole = true;
        for level in levels(&planned) {
            let mut plans: Vec<&Plan> = level.into_values().collect();
            // The longest first, so that no job is left alone with one at the end.
            plans.sort_by_key(|plan| std::cmp::Reverse(plan.images_seen()));
            is_whole &= work.all(&plans, &mut all.done, progress)?;
        }
        let of_trial =
            |plan: &Plan| pruning::known_cost(all.done.records.get(plan.place())?, &study.metric);
        let cost = |(_, plans): &(Variant, Vec<Plan>)| {
            let costs: Option<Vec<f64>> = plans.iter().map(of_trial).collect();
            statistics::mean(&costs?)
        };
        let costs = planned.iter().map(cost).collect();
        all.variants.extend(planned);
        Ok(is_whole.then_some(costs))
    }

    /// The variants with their trials by seed.
    fn planned(
        &self,
        study: &StudyConfig,
        variants: Vec<Variant>,
        device: &Device,
    ) -> Result<Planned, StudyError> {
        let of_variant = |variant: Variant| {
            let Some(&seed) = study.seeds.first() else { return Ok((variant, Vec::new())) };
            let plan = Plan::new(&variant.trial, seed, self.datasets, &self.device_name);
            let plan = plan.map_err(|error| error.of_variant(study, &variant))?;
            // What is carried over and what is frozen follows from the names: one seed shows it.
            let section = if plan.pretrained.is_some() { "pretrain" } else { "freeze" };
            let blamed = |error| study.blame_variant(&variant, section, &error);
            plan.check(device).map_err(blamed)?;
            let of_seed = |&seed: &u64| {
                let label = format!("{}, seed {seed}", variant.name);
                Plan { label, ..plan.with_seed(seed, &self.device_name) }
            };
            let plans = study.seeds.iter().map(of_seed).collect();
            Ok((variant, plans))
        };
        variants.into_iter().map(of_variant).collect()
    }

    fn store_error(&self, error: std::io::Error) -> StudyError {
        StudyError::Store { store: self.store.display(), error }
    }
}

/// The trials to be done, each once: what others begin with comes first.
fn levels(planned: &Planned) -> Vec<BTreeMap<&str, &Plan>> {
    let mut levels: Vec<BTreeMap<&str, &Plan>> = Vec::new();
    for plan in planned.iter().flat_map(|(_, plans)| plans) {
        let mut chain = vec![plan];
        while let Some(before) = chain.last().and_then(|plan| plan.before()) {
            chain.push(before);
        }
        for (level, plan) in chain.into_iter().rev().enumerate() {
            levels.resize_with(levels.len().max(level + 1), BTreeMap::new);
            let there = levels[level].entry(plan.place()).or_insert(plan);
            // The same trial as a variant does not keep its weights.
            if plan.is_needed {
                *there = plan;
            }
        }
    }
    levels
}

/// How many trials are to be done.
fn distinct(planned: &Planned) -> usize {
    levels(planned).iter().map(BTreeMap::len).sum()
}

#[cfg(test)]
mod far_tests;
#[cfg(test)]
mod pruning_tests;
#[cfg(test)]
mod recipe_tests;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watched;
