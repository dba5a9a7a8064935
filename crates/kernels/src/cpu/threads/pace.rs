//! Whether a team's steps take less time with its helpers, or without.
//!
//! Two threads halve the arithmetic of a step, but each then waits for the other after every kernel, and reads what the
//! other has written. How long that takes depends on where the system has put the threads: on a server whose cores
//! were near each other at times, and far apart at others, a step of a small perceptron took 175 or 270 µs with two
//! threads, and 230 µs with one. So both are tried, again and again. The results are the same bits either way.

use std::time::Duration;

/// Steps of a trial, of which the first are not timed: what they read is where the other threads left it.
const TRIAL: u32 = 16;
const UNTIMED: u32 = 4;

/// So many steps that take half as long again alone end the trial: with many threads each of them costs a lot.
const SLOW: u32 = 3;

/// Steps between two trials: at first, and at most. Each trial that finds what the one before it found doubles them.
const SETTLED: u32 = 4000;
const MOST: u32 = 16 * SETTLED;

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
    /// Steps of the trial alone that were slow; or, once it is settled to go on so, long ones in succession.
    slow: u32,
    /// What the trial before this one found, and for how many steps.
    before: Option<(bool, u32)>,
}

impl Default for Pace {
    /// A trial that begins with helpers.
    fn default() -> Self {
        let shortest = [Duration::MAX; 2];
        Pace { alone: false, is_settled: false, steps: 0, shortest, slow: 0, before: None }
    }
}

impl Pace {
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Takes note of a step.
    pub(super) fn step(&mut self, took: Duration) {
        self.steps += 1;
        match (self.is_settled, self.alone) {
            (true, _) => self.settled_step(took),
            (false, false) => self.step_together(took),
            (false, true) => self.step_alone(took),
        }
    }

    fn step_together(&mut self, took: Duration) {
        if self.steps > UNTIMED {
            self.shortest[0] = took.min(self.shortest[0]);
        }
        if self.steps == TRIAL {
            match self.shortest[0] < LONG {
                true => (self.alone, self.steps) = (true, 0),
                false => self.settle(false),
            }
        }
    }

    fn step_alone(&mut self, took: Duration) {
        let [together, alone] = &mut self.shortest;
        if self.steps > UNTIMED {
            *alone = took.min(*alone);
        }
        self.slow += u32::from(took > *together + *together / 2);
        if self.slow == SLOW {
            self.settle(false);
        } else if self.steps == TRIAL {
            let is_shorter = alone < together;
            self.settle(is_shorter);
        }
    }

    fn settle(&mut self, alone: bool) {
        let steps = match self.before {
            Some((found, steps)) if found == alone => (2 * steps).min(MOST),
            _ => SETTLED,
        };
        *self = Pace { alone, is_settled: true, before: Some((alone, steps)), ..Self::default() };
    }

    fn settled_step(&mut self, took: Duration) {
        // The loop may have gone on to something larger.
        self.slow = if self.alone && took >= LONG { self.slow + 1 } else { 0 };
        let is_over = self.before.is_none_or(|(_, steps)| self.steps >= steps);
        if self.slow == TRIAL || is_over {
            *self = Pace { before: self.before, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each of so many steps was computed alone, where step `i` takes `micros(i)` with helpers and without.
    fn steps(count: u32, micros: impl Fn(u32) -> [u64; 2]) -> Vec<bool> {
        let mut pace = Pace::default();
        let step = |i| {
            let alone = pace.is_alone();
            pace.step(Duration::from_micros(micros(i)[usize::from(alone)]));
            alone
        };
        (0..count).map(step).collect()
    }

    /// The lengths of the runs of steps with helpers and without, in turns.
    fn runs(steps: &[bool]) -> Vec<usize> {
        steps.chunk_by(|a, b| a == b).map(<[bool]>::len).collect()
    }

    #[test]
    fn steps_go_on_in_the_way_that_takes_less_time() {
        for (micros, settled) in [([175, 230], false), ([270, 230], true), ([230, 230], false)] {
            let found = steps(2 * TRIAL + SETTLED, |_| micros);
            let (trial, rest) = found.split_at(2 * TRIAL as usize);
            assert_eq!(trial, [[false; 16], [true; 16]].concat());
            assert!(rest.iter().all(|alone| *alone == settled), "{micros:?}");
        }
    }

    #[test]
    fn a_trial_of_one_thread_ends_where_many_are_much_faster() {
        assert_eq!(runs(&steps(1000, |_| [100, 1600])), [16, 3, 981]);
    }

    #[test]
    fn long_steps_are_never_computed_alone() {
        assert!(steps(3 * SETTLED, |_| [2000, 100]).iter().all(|alone| !alone));
    }

    #[test]
    fn both_ways_are_tried_again_and_less_often_while_the_faster_one_stays_it() {
        let found = runs(&steps(40_000, |_| [175, 230]));
        let settled = |count: usize| count + 16; // and the first half of the next trial
        assert_eq!(found[..6], [16, 16, settled(4000), 16, settled(8000), 16]);
        let changed = |i| if i < 3000 { [175, 230] } else { [270, 230] };
        assert_eq!(runs(&steps(9000, changed))[..4], [16, 16, settled(4000), 16 + 4000]);
    }

    #[test]
    fn steps_that_become_long_get_their_helpers_back() {
        let found = steps(3000, |i| if i < 1000 { [270, 230] } else { [5000, 9000] });
        assert!(found[999] && found[1010] && !found[1017] && !found[2999]);
    }

    #[test]
    fn the_first_steps_of_a_trial_do_not_count() {
        // Those with helpers are shorter than they will ever be again.
        let found = steps(100, |i| if i < UNTIMED { [1, 1] } else { [270, 230] });
        assert!(found[99]);
    }

    #[test]
    fn single_steps_that_take_long_change_nothing() {
        let disturbed = |i| if i % 9 == 0 { [27_000, 23_000] } else { [270, 230] };
        assert!(steps(100, disturbed)[99]);
    }
}
