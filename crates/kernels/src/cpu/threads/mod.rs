//! How the pieces of a kernel get to threads: those of rayon's pool, or a [`Team`] that stays awake between kernels.
//!
//! A step of a small network is some dozen kernels of 10 to 100 µs. To wake a sleeping thread for each of them takes as
//! long as the half of the work that it is to do, and the thread that asks sleeps itself until the pool is done. Within
//! [`with_team`] the thread that asks takes part, and the others watch for the next kernel for a while before they sleep.

mod pace;
mod team;
#[cfg(test)]
pub(crate) mod tests;

use std::cell::Cell;
use std::sync::Mutex;

use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;

use team::Team;

/// Parts that a thread gets of a kernel: several, so that one that is late leaves its last ones to the others.
const PARTS: usize = 4;

/// How much less work is worth another thread, if that is awake.
const AWAKE: usize = 8;

/// Who computes the kernels that a thread calls.
#[derive(Clone, Copy)]
enum Crew {
    /// Rayon's current pool.
    Pool,
    /// The threads of a team, which lives until the thread leaves [`with_team`].
    Team(*const Team),
    /// The thread itself: it computes a part of a kernel already, or there is no other one.
    Alone,
}

thread_local! {
    static CREW: Cell<Crew> = const { Cell::new(Crew::Pool) };
}

/// Calls `f`, whose kernels are computed by this thread and by others that stay awake from one kernel to the next: by as
/// many as rayon's current pool has, or fewer where several threads do this at the same time, so that they share the
/// cores of the machine. It is meant for loops over steps or batches, and changes no bit of their results.
///
/// The others sleep once `f` has ended. The process keeps one set of them for the next call.
///
/// ```
/// # use selvedge_kernels::with_team;
/// let sum = with_team(|| (1..=10).sum::<u32>()); // here the loop over all steps
/// assert_eq!(sum, 55);
/// ```
pub fn with_team<R>(f: impl FnOnce() -> R) -> R {
    if let Crew::Team(team) = CREW.get() {
        // SAFETY: as in `team`.
        let _as_before = unsafe { &*team }.begin_loop();
        return f();
    }
    if cfg!(target_family = "wasm") || matches!(CREW.get(), Crew::Alone) {
        return f();
    }
    // It begins with the first kernel that is worth several threads: on a GPU there is none.
    let team = Team::default();
    let _as_before = entered(Crew::Team(&raw const team));
    f()
}

/// Says that a step of the loop within [`with_team`] has ended: once for each step, on the thread of the loop.
///
/// Steps of less than 2 ms may take less time with one thread, on some machines and at some times: from the time of
/// each it is found out whether the helpers take part in the next ones. A loop in a [`with_team`] of its own, such as
/// an evaluation between two steps, has all threads. No bit of the results changes; elsewhere it does nothing.
///
/// ```
/// # use selvedge_kernels::{end_of_step, with_team};
/// with_team(|| {
///     for step in 0..3 {
///         // here forward pass, backward pass and optimizer
///         end_of_step();
///     }
/// });
/// ```
pub fn end_of_step() {
    if let Crew::Team(team) = CREW.get() {
        // SAFETY: as in `team`.
        unsafe { &*team }.end_of_step();
    }
}

/// Has this thread's kernels computed by `crew` until the result is dropped.
fn entered(crew: Crew) -> impl Drop {
    struct AsBefore(Crew);
    impl Drop for AsBefore {
        fn drop(&mut self) {
            CREW.set(self.0);
        }
    }
    AsBefore(CREW.replace(crew))
}

/// The team of this thread, and how many of it may compute now.
fn team() -> Option<(&'static Team, usize)> {
    let Crew::Team(team) = CREW.get() else { return None };
    // SAFETY: `with_team` owns it, and sets another crew before it drops it.
    let team = unsafe { &*team };
    Some((team, team.share()))
}

/// The threads that compute a kernel of this thread. No result depends on it.
pub(crate) fn count() -> usize {
    match (CREW.get(), team()) {
        (_, Some((_, count))) => count,
        (Crew::Pool, None) => rayon::current_num_threads(),
        (_, None) => 1,
    }
}

