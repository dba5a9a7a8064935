//! Checkpoints on their way to where other machines find them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use selvedge_train::{EpochDone, Observer, ObserverError};

use crate::store::Store;

/// How often checkpoints are sent at most.
const PAUSE: Duration = Duration::from_secs(60);

/// How much longer than sending them they stay where they are: sending takes less than a twentieth of the time.
const SHARE: u32 = 20;

/// Sends the checkpoints of a trial every now and then: a worker may be killed without being told.
pub(super) struct Sender<L> {
    store: Arc<dyn Store>,
    key: String,
    /// Whether another works on the trial by now: its checkpoints are further.
    is_lost: L,
    next: Instant,
}

impl<L: Fn() -> bool + Send> Sender<L> {
    pub fn new(store: Arc<dyn Store>, key: &str, is_lost: L) -> Self {
        Self { store, key: key.into(), is_lost, next: Instant::now() + PAUSE }
    }
}

impl<L: Fn() -> bool + Send> Observer for Sender<L> {
    fn epoch(&mut self, _: &EpochDone<'_>) -> Result<(), ObserverError> {
        let begin = Instant::now();
        if begin >= self.next && !(self.is_lost)() {
            // What is not sent costs time after a kill, and nothing else.
            let pause = match self.store.send_scratch(&self.key) {
                Ok(()) => PAUSE.max(begin.elapsed() * SHARE),
                Err(_) => PAUSE,
            };
            self.next = Instant::now() + pause;
        }
        Ok(())
    }
}
