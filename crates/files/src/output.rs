//! Results on disk: every file is whole or it is not there.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::folder::MadeFolders;
use crate::replace::{self, NewFile};
use crate::scratch::Scratch;
use crate::set;

/// How often a folder is made again that others remove.
const ATTEMPTS: usize = 100;

/// Does something again while a folder that it needs is removed by others.
fn while_missing<T>(action: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..ATTEMPTS {
        match action() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
    }
    action()
}

/// A file or folder of results that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}", path.display())]
pub struct OutputError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why not.
    pub error: std::io::Error,
}

/// A folder for the results of a study. Folders that were made for it and stayed empty are removed
/// again when this is dropped.
///
/// Several processes may write to one folder, with [`FolderLock`](crate::FolderLock) one at a time.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    _made: MadeFolders,
}

impl Output {
    /// Makes the folder, with those above it, and checks that files can be written there: better
    /// now than after an hour of training. What processes left there that were killed is put in order,
    /// see [`clean()`](crate::clean()).
    ///
    /// # Errors
    ///
    /// [`OutputError`] if the folder cannot be made or written to.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, OutputError> {
        let folder = folder.into();
        let check = || {
            let made = MadeFolders::new(&folder)?;
            NewFile::new_in(&folder).map(|_| made)
        };
        // Another process may have made the folder, had no use for it, and removed it meanwhile.
        match while_missing(check) {
            Ok(made) => Ok(Self { folder, _made: made }),
            Err(error) => Err(OutputError { path: folder, error }),
        }
    }

    /// Does something in the folder, which is made again if it is gone: another process may have made it before this
    /// one, and removed it, empty as it was.
    fn within<T>(&self, action: impl Fn() -> io::Result<T>) -> io::Result<T> {
        action().or_else(|error| match error.kind() {
            ErrorKind::NotFound => while_missing(|| {
                std::fs::create_dir_all(&self.folder)?;
                action()
            }),
            _ => Err(error),
        })
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
        self.within(|| replace::write(&path, text)).map_err(|error| OutputError { path, error })
    }

    /// Replaces the files `names` together: `write` writes those that there are into a folder beside
    /// them; then each takes the place of the one of its name, and a name that was not written is
    /// removed.
    ///
    /// After an error, all of the files are the old ones. If the process is killed, or the machine goes
    /// down, all are old or all are new once anything has written to the folder again by this crate, or
    /// called [`clean()`](crate::clean()): files of which some had their places are completed. Until then a
    /// reader may find both kinds, as it may for the moment that the renaming takes. Of two processes that
    /// replace the same files at the same time, all are those of one of them.
    ///
    /// # Errors
    ///
    /// What `write` gives; or [`OutputError`] if a file cannot be replaced, or if what `write` gives names a
    /// file of the temporary folder: the error then names the file whose place it would have taken.
    pub fn replace<E: From<OutputError> + Display>(
        &self,
        names: &[&str],
        write: impl FnOnce(&Output) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |path: PathBuf| move |error| OutputError { path, error };
        for name in names {
            let path = self.path(name);
            if path.is_dir() {
                let error = std::io::Error::new(ErrorKind::IsADirectory, "it is a folder");
                return Err(failed(path)(error).into());
            }
        }
        let scratch = self.within(|| Scratch::new_in(&self.folder));
        let scratch = scratch.map_err(failed(self.folder.clone()))?;
        let new = scratch.path().join(set::NEW);
        std::fs::create_dir(&new).map_err(failed(self.folder.clone()))?;
        let staged = Output { folder: new, _made: MadeFolders::default() };
        if let Err(error) = write(&staged) {
            return Err(self.named(error, &staged));
        }
        Ok(set::replace(scratch, &self.folder, names)?)
    }

    /// The error about a file in the temporary folder as one about the file whose place it would have
    /// taken: the other is gone when somebody looks.
    fn named<E: From<OutputError> + Display>(&self, error: E, staged: &Output) -> E {
        let text = error.to_string();
        let temporary = staged.folder.display().to_string();
        let Some((_, at)) = text.split_once(&temporary) else { return error };
        let (name, reason) = at.split_once(": ").unwrap_or((at, "it is incomplete"));
        let path = match name.trim_start_matches(std::path::is_separator) {
            "" => self.folder.clone(),
            name => self.path(name),
        };
        let reason = reason.replace(&temporary, &self.folder.display().to_string());
        OutputError { path, error: std::io::Error::other(reason) }.into()
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
        let message = failure.unwrap_err().to_string();
        let target = output.path("no/such/folder");
        assert!(message.starts_with(&format!("cannot write {}: ", target.display())), "{message}");
        assert!(!message.contains(".selvedge"), "{message}");
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
        drop(Output::new(path.join("inner")).unwrap());
        assert!(!path.exists());
        drop(Output::new(dir.path()).unwrap());
        assert!(dir.path().exists(), "a folder that was there before stays");
    }

    #[test]
    fn many_that_begin_and_end_in_one_new_folder_at_once_are_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/new");
        std::thread::scope(|scope| {
            for i in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        drop(Output::new(path).unwrap());
                    }
                    Output::new(path).unwrap().write(&format!("{i}.txt"), "there").unwrap();
                });
            }
        });
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 8);
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::write(&path, "").unwrap();
        let (path, below) = (path.display().to_string(), path.join("a/b").display().to_string());
        let message = |path: &str| Output::new(path).unwrap_err().to_string();
        assert_eq!(message(&path), format!("cannot write {path}: it is a file, not a folder"));
        let reason = format!("{path} is a file, not a folder");
        assert_eq!(message(&below), format!("cannot write {below}: {reason}"));
    }
}
