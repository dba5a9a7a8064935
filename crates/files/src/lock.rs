//! A folder that one process at a time writes to.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::OutputError;
use crate::folder::MadeFolders;

/// The file in a folder that is locked.
pub(crate) const LOCK: &str = ".lock";

/// A folder that was removed is made again this often.
const MOST_TRIES: usize = 100;

/// The right to write to a folder, such as that of a run. It ends when this is dropped or the process
/// ends, however it ends: the operating system takes the lock back after a SIGKILL too, and nothing has
/// to be cleaned up before the next run.
///
/// The lock is on the file `.lock` in the folder, which holds the process's number for whoever finds the
/// folder taken, and is removed with the lock (on Windows it stays). Where a file system has no locks, as some network file
/// systems do not, the folder is not protected.
///
/// ```
/// use selvedge_files::FolderLock;
///
/// let parent = tempfile::tempdir()?;
/// let run = parent.path().join("run");
/// let lock = FolderLock::acquire(&run)?;
/// let refused = FolderLock::acquire(&run).unwrap_err().to_string();
/// let me = std::process::id();
/// assert_eq!(refused, format!("cannot write {}: process {me} is writing to it", run.display()));
/// drop(lock);
/// assert!(!run.exists(), "it was made for the lock, and stayed empty");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FolderLock {
    lock: FileLock,
    /// Dropped after the lock, which is a file in the folder.
    made: MadeFolders,
}

impl FolderLock {
    /// Takes the folder, which is made if it is not there, with those above it. What was made is removed
    /// again with the lock if it stays empty.
    ///
    /// # Errors
    ///
    /// [`OutputError`] at once if another process has it (the error names the process), or if the folder
    /// cannot be made or written to.
    pub fn acquire(folder: impl AsRef<Path>) -> Result<Self, OutputError> {
        let folder = folder.as_ref();
        let failed = |error| OutputError { path: folder.into(), error };
        // Whoever had the folder before may be removing it, having written nothing.
        for _ in 0..MOST_TRIES {
            let made = match MadeFolders::new(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                made => made.map_err(failed)?,
            };
            match FileLock::acquire(&folder.join(LOCK), Wait::No) {
                Ok(Some(lock)) => {
                    crate::clean(folder);
                    return Ok(Self { lock, made });
                }
                Ok(None) => return Err(failed(taken(&folder.join(LOCK)))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::Error::new(
            io::ErrorKind::NotFound,
            "the folder is removed again and again",
        )))
    }

    /// Keeps the folders that were made for the lock, even if they stay empty.
    pub fn keep_folder(&mut self) {
        self.made.keep();
    }

    /// The file that is locked.
    pub fn path(&self) -> &Path {
        &self.lock.path
    }
}

/// Why a folder cannot be had, with the process that has it.
fn taken(lock: &Path) -> io::Error {
    // Windows lets nobody read what is locked; and the holder may not have written it yet.
    let holder = std::fs::read_to_string(lock).unwrap_or_default();
    let reason = match holder.trim().parse::<u32>() {
        Ok(process) => format!("process {process} is writing to it"),
        Err(_) => "another process is writing to it".into(),
    };
    io::Error::new(io::ErrorKind::ResourceBusy, reason)
}

/// Whether to wait for a lock that another process has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until it is free.
    Yes,
    /// Not at all.
    No,
}

/// A lock on a file that is there as long as the lock is.
#[derive(Debug)]
pub(crate) struct FileLock {
    path: PathBuf,
    /// Holds the lock as long as it is open.
    file: File,
    /// Whether the file system has locks.
    real: bool,
}

impl FileLock {
    /// Locks the file, which is made; `None` if another process has it, and it is not waited for.
    pub(crate) fn acquire(path: &Path, wait: Wait) -> io::Result<Option<Self>> {
        loop {
            let file =
                File::options().read(true).write(true).create(true).truncate(false).open(path)?;
            let locked = match wait {
                Wait::Yes => file.lock(),
                Wait::No => match file.try_lock() {
                    Ok(()) => Ok(()),
                    Err(TryLockError::WouldBlock) => return Ok(None),
                    Err(TryLockError::Error(error)) => Err(error),
                },
            };
            let real = match locked {
                Ok(()) => true,
                // A file system without locks: better unprotected than not at all.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // Between opening and locking, the holder before may have removed the file: then this lock
            // is on a file that nobody else will find.
            if is_at(&file, path)? {
                let lock = Self { path: path.into(), file, real };
                // A full disk has no place for it, and is all the same to be put in order.
                let _ = lock.write_process();
                return Ok(Some(lock));
            }
        }
    }

    /// Whether it keeps others out.
    pub(crate) fn is_real(&self) -> bool {
        self.real
    }

    fn write_process(&self) -> io::Result<()> {
        self.file.set_len(0)?;
        writeln!(&self.file, "{}", std::process::id())
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // While it is still locked, so that it is nobody else's. Elsewhere nobody could tell a file that
        // was removed from the one that took its place.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether this open file is the one at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let found = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found?,
    };
    let opened = file.metadata()?;
    Ok((opened.dev(), opened.ino()) == (found.dev(), found.ino()))
}

/// Elsewhere the file stays where it is.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_by_one_and_free_for_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        let lock = FolderLock::acquire(&folder).unwrap();
        let error = FolderLock::acquire(&folder).unwrap_err();
        assert_eq!(error.path, folder);
        let holder = format!("process {} is writing", std::process::id());
        assert!(error.to_string().contains(&holder), "{error}");
        drop(lock);
        assert!(!parent.path().join("a").exists(), "empty folders stay");
        drop(FolderLock::acquire(&folder).unwrap());
    }

    #[test]
    fn a_folder_with_something_in_it_stays() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        let lock = FolderLock::acquire(&folder).unwrap();
        std::fs::write(folder.join("kept"), "").unwrap();
        drop(lock);
        assert!(folder.join("kept").exists());
        drop(FolderLock::acquire(parent.path()).unwrap());
        assert!(parent.path().exists());
    }

    #[test]
    fn what_a_dead_process_left_locks_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK), "4194305\n").unwrap();
        let _lock = FolderLock::acquire(folder.path()).unwrap();
        let holder = std::fs::read_to_string(folder.path().join(LOCK)).unwrap();
        assert_eq!(holder, format!("{}\n", std::process::id()));
    }

    #[test]
    fn many_that_ask_at_once_get_the_folder_one_after_the_other() {
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
        let folder = tempfile::tempdir().unwrap();
        let (path, inside) = (folder.path().join(LOCK), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let lock = FileLock::acquire(&path, Wait::Yes).unwrap();
                        assert_eq!(inside.fetch_add(1, SeqCst), 0, "two at once");
                        inside.fetch_sub(1, SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert!(!path.exists());
    }
}
