//! Whether a team's steps take less time with its helpers, or without.
//!
//! Two threads halve the arithmetic of a step, but each then waits for the other after every kernel, and reads what the
//! other has written. How long that takes depends on where the system has put the threads: on a server whose cores were
//! near each other at times, and far apart at others, a step of a small perceptron took 175 or 270 µs with two threads, and
//! 230 µs with one. So both are tried, again and again. The results are the same bits either way.

use std::time::Duration;

/// Steps of a trial, of which the first are not timed: what they read is where the other threads left it.
const TRIAL: u32 = 16;
const UNTIMED: u32 = 4;

/// Steps between two trials: a trial of the slower way then costs a few thousandths of the time.
const SETTLED: u32 = 4000;

/// Steps that take longer gain from every thread.
const LONG: Duration = Duration::from_millis(2);

/// What has been found out so far.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Whether the next step is computed without helpers.
    alone: bool,
    is_settled: bool,
    /// Steps since either changed.
    steps: u32,
    /// The shortest step of this trial with helpers, and without: others do not disturb it.
    shortest: [Duration; 2],
}

impl Default for Pace {
    /// A trial that begins with helpers.
    fn default() -> Self {
        Pace { alone: false, is_settled: false, steps: 0, shortest: [Duration::MAX; 2] }
    }
}

impl Pace {
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Takes note of a step.
    pub(super) fn step(&mut self, took: Duration) {
        self.steps += 1;
        if self.is_settled {
            if self.steps == SETTLED {
                *self = Self::default();
            }
            return;
        }
        if self.steps > UNTIMED {
            let shortest = &mut self.shortest[usize::from(self.alone)];
            *shortest = took.min(*shortest);
        }
        if self.steps < TRIAL {
            return;
        }
        let [together, alone] = self.shortest;
        self.steps = 0;
        (self.alone, self.is_settled) = match self.alone {
            false if together < LONG => (true, false),
            false => (false, true),
            true => (alone < together, true),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each of so many steps was computed alone, if they take so many microseconds with helpers and without.
    fn steps(count: u32, micros: [u64; 2]) -> Vec<bool> {
        let mut pace = Pace::default();
        let step = |_| {
            let alone = pace.is_alone();
            pace.step(Duration::from_micros(micros[usize::from(alone)]));
            alone
        };
        (0..count).map(step).collect()
    }

    #[test]
    fn steps_go_on_in_the_way_that_takes_less_time() {
        for (micros, settled) in [([175, 230], false), ([270, 230], true), ([230, 230], false)] {
            let found = steps(2 * TRIAL + SETTLED, micros);
            let (trial, rest) = found.split_at(2 * TRIAL as usize);
            assert_eq!(trial, [[false; 16], [true; 16]].concat());
            assert!(rest.iter().all(|alone| *alone == settled), "{micros:?}");
        }
    }

    #[test]
    fn long_steps_are_never_computed_alone() {
        assert!(steps(3 * SETTLED, [2000, 100]).iter().all(|alone| !alone));
    }

    #[test]
    fn both_ways_are_tried_again_after_a_while() {
        let found = steps(4 * TRIAL + SETTLED, [270, 230]);
        let second = &found[(2 * TRIAL + SETTLED) as usize..];
        assert_eq!(second, [[false; 16], [true; 16]].concat());
    }

    #[test]
    fn the_first_steps_of_a_trial_and_single_long_ones_do_not_count() {
        let mut pace = Pace::default();
        for step in 0..2 * TRIAL {
            let slow = step % TRIAL < UNTIMED || step % 3 == 0;
            let micros = if pace.is_alone() { 100 } else { 150 };
            pace.step(Duration::from_micros(if slow { 100 * micros } else { micros }));
        }
        assert!(pace.is_alone() && pace.is_settled);
    }
}
