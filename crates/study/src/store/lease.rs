//! Claims on trials that end when their owner does.
//!
//! A process that works on a trial holds a lease on it, which it renews. Another process may take the trial over when
//! the system says that the owner is dead, where it can be asked, or when the lease was not renewed for its time by
//! the watch of the other process: clocks of different machines need not agree.
//!
//! A process that was merely asleep finds its lease taken. It loses nothing by it: both come to the same result, bit
//! for bit, and the first one that is put is kept.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Store, Stored, Version};

/// The leases of one process.
pub struct Leases {
    shared: Arc<Shared>,
    renewing: Option<JoinHandle<()>>,
    /// What shows others that this process lives.
    _life: Option<Box<dyn Any + Send + Sync>>,
}

struct Shared {
    store: Arc<dyn Store>,
    /// The same, for what is tried again soon anyway.
    hasty: Arc<dyn Store>,
    owner: String,
    time: Duration,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    ended: bool,
    /// The version of every lease that is held.
    held: BTreeMap<String, Version>,
    /// The version of leases of others, and since when they have it.
    seen: BTreeMap<String, (Version, Instant)>,
    count: u64,
}

/// What came of asking for a trial.
#[derive(Debug)]
pub enum Claim {
    /// It is this process's.
    Mine(Lease),
    /// Another process works on it.
    Taken,
}

/// A claim on a trial, given back when it is dropped.
pub struct Lease {
    shared: Arc<Shared>,
    name: String,
}

/// A lease as it is stored.
#[derive(Serialize, Deserialize)]
struct Written {
    owner: String,
    process: u32,
    /// Another number with every renewal, so that the version is another.
    renewal: u64,
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("owner", &self.shared.owner).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Leases {
    /// Those of this process, which expire if they are not renewed for `time`. They are renewed four times as often.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn new(store: Arc<dyn Store>, time: Duration) -> io::Result<Self> {
        let owner = format!("{}-{}", std::process::id(), unique());
        let life = store.show_life(&owner)?;
        let state = Mutex::default();
        let hasty = super::hasty(&store);
        let shared = Arc::new(Shared { store, hasty, owner, time, state, ended: Condvar::new() });
        let renewed = shared.clone();
        let renewing = std::thread::Builder::new()
            .name("leases".into())
            .spawn(move || renewed.renew_until_the_end())?;
        Ok(Self { shared, renewing: Some(renewing), _life: life })
    }

    /// Asks for a trial.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written.
    pub fn claim(&self, name: &str) -> io::Result<Claim> {
        self.claim_or_take(name, false)
    }

    /// Asks for a trial whose lease was seen to be over: what is there now is taken over. If it was renewed after that, two
    /// work on the trial, and come to the same result.
    pub(crate) fn claim_expired(&self, name: &str) -> io::Result<Claim> {
        self.claim_or_take(name, true)
    }

    fn claim_or_take(&self, name: &str, is_expired: bool) -> io::Result<Claim> {
        let (shared, key) = (&self.shared, lease_name(name));
        let bytes = {
            let mut state = shared.state();
            if state.held.contains_key(name) {
                return Ok(Claim::Taken);
            }
            shared.written(&mut state)
        };
        // The state is free while the store takes its time.
        let there = shared.store.get(&key)?;
        let is_over = |there| is_expired || shared.is_over(&mut shared.state(), name, there);
        let taken = match there {
            None => shared.store.put(&key, &bytes)?,
            Some(there) if is_over(&there) => shared.store.replace(&key, &there.version, &bytes)?,
            Some(_) => false,
        };
        if !taken {
            return Ok(Claim::Taken);
        }
        let mut state = shared.state();
        state.seen.remove(name);
        state.held.insert(name.into(), Version::of(&bytes));
        drop(state);
        Ok(Claim::Mine(Lease { shared: shared.clone(), name: name.into() }))
    }

