//! How a store is asked whose every answer takes its time, and that a thousand workers may share: of each trial only what
//! cannot be known from two lists.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::io;
use std::time::{Duration, Instant};

use crate::store::{Stamp, Store, lease_name};
use crate::trial::Plan;

/// The first pause before a worker that found nothing to do looks again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What a worker remembers of a far store.
pub(super) struct Far {
    lease_time: Duration,
    /// The stamps of leases, and since when they have them.
    seen: BTreeMap<String, (Stamp, Instant)>,
    /// The records that were listed last, and when.
    records: BTreeSet<String>,
    listed: Instant,
    /// Looks in a row that found nothing to do.
    looks: u32,
    /// Workers that begin at the same time do not all ask for the same trial: what is random here decides who trains a
    /// trial, and nothing else.
    spread: RandomState,
}

/// How to ask for a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// For its record, and then for the trial.
    Record,
    /// For the trial: it has no record.
    Trial,
    /// For the trial, whose lease was not renewed for its time.
    Expired,
}

impl Far {
    /// For leases that live so long.
    pub fn new(lease_time: Duration) -> Self {
        let (seen, records) = (BTreeMap::new(), BTreeSet::new());
        let spread = RandomState::new();
        Self { lease_time, seen, records, listed: Instant::now(), looks: 0, spread }
    }

    /// This worker's order of trials that are alike.
    pub fn order(&self, plan: &Plan) -> u64 {
        self.spread.hash_one(&plan.key)
    }

    /// What is worth a question: at most so many trials to do; or, where nobody is to do one, all records that are there.
    /// What is listed is out of date soon.
    pub fn choose<'p>(
        &mut self,
        store: &dyn Store,
        left: &[&'p Plan],
        most: usize,
        only_reads: bool,
    ) -> io::Result<Vec<(&'p Plan, Ask)>> {
        let leases: BTreeMap<String, Stamp> = store.list_stamped("leases/")?.into_iter().collect();
        let begin = Instant::now();
        // After the leases: a trial without one is finished by now, or nobody works on it.
        self.records = store.list("trials/")?.into_iter().collect();
        self.seen.retain(|name, (stamp, _)| leases.get(name) == Some(&*stamp));
        for (name, stamp) in leases {
            self.seen.entry(name).or_insert((stamp, begin));
        }
        // While this worker did not look, the store may have been away for all: nobody could renew a lease then.
        if begin.duration_since(self.listed) > self.lease_time / 2 {
            self.seen.values_mut().for_each(|(_, since)| *since = begin);
        }
        self.listed = begin;
        let is_over = |since: Instant| begin.duration_since(since) > self.lease_time;
        let (mut to_do, mut to_read) = (Vec::new(), Vec::new());
        for &plan in left {
            if self.records_of(plan).next().is_some() {
                to_read.push((plan, Ask::Record));
            } else if only_reads {
                to_do.push((plan, Ask::Trial));
            } else if to_do.len() < most {
                match self.seen.get(&lease_name(&plan.key)) {
                    None => to_do.push((plan, Ask::Trial)),
                    Some((_, since)) if is_over(*since) => to_do.push((plan, Ask::Expired)),
                    Some(_) => {}
                }
            }
        }
        // Reading thousands of records takes its time, in which others would have begun what is left.
        if only_reads {
            to_read.append(&mut to_do);
        }
        Ok(if to_do.is_empty() { to_read } else { to_do })
    }

    /// The records of a trial that were listed: under its own key, or that of one that may end early.
    pub fn records_of(&self, plan: &Plan) -> impl Iterator<Item = &String> {
        let limited = plan.limits.as_ref().map(|limits| limits.key.as_str());
        let keys = [Some(plan.key.as_str()), limited].into_iter().flatten();
        keys.filter_map(|key| self.records.get(&super::work::record_name(key)))
    }

    /// How long to wait before looking again, after a look that found something to do or did not.
    pub fn pause(&mut self, has_found: bool) -> Duration {
        self.looks = if has_found { 0 } else { self.looks + 1 };
        match self.looks {
            0 => Duration::ZERO,
            looks => (self.lease_time / 4).min(FIRST_PAUSE * 2_u32.saturating_pow(looks - 1)),
        }
    }
}
