//! Several runs at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Context, TrainError};

/// Calls `work` with every item, [`Context::jobs`] of them at a time, each on its share of the threads of
/// rayon's current pool. Items are begun in their order, none once the context is stopped or an item
/// has failed or panicked.
///
/// The networks of these studies are small: a step of theirs is shared among threads at a loss, which
/// runs side by side do not have.
///
/// # Errors
///
/// That of the first item, in their order, whose work failed; or [`TrainError::Threads`].
pub(crate) fn each<T: Sync>(
    context: &Context,
    items: &[T],
    work: impl Fn(&T) -> Result<(), TrainError> + Sync,
) -> Result<(), TrainError> {
    let jobs = context.jobs.min(items.len());
    let queue = Queue { next: AtomicUsize::new(0), len: items.len() };
    let failed: Mutex<Option<(usize, TrainError)>> = Mutex::new(None);
    let job = || {
        let _end = EndOf(&queue);
        while let Some(index) = queue.take() {
            if context.stop.is_requested() {
                return;
            }
            if let Err(error) = work(&items[index]) {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                if failed.as_ref().is_none_or(|(first, _)| index < *first) {
                    *failed = Some((index, error));
                }
                return;
            }
        }
    };
    match jobs {
        0 | 1 => job(),
        _ => on_each(&pools(jobs)?, &job),
    }
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), |(_, error)| Err(error))
}

/// Hands out the numbers from 0 to `len`.
struct Queue {
    next: AtomicUsize,
    len: usize,
}

impl Queue {
    fn take(&self) -> Option<usize> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.len).then_some(index)
    }
}

/// Ends the queue when a job ends: there is nothing left, or there was a stop, an error or a panic.
struct EndOf<'a>(&'a Queue);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.next.store(self.0.len, Ordering::Relaxed);
    }
}

/// A pool of threads for every job, which share out those of the current pool.
fn pools(jobs: usize) -> Result<Vec<ThreadPool>, TrainError> {
    let threads = (rayon::current_num_threads() / jobs).max(1);
    let pool = |_| {
        let built = ThreadPoolBuilder::new().num_threads(threads).build();
        built.map_err(|source| TrainError::Threads { source })
    };
    (0..jobs).map(pool).collect()
}

/// Calls `job` in each of the pools, and returns, or panics, when all have ended.
fn on_each(pools: &[ThreadPool], job: &(impl Fn() + Sync)) {
    if let Some((pool, others)) = pools.split_first() {
        pool.in_place_scope(|scope| {
            scope.spawn(|_| job());
            on_each(others, job);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicBool;

    use burn::tensor::Device;

    use super::*;

    fn context(jobs: usize) -> Context {
        Context::new(&Device::flex()).with_jobs(jobs)
    }

    #[test]
    fn every_item_is_done_once_by_any_number_of_jobs() {
        for jobs in [0, 1, 2, 3, 100] {
            let done = Mutex::new(Vec::new());
            let items: Vec<usize> = (0..20).collect();
            let work = |&item: &usize| {
                done.lock().unwrap().push(item);
                Ok(())
            };
            each(&context(jobs), &items, work).unwrap();
            let mut done = done.into_inner().unwrap();
            done.sort();
            assert_eq!(done, items, "{jobs} jobs");
            each(&context(jobs), &[], |_: &usize| unreachable!()).unwrap();
        }
    }

    #[test]
    fn two_jobs_are_under_way_at_the_same_time() {
        // Either would wait for ever alone.
        let begun = [AtomicBool::new(false), AtomicBool::new(false)];
        let work = |&item: &usize| {
            begun[item].store(true, Ordering::SeqCst);
            while !begun[1 - item].load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            Ok(())
        };
        each(&context(2), &[0, 1], work).unwrap();
    }

    #[test]
    fn the_first_error_is_returned_and_nothing_is_begun_after_it() {
        for jobs in [1, 2] {
            let begun = AtomicUsize::new(0);
            let items: Vec<usize> = (0..100).collect();
            let work = |item: &usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                let value = item.to_string();
                Err(TrainError::Setting { name: "item", value, expected: "another" })
            };
            let error = each(&context(jobs), &items, work).unwrap_err();
            assert_eq!(error.to_string(), "item is 0, but must be another");
            assert!(begun.into_inner() <= jobs);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_nothing_is_begun_after_it() {
        for jobs in [1, 2] {
            let begun = AtomicUsize::new(0);
            let work = |_: &usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                panic!("expected by the test")
            };
            let result = catch_unwind(AssertUnwindSafe(|| each(&context(jobs), &[0; 100], work)));
            assert_eq!(result.unwrap_err().downcast_ref(), Some(&"expected by the test"));
            assert!(begun.into_inner() <= jobs);
        }
    }

    #[test]
    fn nothing_is_begun_after_a_stop() {
        for jobs in [1, 2] {
            let (context, begun) = (context(jobs), AtomicUsize::new(0));
            let work = |_: &i32| {
                begun.fetch_add(1, Ordering::Relaxed);
                context.stop.request();
                Ok(())
            };
            each(&context, &[0; 100], work).unwrap();
            assert!(begun.into_inner() <= jobs);
        }
    }

    #[test]
    fn jobs_share_out_the_threads_of_the_pool() {
        let pool = ThreadPoolBuilder::new().num_threads(5).build().unwrap();
        let threads = Mutex::new(Vec::new());
        let work = |_: &usize| {
            threads.lock().unwrap().push(rayon::current_num_threads());
            Ok(())
        };
        pool.install(|| each(&context(2), &[0, 1], work)).unwrap();
        assert_eq!(threads.into_inner().unwrap(), [2, 2]);
    }
}
