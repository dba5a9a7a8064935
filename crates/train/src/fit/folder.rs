//! The folder of a run.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use selvedge_data::SplitMix64;
use selvedge_files::FolderLock;
use selvedge_models::{DataSpec, Model, state};

use super::checkpoint::Checkpoints;
use super::state::{Snapshot, TrainState};
use crate::metrics::{csv_header, csv_row};
use crate::settings::{flat, plain, written};
use crate::{EpochRow, FitSource, Progress, Score, SettingDifference, Task, TrainError};

const CONFIG: &str = "config.toml";
const RESULTS: &str = "results.csv";
const WEIGHTS: &str = "weights";
const CHECKPOINTS: &str = "checkpoints";

/// The settings of a run, as its folder keeps them.
#[derive(Default)]
pub(super) struct Settings(toml::Table);

impl Settings {
    /// Of whatever the bits of a run depend on, as far as it can say what it is; `fit` is its [`FitConfig`].
    /// Goes through all data and weights.
    ///
    /// [`FitConfig`]: crate::FitConfig
    pub fn new<T: Task, M: Model>(
        task: &T,
        model: &M,
        data: &impl FitSource,
        fit: toml::Table,
    ) -> Self {
        let mut table = toml::Table::new();
        table.insert("selvedge".into(), env!("CARGO_PKG_VERSION").into());
        let parts = [
            ("model", model_settings(model)),
            ("data", data.settings()),
            ("task", task.settings()),
            ("fit", fit),
        ];
        for (name, part) in parts {
            if !part.is_empty() {
                table.insert(name.into(), part.into());
            }
        }
        Self(table)
    }

    /// As text.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.0).expect("a table of settings can be written")
    }

    /// One by one, with names such as `fit.optimizer.name`.
    pub fn flat(&self) -> Vec<(String, String)> {
        flat(&self.0).into_iter().map(|(name, value)| (name, plain(value))).collect()
    }

    /// What differs from those of a folder, one text for each. Another version alone is no difference.
    fn differences(&self, there: &toml::Table) -> Vec<String> {
        let found = SettingDifference::between(there, &self.0);
        let found = found.iter().filter(|difference| difference.name != "selvedge");
        found.map(|difference| difference.text(plain)).collect()
    }
}

/// What a model is, and with which weights it begins.
fn model_settings<M: Model>(model: &M) -> toml::Table {
    let parameters = state::parameters(model);
    let mut table = toml::Table::new();
    table.insert("name".into(), model.name().into());
    let elements: usize = parameters.iter().map(|p| p.shape.iter().product::<usize>()).sum();
    table.insert("parameters".into(), (elements as i64).into());
    if let Some(layers) = model.layers() {
        table.insert("network".into(), written(layers));
    }
    let values = state::read(model);
    let bits = values.values().flat_map(|data| data.iter::<f32>().map(f32::to_bits));
    table.insert("initial_checksum".into(), checksum(bits.map(u64::from)).into());
    let frozen = parameters.into_iter().filter(|p| !p.trainable);
    let frozen: Vec<toml::Value> = frozen.map(|p| p.name.into()).collect();
    if !frozen.is_empty() {
        table.insert("frozen".into(), frozen.into());
    }
    table
}

/// The folder of a run, which no other process writes to meanwhile.
pub(super) struct RunFolder {
    path: PathBuf,
    lock: FolderLock,
    checkpoints: Checkpoints,
    /// Whether the epochs are validated.
    has_validation: bool,
    /// What could not be written the last time.
    failure: Option<String>,
    /// Whether the table or the weights may lack an epoch.
    behind: bool,
}

