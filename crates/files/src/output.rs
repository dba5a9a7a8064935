//! Results on disk: every file is whole or it is not there.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::replace::{self, new_file_in, sync_file, sync_folder};

/// A file or folder of results that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}", path.display())]
pub struct OutputError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why not.
    pub error: std::io::Error,
}

/// A folder for the results of a study. A folder that was made for it and stayed empty is removed
/// again when this is dropped.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    made: bool,
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.made {
            // Fails, as it should, where anything was written.
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

impl Output {
    /// Makes the folder, with those above it, and checks that files can be written there: better
    /// now than after an hour of training.
    ///
    /// # Errors
    ///
    /// [`OutputError`] if the folder cannot be made or written to.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, OutputError> {
        let folder = folder.into();
        let made = !folder.exists();
        let check = || {
            std::fs::create_dir_all(&folder)?;
            tempfile::NamedTempFile::new_in(&folder)?.close()
        };
        match check() {
            Ok(()) => Ok(Self { folder, made }),
            Err(error) => Err(OutputError { path: folder, error }),
        }
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a text file, replacing an older one once the new one is whole.
    ///
    /// # Errors
    ///
    /// [`OutputError`] if it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), OutputError> {
        let path = self.path(name);
        replace::write(&path, text).map_err(|error| OutputError { path, error })
    }

    /// Replaces the files `names` together: `write` writes those that there are into a folder beside
    /// them; then each takes the place of the one of its name, and a name that was not written is
    /// removed. If anything fails before that, the old files are as they were.
    ///
    /// # Errors
    ///
    /// What `write` gives, or [`OutputError`] if a file cannot be replaced.
    pub fn replace<E: From<OutputError>>(
        &self,
        names: &[&str],
        write: impl FnOnce(&Output) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |path: PathBuf| move |error| OutputError { path, error };
        for name in names {
            let path = self.path(name);
            if path.is_dir() {
                return Err(failed(path)(std::io::ErrorKind::IsADirectory.into()).into());
            }
        }
        let beside = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder);
        let beside = beside.map_err(failed(self.folder.clone()))?;
        let staged = Output { folder: beside.path().into(), made: false };
        write(&staged)?;
        let mode = new_file_in(beside.path()).and_then(|file| file.as_file().metadata());
        let permissions = mode.map_err(failed(self.folder.clone()))?.permissions();
        for name in names {
            let (new, path) = (staged.path(name), self.path(name));
            let moved = if new.exists() {
                std::fs::set_permissions(&new, permissions.clone())
                    .and_then(|()| sync_file(&new))
                    .and_then(|()| std::fs::rename(&new, &path))
            } else if path.exists() {
                std::fs::remove_file(&path)
            } else {
                Ok(())
            };
            moved.map_err(failed(path))?;
        }
        Ok(sync_folder(&self.folder).map_err(failed(self.folder.clone()))?)
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), OutputError> {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.write(name, &(text + "\n")),
            Err(error) => {
                let path = self.path(name);
                Err(OutputError { path, error: error.into() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_replaces_the_old_one_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let output = Output::new(dir.path().join("a/b")).unwrap();
        output.write("x.txt", "old").unwrap();
        output.write("x.txt", "new").unwrap();
        assert_eq!(std::fs::read_to_string(output.path("x.txt")).unwrap(), "new");
        assert_eq!(std::fs::read_dir(output.folder()).unwrap().count(), 1);
    }

    #[test]
    fn files_are_replaced_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let output = Output::new(dir.path()).unwrap();
        let names = ["a", "b"];
        let both = |text: &'static str| {
            move |new: &Output| -> Result<(), OutputError> {
                new.write("a", text)?;
                new.write("b", text)
            }
        };
        output.replace(&names, both("old")).unwrap();
        let failure: Result<(), OutputError> = output.replace(&names, |new| {
            new.write("a", "new")?;
            new.write("no/such/folder", "new")
        });
        assert!(failure.is_err());
        let read = |name| std::fs::read_to_string(output.path(name)).unwrap();
        assert_eq!([read("a"), read("b")], ["old", "old"]);
        output.replace(&names, |new| new.write("b", "new")).unwrap();
        assert_eq!(read("b"), "new");
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "what was not written is removed: {left:?}");
    }

    #[test]
    fn a_folder_that_was_made_for_nothing_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        drop(Output::new(&path).unwrap());
        assert!(!path.exists());
        drop(Output::new(dir.path()).unwrap());
        assert!(dir.path().exists(), "a folder that was there before stays");
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::write(&path, "").unwrap();
        let message = Output::new(&path).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot write {}", path.display())), "{message}");
    }
}
