//! What changes while a run goes on.

use std::collections::BTreeMap;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::tensor::Bytes;
use selvedge_data::SplitMix64;
use selvedge_models::Model;
use selvedge_models::state::{self, State};
use serde::{Deserialize, Serialize};

use super::average::Average;
use super::stopping::Monitor;
use super::{Averaging, FitConfig};
use crate::{EpochRecord, EpochRow, History, Score, Totals, TrainError};

/// Keeps dropout apart from the initial weights, which are drawn by the same generator ("dropout").
const DROPOUT: u64 = 0x0064_726F_706F_7574;

const WHOLE: &str = "the model is put back after every step";

/// The whole state of a run: whatever the next step depends on, besides settings and data. There is no
/// generator of random numbers in it: what is random is a function of seed, epoch and batch.
pub(super) struct TrainState<M, S> {
    /// `None` only within a step, while the optimizer holds it.
    model: Option<M>,
    optimizer: ModuleOptimizer,
    /// The complete epochs.
    pub epoch: usize,
    /// The batches of the next epoch that are done.
    pub batch: usize,
    /// The steps of the optimizer.
    pub step: usize,
    /// What was measured in these batches.
    pub totals: Totals,
    /// The epochs that are complete.
    pub history: History<S>,
    /// The best epoch so far, with its model, ready for inference.
    pub best: Option<(EpochRecord<S>, M)>,
    /// The average of the weights.
    pub average: Option<Average<M>>,
}

/// The seed of whatever is drawn for a batch.
pub(super) fn batch_seed(seed: u64, epoch: usize, batch: usize) -> u64 {
    let epoch = SplitMix64::stream(seed ^ DROPOUT, epoch as u64).next_u64();
    SplitMix64::stream(epoch, batch as u64).next_u64()
}

impl<M: Model, S: Score> TrainState<M, S> {
    /// Before the first step; `model` is on the training device.
    pub fn new(model: M, optimizer: ModuleOptimizer) -> Self {
        Self {
            model: Some(model),
            optimizer,
            epoch: 0,
            batch: 0,
            step: 0,
            totals: Totals::default(),
            history: History { epochs: Vec::new() },
            best: None,
            average: None,
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &M {
        self.model.as_ref().expect(WHOLE)
    }

    /// One step of the optimizer.
    pub fn step(
        &mut self,
        gradients: GradientsParams,
        rates: ModuleLearningRate,
        averaging: Option<&Averaging>,
    ) {
        let model = self.model.take().expect(WHOLE);
        self.model = Some(self.optimizer.step(rates, model, gradients));
        self.step += 1;
        if let Some(averaging) = averaging.filter(|how| how.after_step(self.step)) {
            self.average(averaging);
        }
    }

    fn average(&mut self, averaging: &Averaging) {
        let current = self.model().valid();
        self.average = Some(Average::update(self.average.take(), current, averaging));
    }

    /// Ends the epoch's steps: the model that is validated, ready for inference.
    pub fn end_steps(&mut self, averaging: Option<&Averaging>) -> M {
        if let Some(averaging) = averaging.filter(|how| how.after_epoch(self.epoch + 1)) {
            self.average(averaging);
        }
        match &self.average {
            // Not a clone: running statistics of Burn's own modules are shared with clones, and go on.
            Some(average) => average.model.valid(),
            None => self.model().valid(),
        }
    }

    /// Notes a complete epoch; `snapshot` is its model, ready for inference. Says whether it is the best.
    pub fn finish_epoch(&mut self, record: EpochRecord<S>, snapshot: M, monitor: &Monitor) -> bool {
        self.epoch += 1;
        self.batch = 0;
        self.totals = Totals::default();
        self.history.epochs.push(record.clone());
        let cost = monitor.cost(&record);
        let is_best = self.best.as_ref().is_none_or(|(best, _)| cost < monitor.cost(best));
        if is_best {
            self.best = Some((record, snapshot));
        }
        is_best
    }

    /// The best epoch with its model, and the history.
    pub fn into_best(self, what: &str) -> Result<(EpochRecord<S>, M, History<S>), TrainError> {
        let (best, model) = self.best.ok_or_else(|| TrainError::Stopped { what: what.into() })?;
        Ok((best, model, self.history))
    }
}

/// What of a state is not a tensor, as a checkpoint keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    pub epoch: usize,
    pub batch: usize,
    pub step: usize,
    pub best_epoch: Option<usize>,
    /// How often the weights entered the average; 0 if there is none.
    pub averaged: usize,
    pub totals: Totals,
    /// What the optimizer's state knows the parameters by, as text: TOML has no unsigned numbers.
    pub ids: BTreeMap<String, String>,
    #[serde(default)]
    pub epochs: Vec<EpochRow>,
}

/// A state on the host, as a checkpoint keeps it.
pub(super) struct Snapshot {
    pub position: Position,
    pub model: State,
    pub optimizer: Bytes,
    pub best: Option<State>,
    pub average: Option<State>,
}

impl<M: Model, S: Score> TrainState<M, S> {
    /// The state on the host; the best model only if it is `wanted`: it changes rarely.
    pub fn snapshot(&self, wants_best: bool) -> Result<Snapshot, String> {
        let ids = state::parameters(self.model()).into_iter();
        let best = self.best.as_ref().filter(|_| wants_best);
        Ok(Snapshot {
            position: Position {
                epoch: self.epoch,
                batch: self.batch,
                step: self.step,
                best_epoch: self.best.as_ref().map(|(record, _)| record.epoch),
                averaged: self.average.as_ref().map_or(0, |average| average.count),
                totals: self.totals.clone(),
                ids: ids.map(|p| (p.name, p.id.val().to_string())).collect(),
                epochs: self.history.rows(),
            },
            model: state::read(self.model()),
            optimizer: self.optimizer.into_bytes().map_err(|error| error.to_string())?,
            best: best.map(|(_, model)| state::read(model)),
            average: self.average.as_ref().map(|average| state::read(&average.model)),
        })
    }

