use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;

use crate::Progress;

/// Where a run happens, how visibly, and until when: nothing of it changes the result.
#[derive(Clone, Debug)]
pub struct Context {
    /// The device, without autodiff.
    pub device: Device,
    /// How the run is shown.
    pub progress: Progress,
    /// What ends it early.
    pub stop: Stop,
}

impl Context {
    /// A run on `device` that shows nothing and is never stopped.
    pub fn new(device: &Device) -> Self {
        Self {
            device: device.clone().without_autodiff(),
            progress: Progress::Hidden,
            stop: Stop::default(),
        }
    }

    /// The same, shown as `progress` says.
    #[must_use]
    pub fn with_progress(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// The same, ended by `stop`.
    #[must_use]
    pub fn with_stop(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }
}

/// A flag that ends a run after the batch it is in. Clones share the flag: one goes to the run, the
/// other to whatever raises it, such as a handler of Ctrl-C.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the run to end.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the run was asked to end.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
