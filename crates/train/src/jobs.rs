//! Several runs at the same time.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Context, TrainError};

/// Calls `work` with every item, [`Context::jobs`] of them at a time, each on its share of the
/// processor's threads. Items are begun in their order, none once the context is stopped or an item
/// has failed.
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
    let next = AtomicUsize::new(0);
    // The items of one job, until one fails; its index says which.
    let several = || -> Result<(), (usize, TrainError)> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let item = match items.get(index) {
                Some(item) if !context.stop.is_requested() => item,
                _ => return Ok(()),
            };
            if let Err(error) = work(item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err((index, error));
            }
        }
    };
    if jobs <= 1 {
        return several().map_err(|(_, error)| error);
    }
    let pools = pools(jobs)?;
    let results = thread::scope(|scope| {
        // All are begun before the first is waited for.
        let started: Vec<_> =
            pools.iter().map(|pool| scope.spawn(|| pool.install(several))).collect();
        let join = |thread: ScopedJoinHandle<_>| thread.join().unwrap_or_else(|p| resume_unwind(p));
        started.into_iter().map(join).collect::<Vec<_>>()
    });
    let failed = results.into_iter().filter_map(Result::err);
    failed.min_by_key(|(index, _)| *index).map_or(Ok(()), |(_, error)| Err(error))
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
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
                thread::yield_now();
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
            let work = |_: &usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                Err(TrainError::NothingToTrain)
            };
            let error = each(&context(jobs), &items, work).unwrap_err();
            assert!(matches!(error, TrainError::NothingToTrain));
            assert!(begun.into_inner() <= jobs);
        }
    }

    #[test]
    fn nothing_is_begun_after_a_stop() {
        for jobs in [1, 2] {
            let (context, begun) = (context(jobs), AtomicUsize::new(0));
            let work = |_: &usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                context.stop.request();
                Ok(())
            };
            each(&context, &[(); 100].map(|()| 0), work).unwrap();
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
