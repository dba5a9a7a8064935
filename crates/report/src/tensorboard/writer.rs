use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use selvedge_models::Architecture;

use super::EventError;
use super::hparams::{self, HParam, RunStatus};
use super::proto::{self, Dim, Event, Histogram, Image, SessionLog, Shape, Summary, Tensor, Value};
use super::record::record;

/// What the name of every event file begins with; TensorBoard looks for it.
const PREFIX: &str = "events.out.tfevents.";

/// Event files that this process has begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// How a new event file begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventOptions {
    /// The run goes on from a checkpoint: events of this step and of later ones that are in older
    /// files of the folder are not shown any more, because they will be written again.
    pub first_step: Option<u64>,
    /// The time of all events, in seconds since 1970; the time at which each is written, if `None`.
    pub wall_time: Option<f64>,
}

/// An event file that grows.
///
/// Every event is with the operating system when its method returns: it is there after the process was
/// killed. What a kill or a full disk leaves of an event disturbs no other.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: File,
    wall_time: Option<f64>,
    /// Bytes of whole records.
    length: u64,
    /// There may be a part of a record behind them.
    torn: bool,
}

impl EventWriter {
    /// A new event file in `folder`, which is made if it is not there. Older event files stay, and
    /// TensorBoard reads them first.
    ///
    /// # Errors
    ///
    /// [`EventError::Write`] if the folder cannot be made or written to.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, EventError> {
        Self::with_options(folder, &EventOptions::default())
    }

    /// A new event file for a run that goes on from a checkpoint, with `first_step` the first step
    /// that will be written again. What older files in the folder hold of it and of later steps is
    /// not shown any more.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn resume(folder: impl AsRef<Path>, first_step: u64) -> Result<Self, EventError> {
        let options = EventOptions { first_step: Some(first_step), ..EventOptions::default() };
        Self::with_options(folder, &options)
    }

    /// A new event file in `folder` with settings of its own.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn with_options(
        folder: impl AsRef<Path>,
        options: &EventOptions,
    ) -> Result<Self, EventError> {
        let folder = folder.as_ref();
        let (path, file, is_first) =
            new_file(folder).map_err(|error| EventError::Write { path: folder.into(), error })?;
        let mut new = Self { path, file, wall_time: options.wall_time, length: 0, torn: false };
        let step = options.first_step.unwrap_or(0);
        let version = Some("brain.Event:2".into());
        new.write(step, Event { file_version: version, ..Event::default() })?;
        // TensorBoard removes what a start supersedes, but one of its readers never at the first start
        // that it sees: that has to be the one of the first file.
        if is_first || options.first_step.is_some() {
            let start = Some(SessionLog { status: proto::START });
            new.write(step, Event { session_log: start, ..Event::default() })?;
        }
        Ok(new)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A point of the curve `tag`. A `/` in `tag` groups curves: `train/loss`, `train/accuracy`.
    /// TensorBoard keeps 24 bits of the value, and marks one that is not finite.
    ///
    /// # Errors
    ///
    /// [`EventError::Write`] if the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<(), EventError> {
        self.scalars(step, [(tag, value)])
    }

    /// Points of several curves, as of [`scalar`](Self::scalar), all of which are written or none.
    ///
    /// # Errors
    ///
    /// [`EventError::Write`] if the file cannot be written.
    pub fn scalars<'a>(
        &mut self,
        step: u64,
        points: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<(), EventError> {
        let value = |(tag, value): (&str, f64)| Value {
            tag: tag.into(),
            simple_value: Some(value as f32),
            ..Value::default()
        };
        self.summary(step, points.into_iter().map(value).collect())
    }

    /// How `values` are distributed, in the buckets of TensorFlow: their limits are powers of 1.1.
    /// Values that are not finite are left out.
    ///
    /// # Errors
    ///
    /// [`EventError::Write`] if the file cannot be written.
    pub fn histogram(
        &mut self,
        tag: &str,
        step: u64,
        values: impl IntoIterator<Item = f32>,
    ) -> Result<(), EventError> {
        let histo = Some(Histogram::of(values.into_iter()));
        self.summary(step, vec![Value { tag: tag.into(), histo, ..Value::default() }])
    }

    /// A picture of bytes `[channels, height, width]`: grey, grey and alpha, RGB or RGBA.
    ///
    /// # Errors
    ///
    /// [`EventError::Image`] if there are not 1 to 4 channels or not as many bytes as the shape says,
    /// [`EventError::Write`] if the file cannot be written.
    pub fn image(
        &mut self,
        tag: &str,
        step: u64,
        shape: [usize; 3],
        pixels: &[u8],
    ) -> Result<(), EventError> {
        self.picture(tag, step, Image::of_pixels(shape, pixels))
    }

    /// A picture that is the content of a PNG file.
    ///
    /// # Errors
    ///
    /// [`EventError::Image`] if it is none, [`EventError::Write`] if the file cannot be written.
    pub fn png(&mut self, tag: &str, step: u64, file: &[u8]) -> Result<(), EventError> {
        self.picture(tag, step, Image::of_png(file))
    }

    /// The layers of a network, for the tab of graphs.
    ///
    /// # Errors
    ///
    /// [`EventError::Graph`] if its layers do not fit one another, [`EventError::Write`] if the file cannot be
    /// written.
    pub fn graph(&mut self, architecture: &Architecture) -> Result<(), EventError> {
        let graph_def = Some(proto::Graph::of(architecture)?.encode_to_vec());
        self.write(0, Event { graph_def, ..Event::default() })
    }

    /// A text in Markdown.
    ///
    /// # Errors
    ///
    /// [`EventError::Write`] if the file cannot be written.
    pub fn text(&mut self, tag: &str, step: u64, markdown: &str) -> Result<(), EventError> {
        // The content of the plugin is a message with a version, which is 0: no bytes.
        let mut value = Value::of_plugin(tag, "text", Vec::new());
        value.tensor = Some(Tensor {
            dtype: proto::STRING,
            tensor_shape: Some(Shape { dim: vec![Dim { size: 1 }] }),
            string_val: vec![markdown.into()],
        });
        self.summary(step, vec![value])
    }

    /// The hyperparameters of the run, and the tags of the scalars that it is judged by. The last
    /// value of each is shown beside the hyperparameters, and runs are compared by them.
    ///
    /// Of several runs under one folder TensorBoard takes the list of names from one: give all the
    /// same.
    ///
    /// # Errors
    ///
    /// [`EventError::Write`] if the file cannot be written.
    pub fn hparams(
        &mut self,
        hparams: &[(&str, HParam)],
        metrics: &[&str],
    ) -> Result<(), EventError> {
        let [experiment, start] = hparams::start(hparams, metrics, self.now());
        // One event each, as PyTorch has it.
        self.summary(0, vec![experiment])?;
        self.summary(0, vec![start])
    }

    /// Says beside the hyperparameters that the run has ended, and how. A run that will be carried on
    /// has not: TensorBoard keeps to the first end that it reads.
    ///
    /// # Errors
    ///
    /// [`EventError::Write`] if the file cannot be written.
    pub fn end(&mut self, status: RunStatus) -> Result<(), EventError> {
        let end = hparams::end(status, self.now());
        self.summary(0, vec![end])
    }

    fn picture(
        &mut self,
        tag: &str,
        step: u64,
        image: Result<Image, String>,
    ) -> Result<(), EventError> {
        let image = image.map_err(|reason| EventError::Image { tag: tag.into(), reason })?;
        self.summary(step, vec![Value { tag: tag.into(), image: Some(image), ..Value::default() }])
    }

    fn summary(&mut self, step: u64, value: Vec<Value>) -> Result<(), EventError> {
        self.write(step, Event { summary: Some(Summary { value }), ..Event::default() })
    }

    fn write(&mut self, step: u64, event: Event) -> Result<(), EventError> {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let event = Event { wall_time: self.now(), step, ..event };
        self.append(&record(&event.encode_to_vec()))
            .map_err(|error| EventError::Write { path: self.path.clone(), error })
    }

    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        // The system goes on writing to a file that was removed, and nobody would ever see it.
        fs::metadata(&self.path)?;
        if self.torn {
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
        }
        self.torn = true;
        self.file.write_all(record)?;
        self.torn = false;
        self.length += record.len() as u64;
        Ok(())
    }

    /// Seconds since 1970.
    fn now(&self) -> f64 {
        self.wall_time.unwrap_or_else(|| since_1970().as_secs_f64())
    }
}

