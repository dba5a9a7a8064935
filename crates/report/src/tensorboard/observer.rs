use std::path::{Path, PathBuf};

use selvedge_train::{
    EndReason, EpochDone, EpochRow, Observer, ObserverError, RunEnded, RunStarted, StepDone,
    StepInterval,
};

use super::written::{self, EPOCH};
use super::{EventError, EventOptions, EventWriter, HParam, RunStatus};

/// Seconds between two points of a curve within an epoch, unless it is said otherwise.
const SECONDS: f64 = 30.0;

/// Writes a run as it goes for TensorBoard, one run at a time.
///
/// | tab | shows |
/// |---|---|
/// | scalars | after every epoch `train/…`, `validation/…`, `learning_rate`, `images_per_second`, `epoch`; within long ones `batches/…` |
/// | graphs | the layers of the network, where they are data |
/// | histograms | after every epoch `weights/…` and `gradients/…` of the parameters that are trained |
/// | text, hparams | the settings of the run |
///
/// Steps are those of the optimizer. A run that goes on from a checkpoint adds a file to the folder;
/// what was written after the checkpoint is replaced by what is written now. A run that was killed right after a
/// checkpoint has its point of that epoch then, too, but for its histograms and images a second, which are lost.
///
/// ```
/// use selvedge_report::TensorBoard;
/// use selvedge_train::StepInterval;
///
/// // Into the run's own folder, a point each 100 steps, histograms every fifth epoch.
/// let observer = TensorBoard::new().every(StepInterval::Steps(100)).histograms_every(5);
/// // Into another folder.
/// let elsewhere = TensorBoard::new().in_folder("logs/birds");
/// ```
#[derive(Debug)]
pub struct TensorBoard {
    folder: Option<PathBuf>,
    interval: StepInterval,
    histogram_epochs: usize,
    pictures: Vec<Pixels>,
    events: Option<EventWriter>,
}

/// A picture to show at the start: name, `[channels, height, width]`, bytes.
#[derive(Debug)]
struct Pixels(String, [usize; 3], Vec<u8>);

impl Default for TensorBoard {
    fn default() -> Self {
        Self {
            folder: None,
            interval: StepInterval::Seconds(SECONDS),
            histogram_epochs: 1,
            pictures: Vec::new(),
            events: None,
        }
    }
}

impl TensorBoard {
    /// Writes into the folder of the run: everything after every epoch, and scalars every 30 seconds.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, into this folder, which is for one run: of hyperparameters TensorBoard keeps to those
    /// that it reads first.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// The same, with scalars within an epoch this often.
    #[must_use]
    pub fn every(self, interval: StepInterval) -> Self {
        Self { interval, ..self }
    }

    /// The same, with histograms after each so many epochs; none, if 0. They take about a fortieth of
    /// a second for a million parameters, and the time to read them from the device.
    #[must_use]
    pub fn histograms_every(self, epochs: usize) -> Self {
        Self { histogram_epochs: epochs, ..self }
    }

    /// The same, with a picture of bytes `[channels, height, width]` at the start, such as the first
    /// images: grey, grey and alpha, RGB or RGBA.
    #[must_use]
    pub fn with_image(mut self, tag: &str, shape: [usize; 3], pixels: Vec<u8>) -> Self {
        self.pictures.push(Pixels(tag.into(), shape, pixels));
        self
    }
}

impl Observer for TensorBoard {
    fn interval(&self) -> StepInterval {
        self.interval
    }

    fn wants_gradients(&self) -> bool {
        self.histogram_epochs > 0
    }

    fn run_started(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        let folder = self.folder.as_deref().or(run.folder).ok_or(EventError::NoFolder)?;
        let step = run.step as u64;
        // Events of the checkpoint's own step stay; without a checkpoint there is nothing to keep.
        let first_step = if step == 0 { 0 } else { step + 1 };
        let options = EventOptions { first_step: Some(first_step), ..EventOptions::default() };
        let missing = missing_epoch(folder, run);
        let mut events = EventWriter::with_options(folder, &options)?;
        let chosen = run.settings.iter().filter(|(name, _)| is_chosen(name));
        let mut settings: Vec<_> =
            chosen.map(|(name, value)| (name.as_str(), hparam(value))).collect();
        if !settings.iter().any(|(name, _)| *name == "model.name") {
            settings.insert(0, ("model.name", run.model.into()));
        }
        let metrics = metrics(run.columns);
        events.hparams(&settings, &metrics.iter().map(String::as_str).collect::<Vec<_>>())?;
        if let (Some(layers), 0) = (run.layers, step) {
            events.graph(layers)?;
        }
        events.text("config", step, &format!("```toml\n{}\n```\n", run.config.trim_end()))?;
        for Pixels(tag, shape, pixels) in &self.pictures {
            events.image(tag, step, *shape, pixels)?;
        }
        if let Some(row) = missing {
            epoch(&mut events, row, step, None)?;
        }
        self.events = Some(events);
        Ok(())
    }

