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
pub(super) struct Sender {
    store: Arc<dyn Store>,
    key: String,
    next: Instant,
}

impl Sender {
    pub fn new(store: Arc<dyn Store>, key: &str) -> Self {
        Self { store, key: key.into(), next: Instant::now() + PAUSE }
    }
}

impl Observer for Sender {
    fn epoch(&mut self, _: &EpochDone<'_>) -> Result<(), ObserverError> {
        let begin = Instant::now();
        if begin >= self.next {
            // What is not sent costs time after a kill, and nothing else.
            let _ = self.store.send_scratch(&self.key);
            self.next = Instant::now() + PAUSE.max(begin.elapsed() * SHARE);
        }
        Ok(())
    }
}
