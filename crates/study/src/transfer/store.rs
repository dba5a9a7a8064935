//! The folder of a study: what is finished is in it, and is not done again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use selvedge_files::{FolderLock, Output, OutputError};
use selvedge_models::Bundle;
use selvedge_train::{Context, Progress};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::identity;
use crate::StudyError;
use crate::record;

/// The folder of the trials within that of the study.
const TRIALS: &str = "trials";
/// What the trials are of.
const STUDY: &str = "study.toml";

/// The trials of a study on disk: each is a record, some with a model beside it. A record names the
/// hash of its model and is written after it, so that one that can be read is a trial that is whole.
#[derive(Debug)]
pub(super) struct Store {
    output: Output,
    trials: PathBuf,
    damaged: Mutex<Vec<PathBuf>>,
    /// Whether damage is spoken of at once.
    visible: bool,
    /// Dropped last: the folder belongs to this process until all is written.
    _lock: FolderLock,
}

impl Store {
    /// Takes the folder for the study that `identity` describes, which may have been begun there.
    ///
    /// # Errors
    ///
    /// [`StudyError::Output`] if the folder cannot be written to or another process has it;
    /// [`StudyError::OtherStudy`] if it holds another study.
    pub fn open(
        folder: &Path,
        identity: &toml::Table,
        context: &Context,
    ) -> Result<Self, StudyError> {
        let lock = FolderLock::acquire(folder)?;
        let output = Output::new(folder)?;
        let trials = output.path(TRIALS);
        selvedge_files::clean(&trials);
        let refused = |differences| StudyError::OtherStudy { folder: folder.into(), differences };
        let file = trials.join(STUDY);
        match fs::read_to_string(&file) {
            Ok(text) => {
                let differences = match text.parse::<toml::Table>() {
                    Ok(there) => identity::differences(&there, identity),
                    Err(_) => vec![format!("{} is damaged", file.display())],
                };
                if !differences.is_empty() {
                    return Err(refused(differences));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Of a training, of a study whose trials were deleted, or of whatever else.
                if let Some(name) = other_file(&output, &trials) {
                    let reason = format!("it holds {name}, and there is no {TRIALS}/{STUDY}");
                    return Err(refused(vec![reason]));
                }
                let made = fs::create_dir_all(&trials);
                made.and_then(|()| selvedge_files::write(&file, identity.to_string()))
                    .map_err(|error| OutputError { path: file, error })?;
            }
            Err(error) => return Err(OutputError { path: file, error }.into()),
        }
        let visible = !matches!(context.progress, Progress::Hidden);
        Ok(Self { output, trials, damaged: Mutex::default(), visible, _lock: lock })
    }

    /// The folder of the study.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Keeps a trial.
    pub fn save(&self, name: &str, trial: &impl Serialize) -> Result<(), OutputError> {
        let path = self.record(name);
        record::write(&path, trial).map_err(|error| OutputError { path, error })
    }

    /// Keeps the model of a trial, whose record is to hold the hash that this gives.
    pub fn save_model(&self, name: &str, model: &Bundle) -> Result<String, StudyError> {
        let (path, bytes) = (self.model(name), model.to_bytes()?);
        let written = selvedge_files::write(&path, &bytes);
        written.map_err(|error| OutputError { path, error })?;
        Ok(selvedge_files::sha256(&bytes))
    }

    /// A trial that was kept; `None` if there is none or it is damaged.
    pub fn load<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.record(name);
        let found = record::read(&path);
        found.unwrap_or_else(|_| self.note_damage(path))
    }

    /// The model of a trial; `None` if it is not the one with this hash.
    pub fn load_model(&self, name: &str, hash: &str, context: &Context) -> Option<Bundle> {
        let path = self.model(name);
        let bytes = fs::read(&path).ok().filter(|bytes| selvedge_files::sha256(bytes) == hash);
        let bundle = bytes.and_then(|bytes| Bundle::from_bytes(&bytes, &context.device).ok());
        bundle.or_else(|| self.note_damage(path))
    }

    /// The files that were damaged, and whose trials have to be done again.
    pub fn damaged(&self) -> Vec<PathBuf> {
        self.damaged.lock().expect("nothing panics while it is held").clone()
    }

    fn note_damage<T>(&self, path: PathBuf) -> Option<T> {
        if self.visible {
            Progress::message(&format!("{} is damaged: its trial is done again", path.display()));
        }
        self.damaged.lock().expect("nothing panics while it is held").push(path);
        None
    }

    /// The folder of a training that is under way.
    pub fn unfinished(&self, name: &str) -> PathBuf {
        self.trials.join(format!("{name}.run"))
    }

    /// Removes it once its trial is finished; what cannot be removed is in nobody's way.
    pub fn forget_unfinished(&self, name: &str) {
        let _ = fs::remove_dir_all(self.unfinished(name));
    }

    fn record(&self, name: &str) -> PathBuf {
        self.trials.join(format!("{name}.toml"))
    }

    fn model(&self, name: &str) -> PathBuf {
        self.trials.join(format!("{name}.safetensors"))
    }
}

/// The name of something in the folder of a study that is not begun: hidden files, such as the lock and
/// what killed processes left, and an empty folder for the trials are in nobody's way.
fn other_file(output: &Output, trials: &Path) -> Option<String> {
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    };
    let trial = names(trials).into_iter().next().map(|name| format!("{TRIALS}/{name}"));
    trial.or_else(|| names(output.folder()).into_iter().find(|name| name != TRIALS))
}

impl Drop for Store {
    /// A study of which nothing was finished leaves nothing.
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(&self.trials) else { return };
        let nothing = entries.flatten().all(|entry| entry.file_name() == STUDY);
        if nothing && !self.output.path("results.json").exists() {
            let _ = fs::remove_file(self.trials.join(STUDY));
            let _ = fs::remove_dir(&self.trials);
        }
    }
}

/// The time that a study took, over all the times that it was begun again.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    before: f64,
}

impl Clock {
    /// `before`: seconds that the study had taken when the last of the trials on disk was finished.
    pub fn new(start: Instant, before: f64) -> Self {
        Self { start, before }
    }

    /// Seconds of the whole study.
    pub fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }
}
