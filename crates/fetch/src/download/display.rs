use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A host that is silent for this long is spoken of.
const SILENCE: Duration = Duration::from_secs(5);
/// Without a terminal there is a line about a transfer this often.
const LINES: Duration = Duration::from_secs(10);

/// Writes a line on standard error, which nobody may be reading.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// How a transfer goes on: a bar on a terminal, and else a line where it takes long.
pub(super) struct Display {
    name: String,
    url: String,
    bar: Option<ProgressBar>,
    received: u64,
    length: Option<u64>,
    last_bytes: Instant,
    last_line: Instant,
}

impl Display {
    pub(super) fn new(name: &str, url: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length().with_message(name.to_owned());
            let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        let now = Instant::now();
        let (name, url) = (name.to_owned(), url.to_owned());
        Self { name, url, bar, received: 0, length: None, last_bytes: now, last_line: now }
    }

    /// So many bytes there will be, if the host says so.
    pub(super) fn length(&mut self, length: Option<u64>) {
        self.length = length;
        if let (Some(bar), Some(length)) = (&self.bar, length) {
            bar.set_length(length);
        }
    }

    /// So many bytes have come in all.
    pub(super) fn received(&mut self, bytes: u64) {
        self.received = bytes;
        self.last_bytes = Instant::now();
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.name.clone());
                bar.set_position(bytes);
            }
            None => {
                let line = format!("{} of {}", self.progress(), self.url);
                self.line_if_due(&line);
            }
        }
    }

    /// Nothing has come for a moment.
    pub(super) fn waiting(&mut self) {
        let Some(line) = self.about(self.last_bytes.elapsed()) else { return };
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => self.line_if_due(&line),
        }
    }

    /// What is said about a silence that has lasted for so long.
    fn about(&self, silence: Duration) -> Option<String> {
        let seconds = silence.as_secs();
        let line = || {
            let progress = self.progress();
            format!("nothing has come from {} for {seconds} s, {progress}", self.url)
        };
        (silence >= SILENCE).then(line)
    }

    /// It failed, and is tried again after a pause.
    pub(super) fn retry(&mut self, reason: &str, pause: Duration) {
        // Tests and hosts that are busy for a moment are not worth a line.
        if pause < Duration::from_millis(100) {
            return;
        }
        let seconds = pause.as_secs_f64();
        let line = format!("{}: {reason}; trying again in {seconds} s", self.url);
        match &self.bar {
            Some(bar) => bar.suspend(|| say(&line)),
            None => say(&line),
        }
        self.last_bytes = Instant::now() + pause;
    }

    fn progress(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        match self.length {
            Some(length) => format!("{:.1} of {:.1} MiB", mib(self.received), mib(length)),
            None => format!("{:.1} MiB", mib(self.received)),
        }
    }

    fn line_if_due(&mut self, line: &str) {
        // The first line about a silence comes at once.
        let due = match self.last_line <= self.last_bytes && self.last_bytes.elapsed() >= SILENCE {
            true => SILENCE,
            false => LINES,
        };
        if self.last_line.elapsed() >= due {
            self.last_line = Instant::now();
            say(line);
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // The terminal stays as it was, also after an error.
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_said_with_the_host_and_what_has_come() {
        let mut display = Display::new("images", "http://host/images.gz");
        display.length(Some(26 << 20));
        display.received(3 << 19);
        assert_eq!(display.about(Duration::from_millis(4999)), None);
        let expected = "nothing has come from http://host/images.gz for 23 s, 1.5 of 26.0 MiB";
        assert_eq!(display.about(Duration::from_secs(23)).as_deref(), Some(expected));
    }
}
