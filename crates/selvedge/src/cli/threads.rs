//! The threads that a program computes on.

use std::error::Error;
use std::io;
use std::sync::RwLock;

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

/// The variable by which rayon's users choose the number of threads.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Threads for each core, above which more of them only stand in each other's way: a step of training
/// waits for all.
const MOST_FOR_A_CORE: usize = 4;

/// As many are tried before a study; those of more runs at the same time are not.
const MOST_TRIED: usize = 512;

/// Starts rayon's global pool and makes this thread one of it: else the thread would go to sleep, and have
/// to be woken up, at each of the hundred operations of a training step that the pool computes. A pool of
/// one thread is another one, since this one could not wait for itself.
///
/// Gives what is to be said about the number of threads.
///
/// # Errors
///
/// If the threads cannot be had: better now than after an hour.
pub(super) fn start_pool() -> Result<Option<String>, String> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (threads, note) = number(std::env::var(VARIABLE).ok().as_deref(), cores);
    let builder = ThreadPoolBuilder::new().num_threads(threads);
    let builder = if threads > 1 { builder.use_current_thread() } else { builder };
    match builder.build_global() {
        Err(error) if is_refused(&error) => Err(refused(threads, &error)),
        // Else a pool exists already; then that one is used.
        _ => Ok(note),
    }
}

/// Whether the system gave no thread.
fn is_refused(error: &ThreadPoolBuildError) -> bool {
    error.source().is_some_and(|source| source.is::<io::Error>())
}

fn refused(threads: usize, reason: &dyn Error) -> String {
    let reason = reason.source().map_or(reason.to_string(), |source| source.to_string());
    format!(
        "cannot start {threads} threads: {reason}; the limits on processes and memory (`ulimit -u`, \
         `ulimit -v`) are too low, or {VARIABLE} is too high"
    )
}

/// The number of threads for what the variable says, and what is to be said about it.
fn number(wanted: Option<&str>, cores: usize) -> (usize, Option<String>) {
    let wanted = wanted.unwrap_or_default().trim();
    let note = |why| Some(format!("{VARIABLE}={wanted} {why}; using {cores}"));
    match wanted.parse::<usize>() {
        _ if wanted.is_empty() => (cores, None),
        Ok(0) => (cores, None),
        Ok(threads) if threads <= MOST_FOR_A_CORE * cores => (threads, None),
        Ok(_) => (cores, note(format!("is too much for {cores} cores"))),
        Err(_) => (cores, note("is not a number of threads".into())),
    }
}

/// Starts so many threads and ends them again.
///
/// # Errors
///
/// If they cannot be had.
pub(super) fn try_threads(count: usize) -> Result<(), String> {
    let count = count.min(MOST_TRIED);
    // All live until the last one was started: the threads wait for this lock.
    let gate = RwLock::new(());
    std::thread::scope(|scope| {
        let closed = gate.write();
        let result = (0..count).try_for_each(|_| {
            let wait = || drop(gate.read());
            std::thread::Builder::new().spawn_scoped(scope, wait).map(drop)
        });
        drop(closed);
        result
    })
    .map_err(|error| {
        format!("cannot start {count} threads for as many runs at the same time: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_threads_as_cores_unless_a_sensible_number_is_asked_for() {
        for (wanted, threads) in [
            (None, 2),
            (Some(""), 2),
            (Some("0"), 2),
            (Some("1"), 1),
            (Some(" 8 "), 8),
            (Some("9"), 2),
            (Some("1000"), 2),
            (Some("18446744073709551616"), 2),
            (Some("-1"), 2),
            (Some("two"), 2),
        ] {
            assert_eq!(number(wanted, 2).0, threads, "{wanted:?}");
        }
        let note = |wanted| number(Some(wanted), 2).1.unwrap();
        assert_eq!(note("1000"), "RAYON_NUM_THREADS=1000 is too much for 2 cores; using 2");
        assert_eq!(note("two"), "RAYON_NUM_THREADS=two is not a number of threads; using 2");
    }

    #[test]
    fn threads_that_can_be_had_are_no_error() {
        assert_eq!(try_threads(8), Ok(()));
    }
}
