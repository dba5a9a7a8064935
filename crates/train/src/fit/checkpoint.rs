//! The state of a run on the disk.
//!
//! A checkpoint is a folder of files that other programs read: `model.safetensors`, `best.safetensors` and
//! `average.safetensors` with PyTorch's names, `optimizer.burnpack` in Burn's own format, `state.toml`, and
//! `SHA256SUMS`, by which `sha256sum --check` tells whether all of it is whole.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::Bytes;
use selvedge_models::ModelError;
use selvedge_models::state::State;
use selvedge_models::weights::{load_state, save_state};

use super::state::{Position, Snapshot};

/// The version of what is described above.
const VERSION: u8 = 1;

const MODEL: &str = "model.safetensors";
const BEST: &str = "best.safetensors";
const AVERAGE: &str = "average.safetensors";
const OPTIMIZER: &str = "optimizer.burnpack";
const STATE: &str = "state.toml";
const SUMS: &str = "SHA256SUMS";

/// What a folder of checkpoints that is being written begins with.
const UNFINISHED: &str = ".new-";

/// As many are kept: the last, and the one before for the case that it is damaged.
const KEPT: usize = 2;

/// The folder of the checkpoints of a run.
pub(super) struct Checkpoints {
    folder: PathBuf,
    /// The epoch whose model was written as the best, and where.
    best: Option<(usize, PathBuf)>,
}

impl Checkpoints {
    /// Those in `folder`, from which what was left by a process that died is removed.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Self { folder, best: None })
    }

    /// The checkpoints, the latest first.
    pub fn list(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(place) = place(&entry.file_name().to_string_lossy()) {
                found.push((place, entry.path()));
            }
        }
        found.sort();
        Ok(found.into_iter().rev().map(|(_, path)| path).collect())
    }

    /// The epoch of the best model that is on the disk.
    pub fn best_epoch(&self) -> Option<usize> {
        self.best.as_ref().filter(|(_, path)| path.exists()).map(|(epoch, _)| *epoch)
    }

    /// Writes a checkpoint, whole or not at all, and removes those that are no longer needed. The best model
    /// may be missing if it is that of the last call.
    pub fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let Position { epoch, batch, best_epoch, .. } = snapshot.position;
        let path = self.folder.join(match batch {
            0 => format!("epoch-{epoch}"),
            batch => format!("epoch-{epoch}-batch-{batch}"),
        });
        if !self.folder.is_dir() {
            let run = self.folder.parent().unwrap_or(&self.folder);
            let reason = format!("there is no folder {}", run.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, reason));
        }
        let new = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.folder)?;
        let at = |name: &str| new.path().join(name);
        // Of an error the reason alone: where the file was to be is a folder that is gone by then.
        let write = |name, state: &State| {
            save_state(at(name), state).map_err(|error| match error {
                ModelError::File { reason, .. } => io::Error::other(reason),
                error => io::Error::other(error),
            })
        };
        write(MODEL, &snapshot.model)?;
        if let Some(average) = &snapshot.average {
            write(AVERAGE, average)?;
        }
        match (&snapshot.best, &self.best) {
            (Some(best), _) => write(BEST, best)?,
            // The same file under another name; where there are no links, a copy.
            (None, Some((_, old))) => {
                fs::hard_link(old, at(BEST)).or_else(|_| fs::copy(old, at(BEST)).map(drop))?
            }
            (None, None) => {}
        }
        selvedge_files::write(at(OPTIMIZER), &snapshot.optimizer[..])?;
        let mut content = toml::Table::try_from(&snapshot.position).map_err(io::Error::other)?;
        content.insert("version".into(), VERSION.into());
        let text = toml::to_string(&content).map_err(io::Error::other)?;
        selvedge_files::write(at(STATE), text)?;
        selvedge_files::write(at(SUMS), sums(new.path())?)?;
        if path.exists() {
            // A damaged one, or one of the same bits.
            fs::remove_dir_all(&path)?;
        }
        fs::rename(new.keep(), &path)?;
        selvedge_files::sync_folder(&self.folder)?;
        self.best = best_epoch.map(|epoch| (epoch, path.join(BEST)));
        // Those after it could not be used, else the run had gone on from them: they do not count among those
        // that are kept.
        let later = self.list()?.into_iter().filter(|other| place_of(other) > place_of(&path));
        later.into_iter().try_for_each(fs::remove_dir_all)?;
        self.remove_older(&path)
    }

    /// Removes those that are no longer needed where `path` is whole: what is left where a process died between writing
    /// it and removing others.
    pub fn remove_older(&self, path: &Path) -> io::Result<()> {
        let list = self.list()?.into_iter();
        let older = list.filter(|other| place_of(other) <= place_of(path)).skip(KEPT);
        older.into_iter().try_for_each(fs::remove_dir_all)
    }

    /// Reads a checkpoint. The error says what is wrong with it, without its path.
    pub fn load(&mut self, path: &Path) -> Result<Snapshot, String> {
        check_sums(path)?;
        let text = fs::read_to_string(path.join(STATE)).map_err(|e| format!("{STATE}: {e}"))?;
        let wrong = |e: toml::de::Error| format!("{STATE}: {}", e.message());
        let mut content: toml::Table = toml::from_str(&text).map_err(wrong)?;
        match content.remove("version").and_then(|version| version.as_integer()) {
            Some(version) if version == i64::from(VERSION) => {}
            Some(other) => {
                return Err(format!("it is of version {other}, and this program reads {VERSION}"));
            }
            None => return Err(format!("{STATE} names no version")),
        }
        let position: Position = content.try_into().map_err(wrong)?;
        let read = |name: &str| load_state(path.join(name)).map_err(|e| e.to_string());
        let optional = |name: &str| path.join(name).exists().then(|| read(name)).transpose();
        let optimizer = fs::read(path.join(OPTIMIZER)).map_err(|e| format!("{OPTIMIZER}: {e}"))?;
        let snapshot = Snapshot {
            model: read(MODEL)?,
            optimizer: Bytes::from_bytes_vec(optimizer),
            best: optional(BEST)?,
            average: optional(AVERAGE)?,
            position,
        };
        self.best = snapshot.position.best_epoch.map(|epoch| (epoch, path.join(BEST)));
        Ok(snapshot)
    }
}

