//! Results on disk: every file is whole or it is not there.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::TrainError;

/// A folder for the results of a study.
#[derive(Clone, Debug)]
pub struct Output {
    folder: PathBuf,
}

impl Output {
    /// Makes the folder, with those above it, and checks that files can be written there: better
    /// now than after an hour of training.
    ///
    /// # Errors
    ///
    /// [`TrainError::Output`] if the folder cannot be made or written to.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let folder = folder.into();
        let check = || {
            std::fs::create_dir_all(&folder)?;
            tempfile::NamedTempFile::new_in(&folder)?.close()
        };
        match check() {
            Ok(()) => Ok(Self { folder }),
            Err(source) => Err(TrainError::Output { path: folder, source }),
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
    /// [`TrainError::Output`] if it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        let path = self.path(name);
        let write = || {
            let mut file = new_file_in(&self.folder)?;
            file.write_all(text.as_bytes())?;
            file.persist(&path).map_err(|e| e.error).map(drop)
        };
        write().map_err(|source| TrainError::Output { path: path.clone(), source })
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.write(name, &(text + "\n")),
            Err(error) => {
                let path = self.path(name);
                Err(TrainError::Output { path, source: error.into() })
            }
        }
    }
}

/// Temporary files are private by default; results should be as readable as any other new file.
fn new_file_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes away what the user does not grant.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
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
    fn a_folder_that_is_a_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::write(&path, "").unwrap();
        let message = Output::new(&path).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot write {}", path.display())), "{message}");
    }
}