    /// The state of a checkpoint. `model`, on the device without autodiff, is the one that the run began with.
    pub fn restore(model: &M, config: &FitConfig, snapshot: Snapshot) -> Result<Self, String> {
        let Snapshot { position, model: values, optimizer: bytes, best, average } = snapshot;
        let expected = state::read(model);
        let filled = |values: State| match fits(&expected, &values) {
            // Not a clone: of Burn's own modules it would share the running statistics.
            Ok(()) => Ok(state::write(model.valid(), values)),
            Err(name) => Err(format!("the tensor `{name}` is not as in the model")),
        };
        let id = |(name, id): (&String, &String)| Some((name.clone(), id.parse().ok()?));
        let ids = position.ids.iter().map(id).collect::<Option<BTreeMap<String, u64>>>();
        let ids = ids.ok_or("an id of a parameter is not a number")?;
        let identified = |values| Ok::<M, String>(state::identify(filled(values)?, &ids));
        let epochs = position.epochs.iter().map(|row| {
            let row = EpochRow { columns: S::COLUMNS, ..row.clone() };
            EpochRecord::from_row(&row).ok_or("an epoch has other values than are measured")
        });
        let epochs = epochs.collect::<Result<Vec<_>, _>>()?;
        if epochs.len() != position.epoch {
            return Err(format!("{} epochs are listed, not {}", epochs.len(), position.epoch));
        }
        let model = identified(values)?.train();
        // By the ids that the checkpoint knows.
        let optimizer = config.optimizer(&state::parameters(&model), model.name());
        let optimizer = optimizer.map_err(|error| error.to_string())?;
        let record = OptimizerRecord::from_bytes(bytes).map_err(|error| error.to_string())?;
        Ok(Self {
            model: Some(model),
            optimizer: optimizer.load_record(record),
            epoch: position.epoch,
            batch: position.batch,
            step: position.step,
            totals: position.totals,
            best: match (position.best_epoch, best) {
                (None, None) => None,
                (Some(epoch), Some(values)) => {
                    let record = epochs.iter().find(|record| record.epoch == epoch);
                    Some((record.ok_or("the best epoch is not listed")?.clone(), filled(values)?))
                }
                _ => return Err("the best epoch and its model are not both there".into()),
            },
            average: match average {
                Some(values) => {
                    Some(Average { model: identified(values)?, count: position.averaged })
                }
                None => None,
            },
            history: History { epochs },
        })
    }
}

/// `Ok` if both have the same tensors, else the name of one that differs.
fn fits(expected: &State, found: &State) -> Result<(), String> {
    let differs = |a: &State, b: &State| {
        let mut names = a.iter();
        let found =
            names.find(|(name, data)| b.get(*name).map(|d| d.shape()) != Some(data.shape()));
        found.map(|(name, _)| name.clone())
    };
    match differs(expected, found).or_else(|| differs(found, expected)) {
        Some(name) => Err(name),
        None => Ok(()),
    }
}

/// What a run of these settings depends on besides data and model.
pub(super) fn settings(config: &FitConfig) -> Result<toml::Table, TrainError> {
    // TOML has no integers from 2^63 on. A seed may be any number: it is written as text then.
    let seed = i64::try_from(config.seed).map_err(|_| config.seed.to_string());
    let numbers = [
        ("epochs", config.epochs as u64),
        ("batch size", config.batch_size as u64),
        ("accumulated batches", config.accumulate as u64),
    ];
    let too_large = |(_, value): &(_, u64)| i64::try_from(*value).is_err();
    let (name, value) = match numbers.into_iter().find(too_large) {
        Some((name, value)) => (name, value.to_string()),
        None => ("a number of the settings", "too large".into()),
    };
    let expected = "below 2^63 where settings are written to a file";
    let rest = FitConfig { seed: 0, ..config.clone() };
    let mut table =
        toml::Table::try_from(rest).map_err(|_| TrainError::Setting { name, value, expected })?;
    table.insert("seed".into(), seed.map_or_else(Into::into, Into::into));
    Ok(table)
}
