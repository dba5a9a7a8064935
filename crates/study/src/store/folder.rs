use std::any::Any;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use selvedge_files::{Output, OutputError};

use super::{Store, Stored, Version};

/// A store over a folder of this machine, or of a file system that many share and that locks files.
///
/// A file is written beside its name and then renamed: nobody ever reads half of it. To look and then write, a process
/// locks the store's `.lock`, which the system unlocks when a process dies.
#[derive(Debug)]
pub struct FolderStore {
    folder: PathBuf,
    /// Whether files can be locked there: then an owner without a locked file is none.
    locks: AtomicBool,
    /// Removes the folder that was made, if nothing was put there; `None` where nothing can be written.
    _output: Option<Output>,
}

impl FolderStore {
    /// The store in that folder, which is made if there is none, and goes with the store if nothing is put there.
    ///
    /// A folder that may be read but not written to is a store of finished trials: to put something there is an error.
    ///
    /// # Errors
    ///
    /// [`OutputError`] if the folder cannot be made, or what is there cannot be written to for another reason.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, OutputError> {
        let folder = folder.into();
        let output = match Output::new(&folder) {
            Ok(output) => Some(output),
            Err(OutputError { error, .. }) if is_forbidden(&error) && folder.is_dir() => None,
            Err(error) => return Err(error),
        };
        Ok(Self { folder, locks: AtomicBool::new(false), _output: output })
    }

    /// The store in a folder that is there, to read from: nothing is written to find out whether that can be done.
    ///
    /// # Errors
    ///
    /// If there is no such folder, or it cannot be read.
    pub fn existing(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::read_dir(&folder)?;
        Ok(Self { folder, locks: AtomicBool::new(false), _output: None })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        Ok(self.folder.join(super::checked(name)?))
    }

    /// Holds the lock of the store until the file is dropped.
    fn lock(&self) -> io::Result<File> {
        let path = self.folder.join(".lock");
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// Whether what is under a name is of the version.
    fn is(&self, path: &Path, version: &Version) -> io::Result<bool> {
        match fs::read(path) {
            Ok(bytes) => Ok(Version::of(&bytes) == *version),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// The locked file of an owner.
struct Life {
    path: PathBuf,
    _file: File,
}

impl Drop for Life {
    fn drop(&mut self) {
        // On Windows it stays, unlocked, which says the same.
        let _ = fs::remove_file(&self.path);
    }
}

impl Store for FolderStore {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let path = self.path(name)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Under the lock, so that a `replace` that compared does not overwrite what is put meanwhile.
        let _lock = self.lock()?;
        if path.exists() {
            return Ok(false);
        }
        selvedge_files::write(&path, bytes)?;
        Ok(true)
    }

    fn get(&self, name: &str) -> io::Result<Option<Stored>> {
        match fs::read(self.path(name)?) {
            Ok(bytes) => Ok(Some(Stored { version: Version::of(&bytes), bytes })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn replace(&self, name: &str, version: &Version, bytes: &[u8]) -> io::Result<bool> {
        let path = self.path(name)?;
        let _lock = self.lock()?;
        if !self.is(&path, version)? {
            return Ok(false);
        }
        selvedge_files::write(&path, bytes)?;
        Ok(true)
    }

    fn remove(&self, name: &str, version: &Version) -> io::Result<bool> {
        let path = self.path(name)?;
        let _lock = self.lock()?;
        if !self.is(&path, version)? {
            return Ok(false);
        }
        fs::remove_file(&path)?;
        Ok(true)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        // A prefix is of whole parts: the folder of the last `/` is all that has to be read.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut names = Vec::new();
        let entries = match fs::read_dir(self.folder.join(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(names),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = if folder.is_empty() { file.clone() } else { format!("{folder}/{file}") };
            // Others are scratch of the moment.
            if !file.starts_with('.') && name.starts_with(prefix) && entry.file_type()?.is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn scratch(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join("running").join(name))
    }

    fn show_life(&self, owner: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let folder = self.folder.join("owners");
        fs::create_dir_all(&folder)?;
        let path = folder.join(owner);
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {
                self.locks.store(true, Ordering::Relaxed);
                Ok(Some(Box::new(Life { path, _file: file })))
            }
            // File systems that lock nothing: leases expire by their time alone.
            Err(_) => {
                let _ = fs::remove_file(path);
                Ok(None)
            }
        }
    }

    fn lives(&self, owner: &str) -> Option<bool> {
        let path = self.folder.join("owners").join(owner);
        match File::options().read(true).write(true).open(&path) {
            // It was there before anything was claimed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.locks.load(Ordering::Relaxed).then_some(false)
            }
            Err(_) => None,
            Ok(file) => match file.try_lock() {
                Ok(()) => Some(false),
                Err(_) => Some(true),
            },
        }
    }

    fn display(&self) -> String {
        self.folder.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    fn store() -> (tempfile::TempDir, FolderStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::open(folder.path().join("store")).unwrap();
        (folder, store)
    }

    #[test]
    fn bytes_are_put_once_and_replaced_only_from_the_version_that_was_seen() {
        let (_folder, store) = store();
        contract::conditions(&store);
    }

    #[test]
    fn names_are_listed_by_their_beginning_and_nothing_leaves_the_folder() {
        let (_folder, store) = store();
        contract::names(&store);
    }

    #[test]
    fn a_stamp_is_another_after_the_bytes_were_written_again() {
        let (_folder, store) = store();
        contract::stamps(&store);
    }

    #[test]
    fn a_store_in_which_nothing_was_put_leaves_no_folder() {
        let (folder, store) = store();
        assert!(store.get("t/a").unwrap().is_none());
        drop(store);
        assert!(!folder.path().join("store").exists());
        let store = FolderStore::open(folder.path().join("store")).unwrap();
        store.put("t/a", b"1").unwrap();
        drop(store);
        let store = FolderStore::open(folder.path().join("store")).unwrap();
        assert_eq!(store.get("t/a").unwrap().unwrap().bytes, b"1");
    }

    #[test]
    fn of_many_that_put_or_replace_at_once_one_succeeds() {
        let (_folder, store) = store();
        contract::races(&store);
    }
}
