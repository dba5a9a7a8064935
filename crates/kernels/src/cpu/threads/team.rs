//! Threads that take part in one kernel after the other of the thread that they belong to.

use std::any::Any;
use std::cell::{Cell, OnceCell, UnsafeCell};
use std::hint::spin_loop;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle, available_parallelism, yield_now};
use std::time::{Duration, Instant};

use super::pace::Pace;
use super::{Crew, entered};

/// How long a thread watches for the next kernel before it sleeps: longer than what lies between two kernels of a step.
const AWAKE: Duration = Duration::from_micros(50);

/// Looks at the post between two looks at the clock.
const LOOKS: usize = 64;

/// In [`Post::state`]: whether helpers may begin the job, above their number; above both, the number of the job.
const OPEN: u64 = 1 << 16;
const HELPERS: u64 = OPEN - 1;
const NUMBER: u32 = 32;

/// A job as the threads see it: it is called with the number of the thread.
type Job = dyn Fn(usize) + Sync;

const NOTHING: &Job = &|_| ();

/// The teams that have begun. They share the cores.
static TEAMS: AtomicUsize = AtomicUsize::new(0);

/// Helpers that no team uses now: a call that takes 10 µs, such as one image of a small network, is not to wait for threads
/// to begin and to end, which takes 80. Those of one team are enough for whoever makes one such call after the other.
static RESTING: Mutex<Option<Begun>> = Mutex::new(None);

/// What computes the kernels of one call of [`with_team`](super::with_team).
#[derive(Default)]
pub(super) struct Team {
    /// The most threads that it may ever have.
    threads: OnceCell<usize>,
    begun: OnceCell<Begun>,
    pace: Cell<Pace>,
    /// When the step before ended.
    last_step: Cell<Option<Instant>>,
}

/// The cores that all teams share. To ask the system for them takes longer than many a network.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    // Tests are to have as many threads as they ask for, whatever runs beside them.
    let of_this_machine = || match cfg!(test) {
        true => usize::MAX,
        false => available_parallelism().map_or(1, NonZero::get),
    };
    *CORES.get_or_init(of_this_machine)
}

/// The helpers that rest; a panic elsewhere leaves them whole.
fn resting() -> MutexGuard<'static, Option<Begun>> {
    RESTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Helpers, and what they are given to do.
struct Begun {
    post: Arc<Post>,
    helpers: Vec<Helper>,
    /// The jobs so far. A helper knows the last one that it has seen by its number.
    jobs: Cell<u64>,
}

struct Helper {
    thread: JoinHandle<()>,
    asleep: Arc<AtomicBool>,
}

/// Where the jobs are posted. A helper that comes late finds the job closed, and nobody waits for it.
struct Post {
    state: AtomicU64,
    /// The threads that the job is for. Those of a higher number leave it alone.
    wanted: AtomicUsize,
    job: UnsafeCell<*const Job>,
    end: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written while the post is closed and nobody works, and read by those who have begun alone. What it
// points to is `Sync`.
unsafe impl Send for Post {}
// SAFETY: as above.
unsafe impl Sync for Post {}

impl Team {
    /// How many threads may compute a kernel, with the one that has made the team: those of rayon's current pool, of which
    /// no more than this team's share of the cores; and one, while steps take less time so.
    pub(super) fn share(&self) -> usize {
        if self.pace.get().is_alone() {
            return 1;
        }
        let teams = TEAMS.load(Ordering::Relaxed) + usize::from(self.begun.get().is_none());
        self.threads().min(cores() / teams).max(1)
    }

