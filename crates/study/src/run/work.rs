use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use selvedge_models::Network;
use selvedge_train::{Context, Progress};

use super::Runner;
use super::far::{Ask, Far};
use super::progress::{Event, StudyProgress};
use super::sender::Sender;
use crate::store::{self, Claim, Lease, Leases, Stored};
use crate::trial::{self, Plan, Trained, TrialRecord};
use crate::{StudyError, jobs, record};

/// How long to wait for trials of other processes before looking again.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often a record is put where there was none and something was.
const KEEPS: usize = 3;

/// What does the trials of a study.
pub(super) struct Work<'a> {
    pub runner: &'a Runner<'a>,
    leases: Mutex<Option<Leases>>,
    /// What is finished is looked at, and nothing is written.
    only_reads: bool,
    /// Records of a far store that were read together.
    fetched: Mutex<BTreeMap<String, Stored>>,
    pub context: &'a Context,
}

/// What came of the trials so far, by their [places](Plan::place).
#[derive(Debug, Default)]
pub(super) struct Done {
    pub records: BTreeMap<String, TrialRecord>,
    pub failures: BTreeMap<String, String>,
}

/// What came of one trial.
enum End {
    Finished(Box<TrialRecord>),
    Failed(String),
    /// Another process works on it.
    Elsewhere,
    Stopped,
}

impl<'a> Work<'a> {
    pub fn new(runner: &'a Runner<'a>, context: &'a Context) -> Self {
        let (leases, fetched) = (Mutex::new(None), Mutex::default());
        Self { runner, leases, only_reads: false, fetched, context }
    }

    /// The same, to look at what is finished alone.
    pub fn reading(self) -> Self {
        Self { only_reads: true, ..self }
    }

