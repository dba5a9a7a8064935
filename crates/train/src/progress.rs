use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

use crate::{EpochDone, Observer, ObserverError, RunEnded, RunStarted, StepDone, StepInterval};

/// The bars on standard error: runs that happen at the same time have one each, below the other.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How a run is shown, always on standard error.
#[derive(Clone, Debug, Default)]
pub enum Progress {
    /// Not at all.
    #[default]
    Hidden,
    /// One plain line an epoch, beginning with the label.
    Lines(String),
    /// A bar with loss, accuracy, images a second and time left, then a line for the epoch.
    Bar(String),
}

impl Progress {
    /// A bar if standard error is a terminal, else plain lines.
    pub fn auto(label: impl Into<String>) -> Self {
        match std::io::stderr().is_terminal() {
            true => Self::Bar(label.into()),
            false => Self::Lines(label.into()),
        }
    }

    /// The same kind of display under another label.
    #[must_use]
    pub fn relabel(&self, label: impl Into<String>) -> Self {
        match self {
            Self::Hidden => Self::Hidden,
            Self::Lines(_) => Self::Lines(label.into()),
            Self::Bar(_) => Self::Bar(label.into()),
        }
    }

    /// Writes a line on standard error, above the bars if there are some. Nobody may be reading it.
    pub fn message(line: &str) {
        BARS.suspend(|| _ = writeln!(std::io::stderr(), "{line}"));
    }

    /// The label; of a hidden run, "the run".
    pub fn label(&self) -> &str {
        match self {
            Self::Hidden => "the run",
            Self::Lines(label) | Self::Bar(label) => label,
        }
    }

    /// The display of one pass over `images`.
    pub(crate) fn pass(&self, title: String, images: usize) -> EpochDisplay {
        let bar = matches!(self, Self::Bar(_)).then(|| {
            let template = "{prefix} {bar:24} {pos}/{len} · {msg} · {eta} left";
            let style = ProgressStyle::with_template(template).expect("the template is constant");
            let bar = BARS.add(ProgressBar::new(images as u64).with_style(style));
            bar.with_prefix(title.clone())
        });
        EpochDisplay { title, bar, lines: matches!(self, Self::Lines(_)), start: Instant::now() }
    }
}

/// Seconds between two changes of a bar.
const BAR_SECONDS: f64 = 0.1;

/// Seconds between two lines within an epoch.
const LINE_SECONDS: f64 = 30.0;

/// Shows a run on standard error.
pub(crate) struct Terminal {
    progress: Progress,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// `None` if nothing is to be shown.
    pub fn new(progress: &Progress) -> Option<Self> {
        let hidden = matches!(progress, Progress::Hidden);
        (!hidden).then(|| Self { progress: progress.clone(), bar: None })
    }

    fn title(&self, epoch: usize, epochs: usize) -> String {
        format!("{} · epoch {epoch}/{epochs}", self.progress.label())
    }

    /// The bar of an epoch is gone once its line is there.
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            BARS.remove(&bar);
        }
    }
}

impl Observer for Terminal {
    fn interval(&self) -> StepInterval {
        StepInterval::Seconds(match self.progress {
            Progress::Bar(_) => BAR_SECONDS,
            _ => LINE_SECONDS,
        })
    }

    fn run_started(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        if let Some(folder) = run.folder.filter(|_| run.step > 0) {
            let (label, folder) = (self.progress.label(), folder.display());
            let (done, epochs, step) = (run.rows.len(), run.epochs, run.step);
            Progress::message(&format!(
                "{label} · {folder} goes on after step {step}, with {done} of {epochs} epochs complete"
            ));
        }
        Ok(())
    }

    fn step(&mut self, done: &StepDone<'_>) -> Result<(), ObserverError> {
        let title = self.title(done.epoch, done.epochs);
        let (text, speed) = (done.text, done.images_per_second);
        let left = HumanDuration(Duration::from_secs_f64(done.seconds_left.min(1e9)));
        let text = format!(
            "{text} · rate {:.3e} · {speed:.0} images/s · {left:#} left",
            done.learning_rate
        );
        if let Progress::Bar(_) = self.progress {
            let bar = self.bar.get_or_insert_with(|| {
                let style = ProgressStyle::with_template("{prefix} {bar:16} {pos}/{len} · {msg}");
                let bar = ProgressBar::new(done.images_of as u64);
                BARS.add(bar.with_style(style.expect("the template is constant")))
            });
            bar.set_prefix(title);
            bar.set_message(text);
            bar.set_position(done.images as u64);
        } else {
            Progress::message(&format!("{title}: {}/{} · {text}", done.images, done.images_of));
        }
        Ok(())
    }

    fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
        self.clear();
        let title = self.title(done.row.epoch, done.epochs);
        let (seconds, speed) = (done.row.seconds, done.images_per_second);
        let (text, rate) = (done.text, done.row.learning_rate);
        let mut line =
            format!("{title}: {text} · rate {rate:.3e} · {seconds:.1} s, {speed:.0} images/s");
        if done.row.epoch < done.epochs {
            let left = HumanDuration(Duration::from_secs_f64(done.seconds_left.min(1e9)));
            line += &format!(", {left:#} left");
        }
        Progress::message(&line);
        Ok(())
    }

    fn run_ended(&mut self, _: &RunEnded<'_>) -> Result<(), ObserverError> {
        self.clear();
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Another panic, of the terminal's, would end the program.
        if !std::thread::panicking() {
            self.clear();
        }
    }
}

/// The display of one pass that measures nothing; a bar that is not finished is removed when this is dropped.
pub(crate) struct EpochDisplay {
    title: String,
    bar: Option<ProgressBar>,
    lines: bool,
    start: Instant,
}

impl EpochDisplay {
    /// Shows that so many images are done; `so_far` is asked only if it is shown.
    pub fn update(&self, images: usize, so_far: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            let rate = images as f64 / self.start.elapsed().as_secs_f64();
            bar.set_message(format!("{}{rate:.0} images/s", so_far()));
            bar.set_position(images as u64);
        }
    }

    /// Ends the display of a pass that measures nothing.
    pub fn finish_pass(&self, images: usize) {
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = images as f64 / seconds;
        self.end(format!("{images} images · {seconds:.1} s, {rate:.0} images/s"));
    }

    fn end(&self, result: String) {
        let line = format!("{}: {result}", self.title);
        match &self.bar {
            Some(bar) => {
                bar.finish_and_clear();
                Progress::message(&line);
            }
            None if self.lines => Progress::message(&line),
            None => {}
        }
    }
}

impl Drop for EpochDisplay {
    fn drop(&mut self) {
        // Another panic, of the terminal's, would end the program.
        if let Some(bar) = self.bar.as_ref().filter(|_| !std::thread::panicking()) {
            bar.finish_and_clear();
        }
    }
}
