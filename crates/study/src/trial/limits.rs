//! Ending a trial early: what it must have come to, epoch by epoch.

use std::sync::{Arc, Mutex, PoisonError};

use selvedge_train::{EpochDone, EpochRow, Observer, ObserverError, RunStarted};

use super::key::hash_of;
use super::{Ending, TrialRecord};
use crate::config::{Metric, Part};

/// A trial whose best epoch so far is beyond the limit of an epoch ends after that epoch.
///
/// Whether and where it ends follows from its curve alone: it is the same for one that was killed and went on, and for
/// a whole one that another study left in the store.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// That of the trial with a hash of the limits: what ended early is not taken for the whole trial.
    pub key: String,
    metric: Metric,
    /// What is to be made small, by epoch; there is none for the last one.
    costs: Vec<Option<f64>>,
}

impl Limits {
    /// Those of the trial of that key; `None` if there are none.
    pub fn new(key: &str, metric: &Metric, mut costs: Vec<Option<f64>>) -> Option<Self> {
        // What is after the last limit does not decide anything.
        costs.truncate(costs.iter().rposition(Option::is_some)? + 1);
        let bits = |cost: &Option<f64>| cost.map_or("-".into(), |c| format!("{:x}", c.to_bits()));
        let limits = costs.iter().map(bits).collect::<Vec<String>>().join(" ");
        let key = hash_of(&["ends early", key, &metric.to_string(), &limits]);
        Some(Self { key, metric: metric.clone(), costs })
    }

    /// The epoch, from 1, after which a trial of that curve ends.
    pub fn epoch(&self, curve: &[f64]) -> Option<usize> {
        let mut best = f64::INFINITY;
        let is_beyond = |(value, limit): (&f64, &Option<f64>)| {
            best = best.min(self.metric.cost(*value));
            limit.is_some_and(|limit| best > limit)
        };
        curve.iter().zip(&self.costs).position(is_beyond).map(|at| at + 1)
    }

    /// The same of epochs as they are while it is trained.
    pub fn epoch_of(&self, rows: &[EpochRow]) -> Option<usize> {
        let value = |row: &EpochRow| match self.metric.part() {
            Part::Train => row.train_value(self.metric.column()),
            _ => row.validation_value(self.metric.column()),
        };
        let curve: Option<Vec<f64>> = rows.iter().map(value).collect();
        self.epoch(&curve?)
    }

    /// What a whole trial would have been within these limits.
    pub fn applied(&self, mut record: TrialRecord) -> TrialRecord {
        let curve = record.curve(self.metric.part(), self.metric.column());
        let Some(epoch) = curve.and_then(|curve| self.epoch(&curve)) else { return record };
        record.key.clone_from(&self.key);
        record.ending = Ending::Pruned { epoch };
        record.best_epoch = 0;
        record.scores.clear();
        record.confusion.clear();
        record.epochs.truncate(epoch);
        record.seconds = record.epochs.iter().map(|epoch| epoch.seconds).sum();
        record
    }
}

/// Ends a training where its limits say so, and knows its epochs then. Clones share them.
#[derive(Clone)]
pub(super) struct Watch {
    limits: Limits,
    rows: Arc<Mutex<Vec<EpochRow>>>,
}

impl Watch {
    pub fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), rows: Arc::default() }
    }

    /// The epochs of a training that was ended by this.
    pub fn ended(&self) -> Option<Vec<EpochRow>> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        self.limits.epoch_of(&rows).map(|_| rows.clone())
    }

    /// An error is how an observer ends a run.
    fn check(&self) -> Result<(), ObserverError> {
        match self.ended() {
            Some(_) => Err("it is worse than most".into()),
            None => Ok(()),
        }
    }
}

impl Observer for Watch {
    fn run_started(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        // It may have been killed between the end of its last epoch and the record of it.
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = run.rows.to_vec();
        self.check()
    }

    fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(done.row.clone());
        self.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::MedianPruner;

    fn limits(metric: &str, costs: &[Option<f64>]) -> Option<Limits> {
        Limits::new("key", &metric.parse().unwrap(), costs.to_vec())
    }

    #[test]
    fn a_trial_ends_where_its_best_epoch_so_far_is_beyond_the_limit() {
        let loss = limits("validation.loss", &[None, Some(0.5), Some(0.4)]).unwrap();
        for (curve, expected) in [
            (&[0.9, 0.6, 0.1][..], Some(2)),
            (&[0.45, 0.6, 0.6], Some(3)),
            (&[0.9, 0.5, 0.4, 9.0], None),
            (&[f64::NAN, 0.3, 0.9], None),
            (&[0.9], None),
            (&[], None),
        ] {
            assert_eq!(loss.epoch(curve), expected, "{curve:?}");
        }
        let accuracy = limits("validation.accuracy", &[Some(-0.8)]).unwrap();
        assert_eq!([0.7, 0.9].map(|value| accuracy.epoch(&[value])), [Some(1), None]);
    }

    #[test]
    fn it_ends_where_the_median_pruner_stops_it() {
        let others =
            [[0.9, 0.5, 0.3, 0.2], [0.8, 0.6, 0.5, 0.1], [0.7, 0.4, 0.4, 0.3]].map(Vec::from);
        let pruner = MedianPruner { startup: 2, warmup: 1 };
        let costs = (1..4).map(|epoch| pruner.limit(epoch, &others)).collect::<Vec<_>>();
        let limits = limits("validation.loss", &costs).unwrap();
        for curve in [[0.9, 0.8, 0.7, 0.6], [0.6, 0.6, 0.6, 0.6], [0.9, 0.45, 0.45, 0.45]] {
            let stops = (1..4).find(|&epochs| pruner.stops(&curve[..epochs], &others));
            assert_eq!(limits.epoch(&curve), stops, "{curve:?}");
        }
    }

    #[test]
    fn other_limits_are_another_key_and_none_are_no_limits() {
        assert!(limits("validation.loss", &[None, None]).is_none());
        assert!(limits("validation.loss", &[]).is_none());
        let keys = [
            ("validation.loss", vec![Some(0.5)]),
            ("validation.loss", vec![Some(0.25)]),
            ("validation.loss", vec![None, Some(0.5)]),
            ("train.loss", vec![Some(0.5)]),
        ]
        .map(|(metric, costs)| limits(metric, &costs).unwrap().key);
        for (at, key) in keys.iter().enumerate() {
            assert_ne!(key, "key");
            assert!(!keys[..at].contains(key), "{at}");
        }
        let longer = limits("validation.loss", &[Some(0.5), None]).unwrap();
        assert_eq!(longer.key, keys[0], "epochs without a limit after the last one do not count");
    }
}