    /// Asks for a trial. Nothing is written to the store before the first one that is not finished: the table of a
    /// finished study comes from one that is read-only, and a study that is refused leaves nothing.
    fn claim(&self, key: &str, ask: Ask) -> std::io::Result<Claim> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let leases = match &mut *leases {
            Some(leases) => leases,
            none => none.insert(Leases::new(self.runner.store.clone(), self.runner.lease_time)?),
        };
        match ask {
            Ask::Expired => leases.claim_expired(key),
            Ask::Record | Ask::Trial => leases.claim(key),
        }
    }

    /// Does all trials, or waits for the processes that do them, until all are done or the context is stopped: whether
    /// all are.
    pub fn all(
        &self,
        plans: &[&Plan],
        done: &mut Done,
        progress: &StudyProgress,
    ) -> Result<bool, StudyError> {
        let mut left: Vec<&Plan> = plans.to_vec();
        let store = &*self.runner.store;
        let mut far = store.is_far().then(|| Far::new(self.runner.lease_time));
        if let Some(far) = &far {
            left.sort_by_key(|plan| (Reverse(plan.images_seen()), far.order(plan)));
        }
        loop {
            let asks = match &mut far {
                None => left.iter().map(|plan| (*plan, Ask::Record)).collect(),
                Some(far) => {
                    // Jobs wait for each other at the end of a list; one that is too long is out of date.
                    let most = match self.context.jobs {
                        0 | 1 => 1,
                        jobs => 4 * jobs,
                    };
                    self.chosen(far, &left, most).map_err(|error| self.runner.store_error(error))?
                }
            };
            let ends = Mutex::new(Vec::new());
            jobs::map(self.context, &asks, |_, &(plan, ask)| {
                let end = self.one(plan, ask, done, progress)?;
                let place = plan.place().to_owned();
                ends.lock().expect("nothing panics while it is held").push((place, end));
                Ok(())
            })?;
            for (place, end) in ends.into_inner().expect("nothing panics while it is held") {
                match end {
                    End::Finished(record) => drop(done.records.insert(place, *record)),
                    End::Failed(message) => drop(done.failures.insert(place, message)),
                    End::Elsewhere | End::Stopped => continue,
                }
            }
            left.retain(|plan| {
                let place = plan.place();
                !done.records.contains_key(place) && !done.failures.contains_key(place)
            });
            if left.is_empty() || self.only_reads || self.context.stop.is_requested() {
                return Ok(left.is_empty());
            }
            let pause = far.as_mut().map_or(PATIENCE, |far| far.pause(!asks.is_empty()));
            let end = Instant::now() + pause;
            while !self.context.stop.is_requested() && Instant::now() < end {
                std::thread::sleep(PATIENCE.min(pause));
            }
        }
    }

    /// What to ask a far store for, whose records are read together.
    fn chosen<'p>(
        &self,
        far: &mut Far,
        left: &[&'p Plan],
        most: usize,
    ) -> std::io::Result<Vec<(&'p Plan, Ask)>> {
        let store = &self.runner.store;
        let asks = far.choose(&**store, left, most, self.only_reads)?;
        let asked = asks.iter().filter(|(_, ask)| *ask == Ask::Record);
        let names: Vec<String> =
            asked.flat_map(|(plan, _)| far.records_of(plan)).cloned().collect();
        let records = store.get_many(&names)?;
        let there = names.into_iter().zip(records).filter_map(|(name, it)| Some((name, it?)));
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = there.collect();
        Ok(asks)
    }

    fn one(
        &self,
        plan: &Plan,
        ask: Ask,
        done: &Done,
        progress: &StudyProgress,
    ) -> Result<End, StudyError> {
        if ask == Ask::Record
            && let Some(record) = self.finished(plan)?
        {
            // Another question each; in a far store it stays, and disturbs nobody.
            if !self.only_reads && !self.runner.store.is_far() {
                store::clear(&*self.runner.store, &plan.key);
            }
            progress.tell(Event::Found);
            return Ok(End::Finished(Box::new(record)));
        }
        if let Some(before) = plan.before()
            && let Some(message) = self.missing(before, done)
        {
            progress.tell(Event::Failed(&plan.label, &message));
            return Ok(End::Failed(message));
        }
        let store_error = |error| self.runner.store_error(error);
        if self.only_reads {
            return Ok(End::Elsewhere);
        }
        let Claim::Mine(lease) = self.claim(&plan.key, ask).map_err(store_error)? else {
            return Ok(End::Elsewhere);
        };
        // Between looking and claiming, another process may have finished it.
        if let Some(record) = self.finished(plan)? {
            progress.tell(Event::Found);
            return Ok(End::Finished(Box::new(record)));
        }
        progress.tell(Event::Begun);
        let trained = catch_unwind(AssertUnwindSafe(|| self.train(plan, &lease)));
        let trained = match trained {
            Ok(Ok(Some(trained))) => trained,
            Ok(Ok(None)) => return Ok(End::Stopped),
            Ok(Err(error @ StudyError::Store { .. })) => return Err(error),
            Ok(Err(error)) => {
                let message = error.to_string();
                progress.tell(Event::Failed(&plan.label, &message));
                return Ok(End::Failed(message));
            }
            Err(panic) => {
                let message = panic_text(panic.as_ref());
                progress.tell(Event::Failed(&plan.label, &message));
                return Ok(End::Failed(message));
            }
        };
        let record = self.keep(plan, trained)?;
        progress.tell(Event::Finished(&record));
        drop(lease);
        Ok(End::Finished(Box::new(record)))
    }

    /// Why the weights of the trial before are not there, if they are not.
    fn missing(&self, before: &Plan, done: &Done) -> Option<String> {
        let seed = before.seed;
        if let Some(message) = done.failures.get(&before.key) {
            return Some(format!("its pre-training with seed {seed} failed: {message}"));
        }
        let record = done.records.get(&before.key)?;
        (record.best_epoch == 0).then(|| format!("its pre-training with seed {seed} diverged"))
    }

    /// The record of a trial that was finished, by this process or another, now or before.
    fn finished(&self, plan: &Plan) -> Result<Option<TrialRecord>, StudyError> {
        let whole = self.stored(plan, &plan.key)?;
        match &plan.limits {
            Some(limits) if whole.is_none() => self.stored(plan, &limits.key),
            _ => Ok(whole),
        }
    }

    /// The record of a trial under one of its keys. A whole one is given as its limits would have it: the table does
    /// not depend on what else is in the store.
    fn stored(&self, plan: &Plan, key: &str) -> Result<Option<TrialRecord>, StudyError> {
        let name = record_name(key);
        let store = &self.runner.store;
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        let stored = match fetched {
            Some(stored) => Some(stored),
            None => store.get(&name).map_err(|error| self.runner.store_error(error))?,
        };
        let Some(stored) = stored else { return Ok(None) };
        let text = String::from_utf8_lossy(&stored.bytes);
        let read = record::of_text::<TrialRecord>(&text).ok().filter(|r| r.key == key);
        let read = match &plan.limits {
            Some(limits) => read.map(|record| limits.applied(record)),
            None => read,
        };
        if self.only_reads {
            let damaged = || StudyError::Record { store: store.display(), name };
            return read.ok_or_else(damaged).map(Some);
        }
        let needed = self.keeps_model(plan) && read.as_ref().is_some_and(|r| r.best_epoch > 0);
        if read.is_some() && (!needed || self.weights(plan)?.is_some()) {
            return Ok(read);
        }
        // Damaged, or without the model that is needed now: it is done again.
        let what = if read.is_some() { "has no model" } else { "is damaged" };
        if !matches!(self.context.progress, Progress::Hidden) && read.is_none() {
            Progress::message(&format!(
                "{name} of {} {what}: its trial is done again",
                store.display()
            ));
        }
        store.remove(&name, &stored.version).map_err(|error| self.runner.store_error(error))?;
        Ok(None)
    }

    fn keeps_model(&self, plan: &Plan) -> bool {
        self.runner.keep_models || plan.is_needed
    }

    fn train(&self, plan: &Plan, lease: &Lease) -> Result<Option<Trained>, StudyError> {
        let weights = match plan.before() {
            None => None,
            Some(before) => Some(self.weights(before)?.ok_or_else(|| {
                let error = std::io::Error::other("the weights of a pre-training are gone");
                self.runner.store_error(error)
            })?),
        };
        let store = &self.runner.store;
        let hasty = store::hasty(store);
        let mut context = self.context.clone().with_progress(Progress::Hidden);
        context.run_folder = store.scratch(&plan.key);
        // Without what another left of it, the trial begins at its beginning.
        let _ = store.fetch_scratch(&plan.key);
        let context = context.with_observer(Sender::new(hasty.clone(), &plan.key, lease.watch()));
        let trained = trial::train(plan, weights.as_ref(), &self.runner.device_name, &context)?;
        if trained.is_none() && !lease.is_lost() {
            // There is little time left, and ending well is worth more than the epochs that are lost.
            let _ = hasty.send_scratch(&plan.key);
        }
        Ok(trained)
    }

    /// Keeps what came of a trial; what was kept first, if another process was faster.
    fn keep(&self, plan: &Plan, trained: Trained) -> Result<TrialRecord, StudyError> {
        let store = &self.runner.store;
        let failed = |error| self.runner.store_error(error);
        if let Some(model) = trained.model.filter(|_| self.keeps_model(plan)) {
            let (name, bytes) = (weights_name(&plan.key), model.to_bytes()?);
            // Those that are there and can be read are what others began with.
            if self.weights(plan)?.is_none() {
                match store.get(&name).map_err(failed)? {
                    Some(there) => store.replace(&name, &there.version, &bytes),
                    None => store.put(&name, &bytes),
                }
                .map_err(failed)?;
            }
        }
        // The record is last: where there is one, all is there.
        let text = record::to_text(&trained.record).map_err(failed)?;
        let name = record_name(&trained.record.key);
        for _ in 0..KEEPS {
            let first = store.put(&name, text.as_bytes()).map_err(failed)?;
            // Another one's, unless it was damaged, and is removed by now.
            let kept = if first { Some(trained.record.clone()) } else { self.finished(plan)? };
            if let Some(record) = kept {
                // What cannot be removed is in nobody's way.
                let _ = store.finish(&plan.key);
                return Ok(record);
            }
        }
        Err(failed(std::io::Error::other(format!("{name} can neither be put there nor read"))))
    }

    /// The model of a finished trial; `None` if there is none, or it is damaged.
    fn weights(&self, plan: &Plan) -> Result<Option<Network>, StudyError> {
        let stored = self.runner.store.get(&weights_name(&plan.key));
        let stored = stored.map_err(|error| self.runner.store_error(error))?;
        let Some(stored) = stored else { return Ok(None) };
        let network = plan.network.init(plan.config.initialization, 0, &self.context.device)?;
        Ok(network.load_bytes(&stored.bytes).ok())
    }
}

pub(super) fn record_name(key: &str) -> String {
    format!("trials/{key}.toml")
}

pub(super) fn weights_name(key: &str) -> String {
    format!("weights/{key}.safetensors")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("for an unknown reason");
    format!("it panicked: {}", crate::config::printable(text))
}
