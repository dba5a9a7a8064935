use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;

use crate::observe::Observers;
use crate::{Observer, Progress};

/// Where a run happens, how visibly, and until when. Nothing of it changes the result, but for rounding on another
/// device, and what [several devices](Context::with_others) do.
#[derive(Clone, Debug)]
pub struct Context {
    /// The device, without autodiff.
    pub device: Device,
    /// Further devices, without autodiff, that share the work of each step with it: see
    /// [`with_others`](Self::with_others).
    pub others: Vec<Device>,
    /// How the run is shown.
    pub progress: Progress,
    /// What ends it early.
    pub stop: Stop,
    /// The folder in which the run is kept, if any: see [`with_run_folder`](Self::with_run_folder).
    pub run_folder: Option<PathBuf>,
    /// Also saves the run after every so many steps of the optimizer.
    pub save_every: Option<usize>,
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
            others: Vec::new(),
            progress: Progress::Hidden,
            stop: Stop::default(),
            run_folder: None,
            save_every: None,
            observers: Observers::default(),
            jobs: 1,
        }
    }

    /// The same, with further devices that share the images of each step of training with the first: for one large
    /// network, such as on the cards of one machine.
    ///
    /// Each device computes the gradients of its part with a copy of the weights; the first adds them up and takes the
    /// step. Images that the network sees, and what it learns from them, are those of one device, to rounding. Two
    /// things are not: batch normalization takes its statistics from each part, and keeps those of the first, as
    /// PyTorch's `DistributedDataParallel` does; and what is drawn at random, such as dropout, is drawn for each part. A
    /// run folder is for the number of devices that it was begun with. Modules that draw from the device instead of the
    /// generator that they are given, such as Burn's own dropout, draw in an order that no seed decides.
    /// Validation and measurements are the first device's alone.
    #[must_use]
    pub fn with_others(self, devices: &[Device]) -> Self {
        let others = devices.iter().map(|device| device.clone().without_autodiff()).collect();
        Self { others, ..self }
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

    /// The same, with the run kept in a folder, from which the same call of [`fit`](crate::fit) goes on after
    /// it was stopped or killed:
    ///
    /// | in the folder | what it is |
    /// |---|---|
    /// | `config.toml` | all settings; a run with others is refused |
    /// | `results.csv` | a line for every complete epoch |
    /// | `weights/best.safetensors`, `weights/last.safetensors` | the models of the best epoch and of the last; of a [`Network`](selvedge_models::Network) they are [bundles](selvedge_models::Bundle) |
    /// | `checkpoints/` | what the run needs to go on: the last two, each with the sums of its files |
    ///
    /// One process at a time writes to it. A run that is complete is not computed again. A folder in which
    /// nothing can be written any more does not end the run: see [`Fitted::unsaved`](crate::Fitted::unsaved).
    #[must_use]
    pub fn with_run_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { run_folder: Some(folder.into()), ..self }
    }

    /// The same, with the run also saved after every so many steps of the optimizer, and not only after each
    /// epoch: for epochs of hours.
    #[must_use]
    pub fn with_save_every(self, steps: usize) -> Self {
        Self { save_every: Some(steps), ..self }
    }

    /// Whether the run is to be saved after the step of that number.
    pub(crate) fn saves_after(&self, step: usize) -> bool {
        let every = self.save_every.filter(|_| self.run_folder.is_some());
        every.is_some_and(|every| step.is_multiple_of(every))
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
