//! How a store is asked whose every answer takes its time, and that a thousand workers may share: of each trial only what
//! cannot be known from two lists of names.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::Store;
use crate::trial::Plan;

/// The first pause before a worker that found nothing to do looks again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What a worker remembers of a far store.
pub(super) struct Far {
    /// When the lease of another on a trial was looked at, or first heard of.
    looked: Mutex<BTreeMap<String, Instant>>,
    /// How long a lease of another is left alone.
    interval: Duration,
    /// Workers that begin at the same time do not all ask for the same trial: what is random here decides who trains a
    /// trial, and nothing else.
    spread: RandomState,
}

/// What a far store holds, by name.
pub(super) struct Listed {
    records: BTreeSet<String>,
    leases: BTreeSet<String>,
}

impl Far {
    /// For leases that live so long.
    pub fn new(lease_time: Duration) -> Self {
        let (looked, spread) = (Mutex::default(), RandomState::new());
        Self { looked, interval: lease_time / 4, spread }
    }

    /// What the store holds now.
    pub fn list(store: &dyn Store) -> io::Result<Listed> {
        let set = |prefix| Ok::<_, io::Error>(store.list(prefix)?.into_iter().collect());
        Ok(Listed { records: set("trials/")?, leases: set("leases/")? })
    }

    /// Whether it is time to ask for a trial: nobody works on it, or its lease was not looked at for a while.
    pub fn is_due(&self, listed: &Listed, plan: &Plan) -> bool {
        if !listed.leases.contains(&format!("leases/{}", plan.key)) {
            return true;
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let last = looked.entry(plan.key.clone()).or_insert(now);
        let is_due = now.duration_since(*last) >= self.interval;
        if is_due {
            *last = now;
        }
        is_due
    }

    /// This worker's order of trials that are alike.
    pub fn order(&self, plan: &Plan) -> u64 {
        self.spread.hash_one(&plan.key)
    }

    /// How long to wait after so many looks that found nothing to do.
    pub fn pause(&self, looks: u32) -> Duration {
        self.interval.min(FIRST_PAUSE * 2_u32.saturating_pow(looks))
    }
}

impl Listed {
    /// Whether a trial may be finished: under its own key, or that of one that may end early.
    pub fn may_hold(&self, plan: &Plan) -> bool {
        let holds = |key: &str| self.records.contains(&super::work::record_name(key));
        holds(&plan.key) || plan.limits.as_ref().is_some_and(|limits| holds(&limits.key))
    }
}