    fn run_found_complete(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        let Some(folder) = self.folder.as_deref().or(run.folder) else { return Ok(()) };
        let Some(row) = missing_epoch(folder, run) else { return Ok(()) };
        let mut events = EventWriter::create(folder)?;
        epoch(&mut events, row, run.step as u64, None)?;
        let losses = row.train.iter().chain(row.validation.iter().flatten());
        let is_finite = losses.copied().all(f64::is_finite);
        Ok(events.end(if is_finite { RunStatus::Success } else { RunStatus::Failure })?)
    }

    fn step(&mut self, done: &StepDone<'_>) -> Result<(), ObserverError> {
        let Some(events) = &mut self.events else { return Ok(()) };
        let step = done.step as u64;
        for (column, value) in done.columns.iter().zip(done.recent) {
            events.scalar(&format!("batches/{column}"), step, *value)?;
        }
        events.scalar("batches/learning_rate", step, done.learning_rate)?;
        Ok(events.scalar("batches/images_per_second", step, done.images_per_second)?)
    }

    fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
        let Some(events) = &mut self.events else { return Ok(()) };
        let (row, step) = (done.row, done.step as u64);
        epoch(events, row, step, Some(done.images_per_second))?;
        if self.histogram_epochs > 0 && row.epoch.is_multiple_of(self.histogram_epochs) {
            let gradients = done.tensors.gradients();
            // Without a gradient a tensor is frozen, or a statistic: its histogram says nothing new.
            for (name, values) in done.tensors.values() {
                if gradients.contains_key(&name) {
                    events.histogram(&format!("weights/{name}"), step, values.iter::<f32>())?;
                }
            }
            for (name, values) in &gradients {
                events.histogram(&format!("gradients/{name}"), step, values.iter::<f32>())?;
            }
        }
        Ok(())
    }

    fn run_ended(&mut self, end: &RunEnded<'_>) -> Result<(), ObserverError> {
        let Some(mut events) = self.events.take() else { return Ok(()) };
        match end.reason {
            EndReason::Complete | EndReason::EarlyStopping => events.end(RunStatus::Success)?,
            EndReason::Diverged => events.end(RunStatus::Failure)?,
            // It will be carried on.
            EndReason::Stopped => {}
        }
        Ok(())
    }
}

/// What was measured in an epoch, in one event: a kill leaves all of it or nothing.
fn epoch(
    events: &mut EventWriter,
    row: &EpochRow,
    step: u64,
    images_per_second: Option<f64>,
) -> Result<(), EventError> {
    let mut points = Vec::new();
    for (part, values) in [("train", Some(&row.train)), ("validation", row.validation.as_ref())] {
        for (column, value) in row.columns.iter().zip(values.into_iter().flatten()) {
            points.push((format!("{part}/{column}"), *value));
        }
    }
    points.push(("learning_rate".into(), row.learning_rate));
    points.extend(images_per_second.map(|speed| ("images_per_second".into(), speed)));
    points.push((EPOCH.into(), row.epoch as f64));
    events.scalars(step, points.iter().map(|(tag, value)| (tag.as_str(), *value)))
}

/// The last epoch, if the run was killed between its checkpoint and its events: those of the epoch before are there.
fn missing_epoch<'a>(folder: &Path, run: &RunStarted<'a>) -> Option<&'a EpochRow> {
    // Within the next epoch nobody knows any more which step was the last of this one.
    let last = run.rows.last().filter(|_| run.batch == 0)?;
    let shown = written::epochs(folder)?;
    let is_next = shown.last().map_or(1, |epoch| epoch + 1) == last.epoch;
    is_next.then_some(last)
}

/// The tags that a run is judged by, those of validation first.
fn metrics(columns: &[&str]) -> Vec<String> {
    let tags = |part| columns.iter().map(move |column| format!("{part}/{column}"));
    tags("validation").chain(tags("train")).collect()
}

/// Whether runs may be compared by a setting: not by what only tells whether the data are the same.
fn is_chosen(name: &str) -> bool {
    name != "selvedge" && (!name.starts_with("data.") || name.ends_with("_images"))
}

/// A setting as what it is. An axis has no place for a number that is not finite.
fn hparam(value: &str) -> HParam {
    let finite = |number: &f64| number.is_finite();
    let number = || value.parse().ok().filter(finite).map(HParam::Number);
    let truth = || value.parse().ok().map(HParam::Bool);
    number().or_else(truth).unwrap_or_else(|| value.trim_matches('"').into())
}