    /// How long a lease lives without being renewed.
    pub fn time(&self) -> Duration {
        self.shared.time
    }
}

/// Under which name the lease on a trial is stored.
pub(crate) fn lease_name(name: &str) -> String {
    format!("leases/{name}")
}

/// Takes away the lease on a trial that is finished, if its owner is dead: it was killed between keeping the trial and
/// giving back the lease. What cannot be removed, as in a store that is read-only, stays, and disturbs nobody.
pub(crate) fn clear(store: &dyn Store, name: &str) {
    let key = lease_name(name);
    let Ok(Some(there)) = store.get(&key) else { return };
    let written = toml::from_str::<Written>(&String::from_utf8_lossy(&there.bytes));
    if written.map_or(true, |written| store.lives(&written.owner) == Some(false)) {
        let _ = store.remove(&key, &there.version);
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.ended.notify_all();
        if let Some(thread) = self.renewing.take() {
            let _ = thread.join();
        }
    }
}

impl Lease {
    /// Whether another process took it, because this one did not renew it in time.
    pub fn is_lost(&self) -> bool {
        self.shared.is_lost(&self.name)
    }

    /// What tells whether it is [lost](Self::is_lost), and may outlive it.
    pub(crate) fn watch(&self) -> impl Fn() -> bool + Send + use<> {
        let (shared, name) = (self.shared.clone(), self.name.clone());
        move || shared.is_lost(&name)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let version = self.shared.state().held.remove(&self.name);
        if let Some(version) = version {
            // What cannot be removed expires.
            let _ = self.shared.give_back(&self.name, &version);
        }
    }
}

impl Shared {
    fn is_lost(&self, name: &str) -> bool {
        !self.state().held.contains_key(name)
    }

    fn give_back(&self, name: &str, version: &Version) -> io::Result<()> {
        let key = lease_name(name);
        if !self.hasty.remove(&key, version)?
            && let Some(there) = self.hasty.get(&key)?
            && self.is_mine(&there)
        {
            // It was being renewed.
            self.hasty.remove(&key, &there.version)?;
        }
        Ok(())
    }

    /// Whether a lease is of this process.
    fn is_mine(&self, there: &Stored) -> bool {
        let text = String::from_utf8_lossy(&there.bytes);
        toml::from_str::<Written>(&text).is_ok_and(|written| written.owner == self.owner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self, state: &mut State) -> Vec<u8> {
        state.count += 1;
        let (owner, process) = (self.owner.clone(), std::process::id());
        let written = Written { owner, process, renewal: state.count };
        toml::to_string(&written).expect("a lease is data").into_bytes()
    }

    /// Whether a lease of another is over: its owner is dead, or it was not renewed for its time.
    fn is_over(&self, state: &mut State, name: &str, there: &Stored) -> bool {
        let text = String::from_utf8_lossy(&there.bytes);
        // What is no lease was not written by a process that lives.
        let Ok(written) = toml::from_str::<Written>(&text) else { return true };
        if self.store.lives(&written.owner) == Some(false) {
            return true;
        }
        let now = Instant::now();
        let (version, since) =
            state.seen.entry(name.into()).or_insert_with(|| (there.version.clone(), now));
        if *version != there.version {
            (*version, *since) = (there.version.clone(), now);
        }
        now.duration_since(*since) > self.time
    }

    fn renew_until_the_end(&self) {
        let mut state = self.state();
        while !state.ended {
            let waited = self.ended.wait_timeout(state, self.time / 4);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.ended {
                return;
            }
            // The state is free while the store takes its time.
            let held = state.held.clone();
            drop(state);
            for (name, version) in held {
                self.renew(name, &version);
            }
            state = self.state();
        }
    }

    fn renew(&self, name: String, version: &Version) {
        let (key, bytes) = (lease_name(&name), self.written(&mut self.state()));
        let renewed = match self.hasty.replace(&key, version, &bytes) {
            Ok(true) => Some(Version::of(&bytes)),
            // Another has it now; or it was renewed, and the answer was lost.
            Ok(false) => match self.hasty.get(&key) {
                Ok(there) => there.filter(|there| self.is_mine(there)).map(|there| there.version),
                Err(_) => return,
            },
            // A store that is away for a moment is asked again the next time.
            Err(_) => return,
        };
        let mut state = self.state();
        // It may have been given back meanwhile.
        if state.held.get(&name) == Some(version) {
            match renewed {
                Some(version) => drop(state.held.insert(name, version)),
                None => drop(state.held.remove(&name)),
            }
        }
    }
}

/// What no other process has, nor had: the time and an address.
fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |time| time.as_nanos());
    let here = Box::new(0_u8);
    let place = &raw const *here as usize;
    selvedge_files::sha256(format!("{now} {place}").as_bytes())[..12].into()
}

