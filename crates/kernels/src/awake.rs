//! Threads that stay awake between the operations of a training step.

use burn::tensor::Device;

/// Threads that are kept awake at most, beside the one that asks for it: a step of a small network has
/// no work for more.
#[cfg(feature = "flex")]
const MOST: usize = 7;

/// Keeps the threads of rayon's current pool awake while it lives; see [`keep_awake`].
#[derive(Debug)]
#[must_use = "the threads are kept awake while this lives"]
pub struct Awake {
    #[cfg(feature = "flex")]
    over: Option<std::sync::Arc<std::sync::atomic::AtomicBool>>,
}

/// Keeps the threads of rayon's current pool awake until the result is dropped, if `device` is flex.
///
/// A training step consists of dozens of short operations, which threads share. Between two of them a
/// thread of rayon goes to sleep after some 20 µs, and waking it up takes longer than many an operation.
/// Kept awake, it spins until there is work, as the threads of an OpenMP program do; other programs go
/// first where the processor is short of cores. [`fit`] does this for every step, and a training loop
/// of your own may do so, too. No result depends on it.
///
/// Nothing happens on other devices, in a pool of one thread, on a thread that is none of the pool's,
/// and on one that holds such a result already.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// let device = burn::tensor::Device::flex();
/// for _step in 0..3 {
///     let _awake = selvedge_kernels::keep_awake(&device);
///     // forward, backward, optimizer
/// }
/// # }
/// ```
///
/// [`fit`]: https://docs.rs/selvedge-train/latest/selvedge_train/fn.fit.html
pub fn keep_awake(device: &Device) -> Awake {
    #[cfg(feature = "flex")]
    {
        let flex = device.clone().without_autodiff() == Device::flex();
        Awake { over: if flex { threads::keep() } else { None } }
    }
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        Awake {}
    }
}

#[cfg(feature = "flex")]
impl Drop for Awake {
    fn drop(&mut self) {
        if let Some(over) = self.over.take() {
            threads::release(&over);
        }
    }
}

#[cfg(feature = "flex")]
mod threads {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use rayon::Yield;

    use super::MOST;

    /// How long a thread that is kept awake waits for work. It also bounds the delay where rayon has
    /// begun to keep a thread awake that waits for something else.
    const PATIENCE: Duration = Duration::from_micros(500);

    thread_local! {
        /// Whether this thread keeps others awake, or is being kept awake. It must not be kept awake
        /// once more: it would wait for work in the middle of its own.
        static BUSY: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn keep() -> Option<Arc<AtomicBool>> {
        let caller = rayon::current_thread_index()?;
        if rayon::current_num_threads() == 1 || BUSY.replace(true) {
            return None;
        }
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        rayon::spawn_broadcast(move |thread| {
            // Neighbours of the caller, in a circle.
            let threads = thread.num_threads();
            let distance = (thread.index() + threads - caller) % threads;
            if (1..=MOST).contains(&distance) && !BUSY.replace(true) {
                watch(&until);
                BUSY.set(false);
            }
        });
        Some(over)
    }

    pub(super) fn release(over: &AtomicBool) {
        over.store(true, Ordering::Release);
        BUSY.set(false);
    }

    /// Does what work there is, until it is over or there has been none for a while.
    pub(super) fn watch(over: &AtomicBool) {
        let (mut idle, mut since) = (0_u32, Instant::now());
        while !over.load(Ordering::Acquire) {
            if let Some(Yield::Executed) = rayon::yield_now() {
                (idle, since) = (0, Instant::now());
                continue;
            }
            idle += 1;
            match idle % 64 {
                0 if since.elapsed() > PATIENCE => return,
                0 => std::thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use rayon::prelude::*;

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn operations_of_many_short_steps_come_to_an_end() {
        for threads in [2, 3, 12] {
            let sum = |step: u64| -> u64 {
                let inner = |i: u64| (0..20).into_par_iter().map(|j| i * j + step).sum::<u64>();
                (0..20).into_par_iter().map(inner).sum()
            };
            let steps = || {
                for step in 0..if cfg!(miri) { 3 } else { 500 } {
                    let _awake = keep_awake(&Device::flex());
                    assert_eq!(sum(step), 190 * 190 + 400 * step);
                }
            };
            // One loop after the other, and two at the same time.
            let pool = pool(threads);
            pool.install(steps);
            pool.join(steps, steps);
        }
    }

    #[test]
    fn threads_are_kept_awake_once_and_only_where_there_are_others() {
        let holds = |awake: &Awake| awake.over.is_some();
        assert!(!holds(&keep_awake(&Device::flex())), "a thread of no pool");
        pool(1).install(|| assert!(!holds(&keep_awake(&Device::flex()))));
        pool(2).install(|| {
            let first = keep_awake(&Device::flex());
            let second = keep_awake(&Device::flex());
            assert!(holds(&first) && !holds(&second));
            drop(second);
            drop(first);
            assert!(holds(&keep_awake(&Device::flex())), "it can be held again");
        });
    }

    #[test]
    fn waiting_for_work_ends_by_itself() {
        // Else a thread that waits for something else would stay here.
        pool(2).install(|| threads::watch(&std::sync::atomic::AtomicBool::new(false)));
    }
}