fn since_1970() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// An empty file with a name that comes after those of all other event files in `folder`, and whether
/// there are no others: TensorBoard reads them in the order of their names.
fn new_file(folder: &Path) -> io::Result<(PathBuf, File, bool)> {
    fs::create_dir_all(folder)?;
    let latest = files(folder)?.iter().filter_map(|path| seconds_of(path)).max();
    let next = latest.map_or(0, |seconds| seconds + 1);
    let (host, process) = (host(), std::process::id());
    let number = BEGUN.fetch_add(1, Ordering::Relaxed);
    // Another process may take the name at the same moment.
    let mut seconds = next.max(since_1970().as_secs());
    loop {
        let path = folder.join(format!("{PREFIX}{seconds:010}.{host}.{process}.{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => seconds += 1,
            file => return file.map(|file| (path, file, latest.is_none())),
        }
    }
}

/// The event files of a folder in the order in which TensorBoard reads them; none, if there is no folder.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
        entries => entries?,
    };
    for entry in entries {
        files.push(entry?.path());
    }
    files.retain(|path| seconds_of(path).is_some());
    files.sort();
    Ok(files)
}

/// The seconds in the name of an event file.
fn seconds_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_string_lossy();
    let digits = name.strip_prefix(PREFIX)?.split('.').next()?;
    digits.parse().ok().filter(|seconds| *seconds < u64::from(u32::MAX))
}

/// The name of this machine, with nothing in it that would be odd in the name of a file.
fn host() -> String {
    let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let named = named.or_else(|| fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let named = named.unwrap_or_default();
    let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match named.trim().replace(odd, "-") {
        none if none.is_empty() => "localhost".into(),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_write_left_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let options = EventOptions { wall_time: Some(1.0), ..EventOptions::default() };
        let mut events = EventWriter::with_options(folder.path(), &options).unwrap();
        let before = fs::read(events.path()).unwrap();
        // A handle that may only read fails as a full disk does, after some bytes were written.
        let part = [7; 100];
        events.file.write_all(&part).unwrap();
        let writable = std::mem::replace(&mut events.file, File::open(&events.path).unwrap());
        let error = events.scalar("loss", 1, 0.5).unwrap_err();
        assert!(matches!(error, EventError::Write { .. }), "{error}");
        events.file = writable;
        events.scalar("loss", 1, 0.5).unwrap();
        let after = fs::read(events.path()).unwrap();
        assert_eq!(after[..before.len()], before);
        assert!(after.len() < before.len() + part.len());
        assert_eq!(after.len() as u64, events.length);
    }
}