#[cfg(test)]
mod tests {
    use super::super::FolderStore;
    use super::*;

    fn leases(folder: &std::path::Path, time: Duration) -> Leases {
        Leases::new(Arc::new(FolderStore::open(folder).unwrap()), time).unwrap()
    }

    fn is_mine(claim: &Claim) -> bool {
        matches!(claim, Claim::Mine(_))
    }

    #[test]
    fn a_trial_is_of_one_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = [0, 1].map(|_| leases(folder.path(), Duration::from_secs(60)));
        let mine = a.claim("x").unwrap();
        assert!(is_mine(&mine));
        assert!(!is_mine(&a.claim("x").unwrap()), "not twice by the same process either");
        assert!(!is_mine(&b.claim("x").unwrap()));
        drop(mine);
        assert!(is_mine(&b.claim("x").unwrap()));
    }

    #[test]
    fn what_a_dead_process_had_is_taken_over_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let a = leases(folder.path(), Duration::from_secs(3600));
        std::mem::forget(a.claim("x").unwrap());
        let b = leases(folder.path(), Duration::from_secs(3600));
        assert!(!is_mine(&b.claim("x").unwrap()));
        // Its lease stays, as after a kill; the system takes its lock away.
        drop(a);
        assert!(is_mine(&b.claim("x").unwrap()));
    }

    #[test]
    fn a_lease_on_a_finished_trial_is_cleared_once_its_owner_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(FolderStore::open(folder.path()).unwrap());
        let a = Leases::new(store.clone(), Duration::from_secs(3600)).unwrap();
        std::mem::forget(a.claim("x").unwrap());
        clear(&*store, "x");
        assert_eq!(store.list("leases/").unwrap(), ["leases/x"], "its owner lives");
        drop(a);
        clear(&*store, "x");
        assert!(store.list("leases/").unwrap().is_empty());
        clear(&*store, "x");
    }

    #[test]
    fn a_lease_that_is_renewed_is_kept_and_one_that_is_not_expires() {
        let folder = tempfile::tempdir().unwrap();
        let time = Duration::from_millis(200);
        let (a, b) = (leases(folder.path(), time), leases(folder.path(), time));
        let Claim::Mine(mine) = a.claim("x").unwrap() else { panic!("it is free") };
        let end = Instant::now() + 5 * time;
        while Instant::now() < end {
            assert!(!is_mine(&b.claim("x").unwrap()), "it is renewed");
            std::thread::sleep(time / 10);
        }
        // As if the process slept: nothing is renewed, but it lives.
        let version = a.shared.state().held.remove("x").unwrap();
        let taken = loop {
            match b.claim("x").unwrap() {
                Claim::Mine(lease) => break lease,
                Claim::Taken => std::thread::sleep(time / 10),
            }
        };
        a.shared.state().held.insert("x".into(), version);
        // It notices when it wakes up.
        while !mine.is_lost() {
            std::thread::sleep(time / 10);
        }
        assert!(!taken.is_lost());
    }
}