/// What is worth another thread, of what is worth waking one up.
pub(crate) fn worth(work: usize) -> usize {
    match CREW.get() {
        Crew::Team(_) => work / AWAKE,
        _ => work,
    }
}

/// Calls `f` with every item.
pub(crate) fn for_each<I: IndexedParallelIterator>(items: I, f: impl Fn(I::Item) + Sync + Send) {
    for_each_init(items, || (), |(), item| f(item));
}

/// Calls `f` with every item and with what `init` makes for each thread, or several times for one.
pub(crate) fn for_each_init<I: IndexedParallelIterator, S>(
    items: I,
    init: impl Fn() -> S + Sync + Send,
    f: impl Fn(&mut S, I::Item) + Sync + Send,
) {
    match CREW.get() {
        Crew::Pool => items.for_each_init(init, f),
        _ => {
            let len = items.len();
            items.with_producer(Shared { len, init, f });
        }
    }
}

/// Calls `f` with each of some items; this thread takes part even if it is none of the pool, rather than wait for one to
/// wake up.
pub(crate) fn each<T: Send>(items: Vec<T>, f: impl Fn(T) + Sync + Send) {
    if !matches!(CREW.get(), Crew::Pool) || items.len() < 2 {
        return for_each(items.into_par_iter(), f);
    }
    let mut items = items.into_iter();
    let first = items.next();
    rayon::in_place_scope(|scope| {
        let f = &f;
        items.for_each(|item| scope.spawn(move |_| f(item)));
        first.into_iter().for_each(f);
    });
}

/// The results for every item, in their order.
pub(crate) fn map<I: IndexedParallelIterator, T: Send>(
    items: I,
    f: impl Fn(I::Item) -> T + Sync + Send,
) -> Vec<T> {
    map_init(items, || (), |(), item| f(item))
}

/// The same with what `init` makes for each thread, or several times for one.
pub(crate) fn map_init<I: IndexedParallelIterator, S, T: Send>(
    items: I,
    init: impl Fn() -> S + Sync + Send,
    f: impl Fn(&mut S, I::Item) -> T + Sync + Send,
) -> Vec<T> {
    if let Crew::Pool = CREW.get() {
        return items.map_init(init, f).collect();
    }
    let mut results: Vec<Option<T>> = (0..items.len()).map(|_| None).collect();
    let pairs = items.zip(results.par_iter_mut());
    for_each_init(pairs, init, |state, (item, to)| *to = Some(f(state, item)));
    results.into_iter().map(|result| result.expect("every item has been mapped")).collect()
}

/// Cuts rayon's iterator of `len` items into parts for the team of this thread.
struct Shared<I, F> {
    len: usize,
    init: I,
    f: F,
}

impl<T, S, I: Fn() -> S + Sync, F: Fn(&mut S, T) + Sync> ProducerCallback<T> for Shared<I, F> {
    type Output = ();

    fn callback<P: Producer<Item = T>>(self, producer: P) {
        let Shared { len, init, f } = self;
        let most = len / producer.min_len().max(1);
        let (team, threads) = match team() {
            Some((team, threads)) if threads > 1 && most > 1 => (team, threads.min(most)),
            _ => {
                let mut state = init();
                return producer.into_iter().for_each(|item| f(&mut state, item));
            }
        };
        let count = most.min(threads * PARTS);
        let mut parts = Vec::with_capacity(count);
        let mut rest = producer;
        for i in 1..count {
            let (part, others) = rest.split_at(len * i / count - len * (i - 1) / count);
            parts.push(Mutex::new(Some(part)));
            rest = others;
        }
        parts.push(Mutex::new(Some(rest)));
        team.run(threads, &|thread| {
            let mut state = None;
            // Neighbours stay with one thread, as in the kernel before; what is left over goes to whoever is done.
            let first = count * thread / threads;
            for part in parts[first..].iter().chain(&parts[..first]) {
                let part = part.lock().expect("no part is computed under its lock").take();
                for item in part.into_iter().flat_map(Producer::into_iter) {
                    f(state.get_or_insert_with(&init), item);
                }
            }
        });
    }
}
