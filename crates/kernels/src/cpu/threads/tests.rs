use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// In a pool of so many threads, and so in teams of as many.
fn within<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| with_team(f))
}

/// What `f` gives in a pool of so many threads, which is what it gives within [`with_team`].
pub(crate) fn on<R: PartialEq + Send>(threads: usize, f: impl Fn() -> R + Sync) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let result = pool.install(&f);
    assert!(within(threads, &f) == result, "a team of {threads} gives something else");
    result
}

#[test]
fn every_item_is_computed_once_and_keeps_its_place() {
    for threads in [1, 2, 3, 5] {
        within(threads, || {
            for len in [0, 1, 2, 7, 8, 9, 100, 1000] {
                let mut items = vec![0_usize; len];
                // Many jobs one after the other, as the kernels of a step.
                for round in 1..20 {
                    for_each(items.par_iter_mut().enumerate(), |(i, item)| *item += i + round);
                }
                let rounds: usize = (1..20).sum();
                let expected: Vec<usize> = (0..len).map(|i| 19 * i + rounds).collect();
                assert_eq!(items, expected);
                assert_eq!(map(items.par_iter().with_min_len(3), |item| item + 1).len(), len);
                assert_eq!(map((0..len).into_par_iter(), |i| 19 * i + rounds), items);
            }
        });
    }
}

#[test]
fn helpers_that_sleep_are_woken_and_what_is_late_is_done_by_others() {
    within(3, || {
        for pause in [0, 20, 60, 200, 1000] {
            for _ in 0..20 {
                std::thread::sleep(Duration::from_micros(pause));
                let sum = AtomicUsize::new(0);
                for_each((0..100_usize).into_par_iter(), |i| {
                    _ = sum.fetch_add(i, Ordering::Relaxed)
                });
                assert_eq!(sum.into_inner(), 4950);
            }
        }
    });
}

#[test]
fn more_than_one_thread_takes_part_in_what_takes_long() {
    let names = Mutex::new(BTreeSet::new());
    let seen = || names.lock().unwrap().len();
    within(2, || {
        // On busy cores the other one may be late.
        for _ in (0..200).take_while(|_| seen() < 2) {
            for_each((0..8).into_par_iter(), |_: i32| {
                std::thread::sleep(Duration::from_millis(2));
                names.lock().unwrap().insert(std::thread::current().name().map(String::from));
            });
        }
    });
    let names = names.into_inner().unwrap();
    assert!(names.len() == 2 && names.contains(&Some("kernels-1".into())), "{names:?}");
}

#[test]
fn a_panic_of_any_thread_is_one_of_the_caller_and_the_team_goes_on() {
    within(2, || {
        for bad in 0..8_usize {
            let run = || for_each((0..8_usize).into_par_iter(), |i| assert!(i != bad, "item {i}"));
            let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(*panic.downcast::<String>().unwrap(), format!("item {bad}"));
            assert_eq!(map((0..8_usize).into_par_iter(), |i| i), [0, 1, 2, 3, 4, 5, 6, 7]);
        }
        // Of several panics one is the caller's, and none is left for the next kernel.
        for _ in 0..50 {
            let run = || for_each((0..8_usize).into_par_iter(), |i| panic!("item {i}"));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            assert_eq!(map((0..8_usize).into_par_iter(), |i| i), [0, 1, 2, 3, 4, 5, 6, 7]);
        }
    });
}

#[test]
fn kernels_within_kernels_and_teams_within_teams_are_the_threads_own() {
    within(2, || {
        let sums = map((0..4_usize).into_par_iter(), |i| {
            let inner = with_team(|| map((0..10_usize).into_par_iter(), |j| i * j));
            assert_eq!(count(), 1);
            inner.into_iter().sum::<usize>()
        });
        assert_eq!(sums, [0, 45, 90, 135]);
    });
    assert_eq!(with_team(|| within(1, count)), 1);
}

#[test]
fn a_team_ends_with_its_loop_even_by_a_panic() {
    let panic = catch_unwind(|| with_team(|| panic!("in a step"))).unwrap_err();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "in a step");
    assert!(matches!(CREW.get(), Crew::Pool));
}

#[test]
fn one_thread_computes_steps_that_gain_nothing_from_others_but_all_compute_what_lies_between() {
    within(2, || {
        // The helpers begin with the first kernel.
        for_each((0..8).into_par_iter(), |_: i32| ());
        let step = |micros| {
            std::thread::sleep(Duration::from_micros(micros));
            end_of_step();
        };
        // Sleeps of a busy machine may be longer than they should: then the next trial decides.
        let is_alone = (0..20_000).any(|_| {
            step(if count() == 1 { 20 } else { 400 });
            count() == 1
        });
        assert!(is_alone);
        with_team(|| assert_eq!(count(), 2));
        assert_eq!(count(), 1);
        let panic = catch_unwind(AssertUnwindSafe(|| with_team(|| panic!("between two steps"))));
        assert!(panic.is_err());
        assert_eq!(count(), 1);
    });
    within(1, || {
        for_each((0..8).into_par_iter(), |_: i32| ());
        end_of_step();
        assert_eq!(count(), 1);
    });
}

#[test]
fn helpers_rest_from_one_loop_to_the_next_of_the_same_size() {
    let helpers_of = |threads| {
        let ids = Mutex::new(HashSet::new());
        within(threads, || {
            for _ in 0..20 {
                for_each((0..8).into_par_iter(), |_: i32| {
                    std::thread::sleep(Duration::from_micros(200));
                    let thread = std::thread::current();
                    let is_helper = thread.name().is_some_and(|name| name.starts_with("kernels-"));
                    ids.lock().unwrap().extend(is_helper.then(|| thread.id()));
                });
            }
        });
        ids.into_inner().unwrap()
    };
    // Other tests may take them meanwhile. No two threads of a process have the same number.
    assert!(cfg!(miri) || (0..200).any(|_| !helpers_of(3).is_disjoint(&helpers_of(3))));
    for threads in [3, 1, 2, 3] {
        assert!(helpers_of(threads).len() < threads, "{threads}");
    }
    // A loop that is left by a panic leaves nothing to the next one.
    let run = || within(2, || for_each((0..8).into_par_iter(), |_: i32| panic!("a kernel")));
    assert!(catch_unwind(run).is_err());
    within(2, || assert_eq!(map((0..8_usize).into_par_iter(), |i| i), [0, 1, 2, 3, 4, 5, 6, 7]));
}
