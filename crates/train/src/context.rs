use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;

use crate::observe::Observers;
use crate::{Observer, Progress};

/// Where a run happens, how visibly, and until when: nothing of it changes the result.
#[derive(Clone, Debug)]
pub struct Context {
    /// The device, without autodiff.
    pub device: Device,
    /// How the run is shown.
    pub progress: Progress,
    /// What ends it early.
    pub stop: Stop,
    pub(crate) observers: Observers,
    /// How many runs of a study happen at the same time, each on its share of the threads of rayon's
    /// current pool; 0 counts as 1.
    ///
    /// As many as there are threads is best for small networks on a CPU: their steps are so short that
    /// threads that share one wait for each other. On a GPU more than one gains nothing and takes more
    /// memory.
    pub jobs: usize,
}

impl Context {
    /// A run on `device` that shows nothing and is never stopped; a study's runs one by one.
    pub fn new(device: &Device) -> Self {
        Self {
            device: device.clone().without_autodiff(),
            progress: Progress::Hidden,
            stop: Stop::default(),
            observers: Observers::default(),
            jobs: 1,
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

    /// The same, watched by `observer` too. Clones of a context share their observers.
    #[must_use]
    pub fn with_observer(self, observer: impl Observer + 'static) -> Self {
        Self { observers: self.observers.with(observer), ..self }
    }

    /// The same, with so many runs of a study at the same time.
    #[must_use]
    pub fn with_jobs(self, jobs: usize) -> Self {
        Self { jobs, ..self }
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
