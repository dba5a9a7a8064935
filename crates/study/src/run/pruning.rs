//! Ending trials early that are worse than most.

use super::StudyConfig;
use super::results::Trials;
use crate::TrialRecord;
use crate::config::{GENERATION, Metric, Variant};
use crate::trial::{Ending, Limits, Plan};

/// Variants with their trials by seed.
pub(super) type Planned = Vec<(Variant, Vec<Plan>)>;

/// The variants of a list, as they are tried after one another: all at once, unless trials may be ended early.
pub(super) fn generations(study: &StudyConfig, planned: Planned) -> Vec<Planned> {
    if study.pruner.is_none() {
        return vec![planned];
    }
    let mut generations: Vec<Planned> = Vec::new();
    for (variant, plans) in planned {
        let last = generations.last_mut();
        let has_place = |last: &&mut Planned| {
            last.len() < GENERATION && last.iter().all(|(other, _)| other.arm == variant.arm)
        };
        match last.filter(has_place) {
            Some(last) => last.push((variant, plans)),
            None => generations.push(vec![(variant, plans)]),
        }
    }
    generations
}

/// What a search learns of a trial, the smaller the better. Of one that ended early it is its best epoch: more than it
/// would have come to, but it tells the hopeless from those that were a little worse than most. At least half of those
/// that it was compared with came to less.
pub(super) fn known_cost(record: &TrialRecord, metric: &Metric) -> Option<f64> {
    if record.pruned_after().is_none() {
        return record.value(metric).map(|value| metric.cost(value));
    }
    let curve = record.curve(metric.part(), metric.column())?;
    curve.into_iter().map(|value| metric.cost(value)).filter(|cost| !cost.is_nan()).reduce(f64::min)
}

/// Sets where the trials of the next generation end early: by those of the same arm and seed before it that
/// came to their end. Those of the baseline never do.
pub(super) fn limit(study: &StudyConfig, earlier: &Trials, planned: &mut Planned) {
    let Some(pruner) = study.pruner else { return };
    let metric = &study.metric;
    for (variant, plans) in planned {
        if study.baseline.as_ref() == Some(&variant.name) {
            continue;
        }
        for (at, plan) in plans.iter_mut().enumerate() {
            let others = earlier.variants.iter().filter(|(other, _)| other.arm == variant.arm);
            let curve = |(_, plans): &(Variant, Vec<Plan>)| {
                let record = earlier.done.records.get(plans[at].place())?;
                let is_whole = matches!(record.ending, Ending::Complete {});
                let curve = record.curve(metric.part(), metric.column()).filter(|_| is_whole)?;
                Some(curve.into_iter().map(|value| metric.cost(value)).collect())
            };
            let others: Vec<Vec<f64>> = others.filter_map(curve).collect();
            let costs = pruner.limits(plan.config.fit.epochs, &others);
            plan.limits = Limits::new(&plan.key, metric, costs);
        }
    }
}
