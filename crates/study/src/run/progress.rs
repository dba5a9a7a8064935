use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use selvedge_train::Progress;

use crate::TrialRecord;
use crate::trial::Ending;

/// One line for a whole study: done, running, failed, time left.
pub(super) struct StudyProgress {
    bar: Option<ProgressBar>,
    lines: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: usize,
    done: usize,
    /// Of these, the ones that were finished before.
    found: usize,
    running: usize,
    failed: usize,
    diverged: usize,
    pruned: usize,
    began: Option<Instant>,
}

/// What happens to a trial.
pub(super) enum Event<'a> {
    /// It was finished before, or by another process.
    Found,
    Begun,
    Finished(&'a TrialRecord),
    /// It was begun or could not be.
    Failed(&'a str, &'a str),
}

impl StudyProgress {
    pub fn new(progress: &Progress) -> Self {
        let bar = matches!(progress, Progress::Bar(_)).then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} trials{msg}")
                .expect("the template is constant");
            let bar = ProgressBar::new(0).with_style(style);
            bar.with_prefix(progress.label().to_owned())
        });
        let lines = matches!(progress, Progress::Lines(_));
        Self { bar, lines, state: Mutex::default() }
    }

    /// So many trials more are to be done.
    pub fn expect(&self, trials: usize) {
        let mut state = self.state();
        state.total += trials;
        self.bar.iter().for_each(|bar| bar.set_length(state.total as u64));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, event: Event<'_>) {
        let mut state = self.state();
        let mut told = None;
        let is_end = !matches!(event, Event::Begun);
        match event {
            Event::Found => {
                state.done += 1;
                state.found += 1;
            }
            Event::Begun => {
                state.running += 1;
                state.began.get_or_insert_with(Instant::now);
            }
            Event::Finished(record) => {
                state.running = state.running.saturating_sub(1);
                state.done += 1;
                state.pruned += usize::from(record.pruned_after().is_some());
                if let Ending::Diverged { epoch, .. } = record.ending {
                    state.diverged += 1;
                    told = Some(format!("a trial diverged in epoch {epoch}"));
                }
            }
            Event::Failed(label, message) => {
                state.running = state.running.saturating_sub(1);
                state.done += 1;
                state.failed += 1;
                told = Some(format!("{label}: a trial failed: {message}"));
            }
        }
        let (line, done, total) = (state.line(), state.done, state.total);
        drop(state);
        match &self.bar {
            Some(bar) => {
                if let Some(told) = told {
                    bar.suspend(|| Progress::message(&told));
                }
                bar.set_position(done as u64);
                bar.set_message(line);
            }
            None if self.lines && is_end => {
                told.iter().for_each(|told| Progress::message(told));
                Progress::message(&format!("{done}/{total} trials{line}"));
            }
            None => {}
        }
    }

    pub fn end(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl State {
    /// What is behind the number of trials, each part with a dot before it.
    fn line(&self) -> String {
        let mut parts = vec![String::new()];
        for (count, what) in [
            (self.running, "running"),
            (self.failed, "failed"),
            (self.diverged, "diverged"),
            (self.pruned, "pruned"),
            (self.found, "found finished"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        let here = self.done - self.found;
        if let (Some(began), true) = (self.began, here > 0 && self.done < self.total) {
            let each = began.elapsed().as_secs_f64() / here as f64;
            let left = Duration::from_secs_f64(each * (self.total - self.done) as f64);
            parts.push(format!("{} left", HumanDuration(left)));
        }
        parts.join(" · ")
    }
}