impl RunFolder {
    /// Takes the folder for a run of these settings: a new one, or one in which such a run was begun.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, TrainError> {
        let failed = |reason: String| TrainError::Folder { path: path.into(), reason };
        let wrong = |error: io::Error| failed(format!("cannot write {}: {error}", path.display()));
        let lock = FolderLock::acquire(path).map_err(|error| failed(error.to_string()))?;
        let config = path.join(CONFIG);
        match fs::read_to_string(&config) {
            Ok(text) => {
                let there: toml::Table = toml::from_str(&text).map_err(|error| {
                    failed(format!("{} is damaged: {}", config.display(), error.message()))
                })?;
                let differences = settings.differences(&there);
                if !differences.is_empty() {
                    return Err(TrainError::OtherSettings { path: path.into(), differences });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(name) = other_file(path).map_err(wrong)? {
                    return Err(failed(format!(
                        "{} is not the folder of a run: there is {name} in it, and no {CONFIG}",
                        path.display()
                    )));
                }
                selvedge_files::write(&config, settings.to_toml()).map_err(wrong)?;
            }
            Err(error) => {
                return Err(failed(format!("cannot read {}: {error}", config.display())));
            }
        }
        let checkpoints = Checkpoints::open(path.join(CHECKPOINTS)).map_err(wrong)?;
        Ok(Self {
            path: path.into(),
            lock,
            checkpoints,
            has_validation: true,
            failure: None,
            behind: false,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `accept` makes of the latest checkpoint that is whole; `None` if there is no checkpoint. Of a
    /// damaged one a line is said, and the one before it is tried.
    ///
    /// # Errors
    ///
    /// If there are checkpoints, and none of them is whole.
    pub fn latest<R>(
        &mut self,
        mut accept: impl FnMut(Snapshot) -> Result<R, String>,
    ) -> Result<Option<R>, TrainError> {
        let failed = |reason: String| TrainError::Folder { path: self.path.clone(), reason };
        let list = self.checkpoints.list();
        let list = list.map_err(|e| failed(format!("cannot read {}: {e}", self.path.display())))?;
        let mut reasons = Vec::new();
        for path in list {
            match self.checkpoints.load(&path).and_then(&mut accept) {
                Ok(found) => {
                    for reason in &reasons {
                        Progress::message(&format!("{reason}; the checkpoint before it is used"));
                    }
                    // If that cannot be, as on a disk that is only read, nothing is lost.
                    let _ = self.checkpoints.remove_older(&path);
                    return Ok(Some(found));
                }
                Err(reason) => {
                    reasons.push(format!(
                        "the checkpoint {} cannot be used: {reason}",
                        path.display()
                    ));
                }
            }
        }
        match reasons.is_empty() {
            true => Ok(None),
            false => Err(failed(format!(
                "{}; delete {} to begin again",
                reasons.join("; "),
                self.path.join(CHECKPOINTS).display()
            ))),
        }
    }

    /// Brings what follows from the state in line with it: what a process that was killed left may be ahead
    /// of its last checkpoint, or behind.
    pub fn align<M: Model, S: Score>(
        &mut self,
        state: &TrainState<M, S>,
        spec: Option<&dyn DataSpec>,
        has_validation: bool,
    ) -> Result<(), TrainError> {
        self.has_validation = has_validation;
        let wrong = |reason: String| TrainError::Folder { path: self.path.clone(), reason };
        self.write_results(&state.history.rows(), S::COLUMNS).map_err(wrong)?;
        if state.epoch > 0 {
            self.write_weights(state, spec, true).map_err(wrong)?;
        }
        Ok(())
    }

    /// Writes a checkpoint, and after an epoch its line and its weights. A failure is said once, and ends
    /// nothing: the run goes on, and tries again after the next epoch.
    pub fn save<M: Model, S: Score>(
        &mut self,
        state: &TrainState<M, S>,
        spec: Option<&dyn DataSpec>,
        is_best: bool,
    ) {
        let saved = self.try_save(state, spec, is_best);
        // A checkpoint within an epoch brings neither table nor weights up to date.
        self.behind = saved.is_err() || (self.behind && state.batch > 0);
        match (&saved, &self.failure) {
            (Err(reason), None) => {
                Progress::message(&format!("{reason}; the run goes on without being saved"));
            }
            (Ok(()), Some(_)) => {
                let path = self.path.display();
                Progress::message(&format!("the run is saved in {path} again"));
            }
            _ => {}
        }
        self.failure = saved.err();
    }

    fn try_save<M: Model, S: Score>(
        &mut self,
        state: &TrainState<M, S>,
        spec: Option<&dyn DataSpec>,
        is_best: bool,
    ) -> Result<(), String> {
        let checkpoints = self.path.join(CHECKPOINTS);
        let failed = |error: String| format!("cannot write {}: {error}", checkpoints.display());
        let best = state.best.as_ref().map(|(record, _)| record.epoch);
        let snapshot = state.snapshot(self.checkpoints.best_epoch() != best);
        let snapshot = snapshot.map_err(failed)?;
        self.checkpoints.save(&snapshot).map_err(|error| failed(error.to_string()))?;
        self.lock.keep_folder();
        let Some(record) = state.history.epochs.last().filter(|_| state.batch == 0) else {
            return Ok(());
        };
        match self.behind {
            true => self.write_results(&state.history.rows(), S::COLUMNS)?,
            false => self.append_result(&record.row())?,
        }
        self.write_weights(state, spec, is_best || self.behind)
    }

    /// Why the end of the run is not on the disk, if it is not.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn write_results(&self, rows: &[EpochRow], columns: &[&str]) -> Result<(), String> {
        let path = self.path.join(RESULTS);
        let mut text = csv_header(columns, self.has_validation);
        rows.iter().for_each(|row| text += &csv_row(row));
        selvedge_files::write(&path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    fn append_result(&self, row: &EpochRow) -> Result<(), String> {
        let path = self.path.join(RESULTS);
        let append =
            || fs::File::options().append(true).open(&path)?.write_all(csv_row(row).as_bytes());
        append().map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    fn write_weights<M: Model, S: Score>(
        &self,
        state: &TrainState<M, S>,
        spec: Option<&dyn DataSpec>,
        best: bool,
    ) -> Result<(), String> {
        let folder = self.path.join(WEIGHTS);
        fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot write {}: {error}", folder.display()))?;
        let last = state.model().valid();
        // Within an epoch, the last one's model is on the disk already, and no longer here.
        let mut models = Vec::from_iter((state.batch == 0).then_some(("last", &last)));
        if let Some((_, model)) = state.best.as_ref().filter(|_| best) {
            models.push(("best", model));
        }
        for (name, model) in models {
            let path = folder.join(format!("{name}.safetensors"));
            model.save(&path, spec).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// A file or folder that is no run's, in a folder without settings.
fn other_file(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Locks, and what was left of files that were being written.
        if !name.starts_with('.') {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A number that changes with the data: not a proof against intent, but against a slip.
pub(crate) fn checksum(parts: impl Iterator<Item = u64>) -> String {
    let mut sum = 0u64;
    for part in parts {
        sum = SplitMix64::stream(sum, part).next_u64();
    }
    format!("{sum:016x}")
}
