//! Several runs at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};
use selvedge_train::Context;

use crate::{StudyError, error::ThreadsError};

/// Calls `work` with every item and its index, [`Context::jobs`] of them at a time, each on its share of
/// the threads of rayon's current pool; the results in the order of the items. Items are begun in that
/// order, none once the context is stopped or an item has failed or panicked: of those there is no result.
///
/// The networks of these studies are small: a step of theirs is shared among threads at a loss, which
/// runs side by side do not have.
///
/// # Errors
///
/// That of the first item, in their order, whose work failed; or [`StudyError::Threads`].
///
/// # Panics
///
/// Panics if `work` does.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_study::{StudyError, jobs};
/// use selvedge_train::Context;
///
/// let context = Context::new(&Device::flex()).with_jobs(2);
/// let square = |_index, item: &u32| Ok(item * item);
/// assert_eq!(jobs::map(&context, &[1, 2, 3], square)?, [1, 4, 9]);
/// # Ok::<(), StudyError>(())
/// ```
pub fn map<T: Sync, R: Send>(
    context: &Context,
    items: &[T],
    work: impl Fn(usize, &T) -> Result<R, StudyError> + Sync,
) -> Result<Vec<R>, StudyError> {
    let jobs = context.jobs.min(items.len());
    let queue = Queue { next: AtomicUsize::new(0), len: items.len() };
    let results = Mutex::new(items.iter().map(|_| None).collect::<Vec<_>>());
    let job = || {
        let _end = EndOf(&queue);
        while let Some(index) = queue.take().filter(|_| !context.stop.is_requested()) {
            let result = work(index, &items[index]);
            let failed = result.is_err();
            results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
            if failed {
                return;
            }
        }
    };
    match jobs {
        0 | 1 => job(),
        _ => on_each(&pools(jobs)?, &job),
    }
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

/// `Ok` if [`map`] can have the threads for as many items, so that this is known before the first of several
/// calls.
pub(crate) fn check(context: &Context, items: usize) -> Result<(), ThreadsError> {
    match context.jobs.min(items) {
        0 | 1 => Ok(()),
        jobs => pools(jobs).map(drop),
    }
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
fn pools(jobs: usize) -> Result<Vec<ThreadPool>, ThreadsError> {
    let threads = (rayon::current_num_threads() / jobs).max(1);
    let pool = |_| {
        let built = ThreadPoolBuilder::new().num_threads(threads).build();
        built.map_err(ThreadsError)
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
    use selvedge_train::TrainError;

    use super::*;

    fn context(jobs: usize) -> Context {
        Context::new(&Device::flex()).with_jobs(jobs)
    }

    #[test]
    fn every_item_is_done_once_by_any_number_of_jobs_and_results_are_in_order() {
        for jobs in [0, 1, 2, 3, 100] {
            let done = Mutex::new(Vec::new());
            let items: Vec<usize> = (100..120).collect();
            let work = |index, &item: &usize| {
                done.lock().unwrap().push(item);
                Ok((index, item))
            };
            let results = map(&context(jobs), &items, work).unwrap();
            let mut done = done.into_inner().unwrap();
            done.sort();
            assert_eq!(done, items, "{jobs} jobs");
            assert_eq!(results, items.into_iter().enumerate().collect::<Vec<_>>());
            map(&context(jobs), &[], |_, _: &usize| -> Result<(), StudyError> { unreachable!() })
                .unwrap();
        }
    }

    #[test]
    fn two_jobs_are_under_way_at_the_same_time() {
        // Either would wait for ever alone.
        let begun = [AtomicBool::new(false), AtomicBool::new(false)];
        let work = |_, &item: &usize| {
            begun[item].store(true, Ordering::SeqCst);
            while !begun[1 - item].load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            Ok(())
        };
        map(&context(2), &[0, 1], work).unwrap();
    }

    #[test]
    fn the_first_error_is_returned_and_nothing_is_begun_after_it() {
        for jobs in [1, 2] {
            let begun = AtomicUsize::new(0);
            let items: Vec<usize> = (0..100).collect();
            let work = |_, item: &usize| -> Result<(), StudyError> {
                begun.fetch_add(1, Ordering::Relaxed);
                let value = item.to_string();
                Err(TrainError::Setting { name: "item", value, expected: "another" }.into())
            };
            let error = map(&context(jobs), &items, work).unwrap_err();
            assert_eq!(error.to_string(), "item is 0, but must be another");
            assert!(begun.into_inner() <= jobs);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_nothing_is_begun_after_it() {
        for jobs in [1, 2] {
            let begun = AtomicUsize::new(0);
            let work = |_, _: &usize| -> Result<(), StudyError> {
                begun.fetch_add(1, Ordering::Relaxed);
                panic!("expected by the test")
            };
            let result = catch_unwind(AssertUnwindSafe(|| map(&context(jobs), &[0; 100], work)));
            assert_eq!(result.unwrap_err().downcast_ref(), Some(&"expected by the test"));
            assert!(begun.into_inner() <= jobs);
        }
    }

    #[test]
    fn nothing_is_begun_after_a_stop() {
        for jobs in [1, 2] {
            let (context, begun) = (context(jobs), AtomicUsize::new(0));
            let work = |_, _: &i32| {
                begun.fetch_add(1, Ordering::Relaxed);
                context.stop.request();
                Ok(())
            };
            map(&context, &[0; 100], work).unwrap();
            assert!(begun.into_inner() <= jobs);
        }
    }

    #[test]
    fn jobs_share_out_the_threads_of_the_pool() {
        let pool = ThreadPoolBuilder::new().num_threads(5).build().unwrap();
        let threads = Mutex::new(Vec::new());
        let work = |_, _: &usize| {
            threads.lock().unwrap().push(rayon::current_num_threads());
            Ok(())
        };
        pool.install(|| map(&context(2), &[0, 1], work)).unwrap();
        assert_eq!(threads.into_inner().unwrap(), [2, 2]);
    }
}