fn place_of(path: &Path) -> Option<(usize, usize)> {
    place(&path.file_name()?.to_string_lossy())
}

/// The complete epochs and the batches after them of a checkpoint of that name.
fn place(name: &str) -> Option<(usize, usize)> {
    let rest = name.strip_prefix("epoch-")?;
    match rest.split_once("-batch-") {
        None => Some((rest.parse().ok()?, 0)),
        Some((epoch, batch)) => Some((epoch.parse().ok()?, batch.parse().ok()?)),
    }
}

/// A line for each file of the folder: its sum and its name, as `sha256sum` writes them.
fn sums(folder: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut text = String::new();
    for name in names {
        writeln!(text, "{}  {name}", sum(&folder.join(&name))?).expect("writing to a string");
    }
    Ok(text)
}

fn sum(path: &Path) -> io::Result<String> {
    let mut hasher = selvedge_files::Hasher::new();
    io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.finish())
}

/// `Ok` if every file is there with the sum that it had when it was written.
fn check_sums(folder: &Path) -> Result<(), String> {
    let text = fs::read_to_string(folder.join(SUMS)).map_err(|e| format!("{SUMS}: {e}"))?;
    let mut seen = Vec::new();
    for line in text.lines() {
        let (expected, name) = line.split_once("  ").ok_or(format!("{SUMS} is damaged"))?;
        let found = sum(&folder.join(name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("there is no {name}"),
            _ => format!("{name}: {error}"),
        })?;
        if found != expected {
            return Err(format!("{name} is damaged"));
        }
        seen.push(name);
    }
    match [MODEL, OPTIMIZER, STATE].iter().find(|name| !seen.contains(name)) {
        Some(_) => Err(format!("{SUMS} is truncated")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Totals;

    fn snapshot(epoch: usize) -> Snapshot {
        let position = Position {
            epoch,
            batch: 0,
            step: 7 * epoch,
            best_epoch: None,
            averaged: 0,
            totals: Totals::default(),
            ids: Default::default(),
            epochs: Vec::new(),
        };
        let tensor = burn::tensor::TensorData::new(vec![1.5f32, -2.0], [2]);
        let model = State::from([("fc.bias".to_string(), tensor)]);
        let optimizer = Bytes::from_bytes_vec(vec![1, 2, 3]);
        Snapshot { position, model, optimizer, best: None, average: None }
    }

    #[test]
    fn a_checkpoint_of_another_version_is_refused_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::open(folder.path().into()).unwrap();
        checkpoints.save(&snapshot(3)).unwrap();
        let path = checkpoints.list().unwrap().remove(0);
        assert_eq!(checkpoints.load(&path).unwrap().position.step, 21);
        let state = fs::read_to_string(path.join(STATE)).unwrap();
        fs::write(path.join(STATE), state.replace("version = 1", "version = 7")).unwrap();
        fs::remove_file(path.join(SUMS)).unwrap();
        fs::write(path.join(SUMS), sums(&path).unwrap()).unwrap();
        let reason = checkpoints.load(&path).map(drop).unwrap_err();
        assert_eq!(reason, "it is of version 7, and this program reads 1");
    }

    #[test]
    fn the_last_two_are_kept_in_the_order_of_their_epochs_and_what_died_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".new-died")).unwrap();
        let mut checkpoints = Checkpoints::open(folder.path().into()).unwrap();
        for epoch in 8..=11 {
            checkpoints.save(&snapshot(epoch)).unwrap();
        }
        let within = Position { batch: 5, ..snapshot(11).position };
        checkpoints.save(&Snapshot { position: within, ..snapshot(11) }).unwrap();
        let names: Vec<_> = checkpoints.list().unwrap();
        let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["epoch-11-batch-5", "epoch-11"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn those_that_a_process_did_not_live_to_remove_are_removed_behind_one_that_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::open(folder.path().into()).unwrap();
        checkpoints.save(&snapshot(3)).unwrap();
        checkpoints.save(&snapshot(4)).unwrap();
        for name in ["epoch-2", "epoch-2-batch-7"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let checkpoints = Checkpoints::open(folder.path().into()).unwrap();
        let latest = checkpoints.list().unwrap().remove(0);
        checkpoints.remove_older(&latest).unwrap();
        let list = checkpoints.list().unwrap();
        let names: Vec<_> = list.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["epoch-4", "epoch-3"]);
    }

    #[test]
    fn checkpoints_that_could_not_be_used_do_not_displace_whole_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::open(folder.path().into()).unwrap();
        checkpoints.save(&snapshot(3)).unwrap();
        // Two later ones that are damaged; the run went on from epoch 3.
        for name in ["epoch-4", "epoch-5"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let within = Position { batch: 5, ..snapshot(3).position };
        checkpoints.save(&Snapshot { position: within, ..snapshot(3) }).unwrap();
        let list = checkpoints.list().unwrap();
        let names: Vec<_> = list.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["epoch-3-batch-5", "epoch-3"]);
    }
}