    /// Begins a loop within the team's: its steps have a pace of their own until the result is dropped, and helpers before
    /// there is one.
    pub(super) fn begin_loop(&self) -> impl Drop {
        struct AsBefore<'a>(&'a Team, Pace);
        impl Drop for AsBefore<'_> {
            fn drop(&mut self) {
                self.0.pace.set(self.1);
                // The time until the next step is that of the loop, too.
                self.0.last_step.set(None);
            }
        }
        self.last_step.set(None);
        AsBefore(self, self.pace.replace(Pace::default()))
    }

    /// Takes note of the time since the step before.
    pub(super) fn end_of_step(&self) {
        if self.begun.get().is_none() {
            // It has no helpers yet, and so none to do without.
            return;
        }
        let now = Instant::now();
        if let Some(last) = self.last_step.replace(Some(now)) {
            let mut pace = self.pace.get();
            pace.step(now - last);
            self.pace.set(pace);
        }
    }

    fn threads(&self) -> usize {
        *self.threads.get_or_init(|| rayon::current_num_threads().min(cores()))
    }

    /// Calls `job` on this thread with 0, and on up to `threads - 1` helpers with their numbers, and returns when all are
    /// done that have begun. The job has to be done whether or not any of them begins.
    ///
    /// # Panics
    ///
    /// If `job` does, on any of the threads.
    pub(super) fn run(&self, threads: usize, job: &(dyn Fn(usize) + Sync)) {
        let begun = self.begun.get_or_init(|| Begun::rested_or_new(self.threads()));
        let Begun { post, helpers, jobs } = begun;
        let number = jobs.get() + 1;
        jobs.set(number);
        // SAFETY: the lifetime alone is changed. No helper calls it after `Closed` is dropped, below. Nobody reads it now.
        unsafe {
            *post.job.get() =
                std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Job>(job)
        };
        post.wanted.store(threads, Ordering::Relaxed);
        // Sequentially consistent as the flags are: either the helper sees the job, or this thread that it sleeps.
        post.state.store(number << NUMBER | OPEN, Ordering::SeqCst);
        let closed = Closed(post);
        for helper in helpers.iter().take(threads - 1) {
            if helper.asleep.swap(false, Ordering::SeqCst) {
                helper.thread.thread().unpark();
            }
        }
        let alone = entered(Crew::Alone);
        job(0);
        drop(alone);
        drop(closed);
        if let Some(panic) = post.take_panic() {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    /// Lets the helpers rest, or end.
    fn drop(&mut self) {
        let Some(begun) = self.begun.take() else { return };
        TEAMS.fetch_sub(1, Ordering::Relaxed);
        // Miri takes threads that have not ended for a fault.
        if !cfg!(miri) {
            let before = resting().replace(begun);
            // Not under the lock: it waits for its helpers.
            drop(before);
        }
    }
}

impl Begun {
    /// The helpers that rest, if they are as many as there would be else; or new ones.
    fn rested_or_new(threads: usize) -> Self {
        TEAMS.fetch_add(1, Ordering::Relaxed);
        let resting = resting().take();
        resting
            .filter(|begun| begun.helpers.len() + 1 == threads)
            .unwrap_or_else(|| Self::new(threads))
    }

    /// Helpers, with which there are so many threads: fewer, if the system gives no more.
    fn new(threads: usize) -> Self {
        let post = Arc::new(Post {
            state: AtomicU64::new(0),
            wanted: AtomicUsize::new(0),
            job: UnsafeCell::new(std::ptr::from_ref(NOTHING)),
            end: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let helpers = (1..threads.min(HELPERS as usize)).map_while(|number| {
            let (post, asleep) = (post.clone(), Arc::new(AtomicBool::new(false)));
            let flag = asleep.clone();
            let helper = Builder::new().name(format!("kernels-{number}"));
            let thread = helper.spawn(move || help(&post, number, &flag)).ok()?;
            Some(Helper { thread, asleep })
        });
        let helpers = helpers.collect();
        Begun { post, helpers, jobs: Cell::new(0) }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.post.end.store(true, Ordering::SeqCst);
        for Helper { thread, .. } in self.helpers.drain(..) {
            thread.thread().unpark();
            // It catches the panics of jobs, and has none of its own.
            let _ = thread.join();
        }
    }
}

/// Closes the post when it is dropped, also by a panic, and waits for those that have begun.
struct Closed<'a>(&'a Post);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut looks = 0;
        while self.0.state.load(Ordering::Acquire) & HELPERS != 0 {
            looks += 1;
            // With more threads than cores, the helper may be waiting for this one's.
            if looks % LOOKS == 0 { yield_now() } else { spin_loop() }
        }
        if std::thread::panicking() {
            // This thread's own panic goes on; the next job knows nothing of the other one.
            drop(self.0.take_panic());
        }
    }
}

/// Says that a helper has ended its job when it is dropped.
struct Ended<'a>(&'a Post);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a helper does until its team is dropped.
fn help(post: &Post, number: usize, asleep: &AtomicBool) {
    let _alone = entered(Crew::Alone);
    let mut last = 0;
    let mut watching = Instant::now();
    while !post.end.load(Ordering::Acquire) {
        if let Some(job) = (0..LOOKS).find_map(|_| post.begin(number, last)) {
            last = job;
            let _ended = Ended(post);
            // SAFETY: it has begun, and has not ended.
            let job = unsafe { &**post.job.get() };
            let done = catch_unwind(AssertUnwindSafe(|| job(number)));
            if let Err(panic) = done {
                post.panics().get_or_insert(panic);
            }
            watching = Instant::now();
        } else if watching.elapsed() > AWAKE {
            asleep.store(true, Ordering::SeqCst);
            // What was posted before is seen here, and whoever posts after it sees that this thread sleeps.
            if !post.is_for(number, last) && !post.end.load(Ordering::SeqCst) {
                std::thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
            watching = Instant::now();
        }
    }
}

impl Post {
    /// The first panic of a helper in this job.
    fn panics(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panics().take()
    }

    /// Whether there is a job that the helper may begin, other than its `last` one.
    fn is_for(&self, helper: usize, last: u64) -> bool {
        let state = self.state.load(Ordering::SeqCst);
        let wanted = self.wanted.load(Ordering::Relaxed);
        state & OPEN != 0 && state >> NUMBER != last && helper < wanted
    }

    /// Begins the job that is posted, if it is not the `last` one, and gives its number.
    fn begin(&self, helper: usize, last: u64) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        // Of a later job perhaps; the exchange fails then.
        let wanted = self.wanted.load(Ordering::Relaxed);
        if state & OPEN == 0 || state >> NUMBER == last || helper >= wanted {
            spin_loop();
            return None;
        }
        let begun =
            self.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed);
        begun.ok().map(|state| state >> NUMBER)
    }
}
