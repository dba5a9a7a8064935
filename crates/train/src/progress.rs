use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::{EpochRecord, Score};

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

    pub(crate) fn epoch(&self, epoch: usize, epochs: usize, images: usize) -> EpochDisplay {
        self.pass(format!("{} · epoch {epoch}/{epochs}", self.label()), images)
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

/// The display of one epoch; a bar that is not finished is removed when this is dropped.
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

    /// Ends the display; `rate` is in training images a second, validation left out.
    pub fn finish<S: Score>(&self, record: &EpochRecord<S>, rate: f64) {
        let EpochRecord { train, validation, seconds, .. } = record;
        self.end(format!(
            "train {train} · validation {validation} · {seconds:.1} s, {rate:.0} images/s"
        ));
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
