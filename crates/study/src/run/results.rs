use serde::Serialize;

use super::table::Table;
use super::work::Done;
use crate::config::{Variant, shown};
use crate::trial::Plan;
use crate::{StudyConfig, TrialRecord};

/// The variants that were tried, with the trials of each by seed, and what came of them.
#[derive(Debug, Default)]
pub(super) struct Trials {
    pub variants: Vec<(Variant, Vec<Plan>)>,
    pub done: Done,
    /// How many variants each search has not come to, by its arm.
    pub untried: Vec<(String, usize)>,
}

/// What came of a study so far.
#[derive(Clone, Debug)]
pub struct StudyResults {
    /// The study.
    pub study: StudyConfig,
    /// The variants in their order.
    pub variants: Vec<VariantResults>,
    /// The trials that others began with, in the order of their keys.
    pub before: Vec<TrialRecord>,
    /// How many variants a search has not come to, by its arm.
    pub(super) untried: Vec<(String, usize)>,
    /// The models, for what is shown of them.
    #[cfg(feature = "plot")]
    pub(super) kept: Option<std::sync::Arc<super::kept::Kept>>,
}

/// What came of a variant.
#[derive(Clone, Debug)]
pub struct VariantResults {
    /// The variant.
    pub variant: Variant,
    /// Its trials in the order of the seeds: `None` for one that is not finished.
    pub trials: Vec<Option<TrialRecord>>,
    /// The trials that failed.
    pub failures: Vec<Failure>,
}

/// A trial that failed, and may not when the study is run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Why.
    pub message: String,
}

impl StudyResults {
    /// What came of the variants of a study; without the trials that others began with, and without models.
    pub fn new(study: StudyConfig, variants: Vec<VariantResults>) -> Self {
        Self {
            study,
            variants,
            before: Vec::new(),
            untried: Vec::new(),
            #[cfg(feature = "plot")]
            kept: None,
        }
    }

    pub(super) fn found(study: &StudyConfig, trials: &Trials) -> Self {
        let Trials { variants, done, untried } = trials;
        let mut before: Vec<&str> = Vec::new();
        for plan in variants.iter().flat_map(|(_, plans)| plans) {
            let mut plan = plan;
            while let Some(first) = plan.before() {
                before.push(&first.key);
                plan = first;
            }
        }
        before.sort_unstable();
        before.dedup();
        let record = |key: &str| done.records.get(key).cloned();
        let failure = |plan: &Plan| {
            let message = done.failures.get(plan.place())?.clone();
            Some(Failure { seed: plan.seed, message })
        };
        let before = before.into_iter().filter_map(record).collect();
        let results = variants.iter().map(|(variant, plans)| VariantResults {
            variant: variant.clone(),
            trials: plans.iter().map(|plan| record(plan.place())).collect(),
            failures: plans.iter().filter_map(failure).collect(),
        });
        let untried = untried.clone();
        Self { before, untried, ..Self::new(study.clone(), results.collect()) }
    }

    /// Whether every trial is finished, or failed, and a search has tried all that it may.
    pub fn complete(&self) -> bool {
        let has_ended = |v: &VariantResults| {
            v.trials.iter().filter(|trial| trial.is_none()).count() == v.failures.len()
        };
        self.untried() == 0 && self.variants.iter().all(has_ended)
    }

    /// How many trials a search may still try, beside those of [`variants`](Self::variants).
    pub fn untried(&self) -> usize {
        self.untried_of(|_| true)
    }

    /// The same of some arms.
    pub(super) fn untried_of(&self, has: impl Fn(&str) -> bool) -> usize {
        let own = self.untried.iter().filter(|(arm, _)| has(arm));
        let trials = own.map(|(_, variants)| variants.saturating_mul(self.study.seeds.len()));
        trials.fold(0, usize::saturating_add)
    }

    /// How many trials are not finished: those of the rows of the table, and those that a search may still try.
    pub(super) fn unfinished(&self, table: &Table) -> usize {
        let known: usize = table.rows.iter().map(|row| row.unfinished).sum();
        known.saturating_add(self.untried())
    }

    /// All trials of the variants that are finished.
    pub fn trials(&self) -> impl Iterator<Item = &TrialRecord> {
        self.variants.iter().flat_map(|variant| variant.trials.iter().flatten())
    }
}

impl VariantResults {
    /// The values that decide, in the order of the seeds; `None` for a trial that has none.
    pub fn values(&self, study: &StudyConfig) -> Vec<Option<f64>> {
        let value = |trial: &Option<TrialRecord>| trial.as_ref()?.value(&study.metric);
        self.trials.iter().map(value).collect()
    }

    /// The values of what varies, as in its name: "learning_rate=0.1, epochs=3"; empty if nothing does.
    pub(super) fn settings_text(&self) -> String {
        let settings = self.variant.settings.iter();
        let words = settings.map(|(key, value)| format!("{key}={}", shown(value)));
        words.collect::<Vec<_>>().join(", ")
    }
}
