//! Folders for files that are not complete, which outlive nobody.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lock::{FileLock, LOCK, Wait};
use crate::set;

/// What the names of such folders begin with; the process's number and a count follow.
const PREFIX: &str = ".selvedge-";

/// The lock for moving files from such folders to their places, which one process does at a time.
const MOVING: &str = ".selvedge-lock";

/// A folder beside those files that are to be replaced, and on the same file system, so that a file in it
/// can be renamed to take their place. It is removed when this is dropped. After a SIGKILL it stays; but
/// the lock in it has died with the process, by which [`clean`] knows it.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    lock: Option<FileLock>,
    /// What is in it is still needed: the next who looks takes care of it.
    pub kept: bool,
}

impl Scratch {
    /// Makes one in `folder`, where those of the dead are removed first.
    pub fn new_in(folder: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        clean(folder);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{PREFIX}{}-{count}", std::process::id()));
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(gone(folder, error));
                }
                made => made?,
            }
            match FileLock::acquire(&path.join(LOCK), Wait::No) {
                Ok(Some(lock)) => return Ok(Self { path, lock: Some(lock), kept: false }),
                // Another process took it for dead before it was locked, and is removing it.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {}
                Err(error) => {
                    let _ = std::fs::remove_dir(&path);
                    return Err(error);
                }
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // While it is locked: nobody else removes it at the same time.
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
        drop(self.lock.take());
        if !self.kept {
            // Where an open file cannot be removed.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn gone(folder: &Path, error: io::Error) -> io::Error {
    match folder.is_dir() {
        true => error,
        false => {
            let reason = format!("there is no folder {}", folder.display());
            io::Error::new(io::ErrorKind::NotFound, reason)
        }
    }
}

/// Puts in order what killed processes left in `folder`: temporary files are removed, and a set of files
/// of which some had taken their places already is completed (see [`Output::replace`]). What belongs to
/// a process that is alive stays, as does all where the file system has no locks.
///
/// Whatever writes to a folder by this crate does so first: [`Output::new`](crate::Output::new),
/// [`replace()`](crate::replace()), [`FolderLock::acquire`](crate::FolderLock::acquire). A program that
/// only reads files of a set calls it to be sure that they belong together. A failure is no error here;
/// whoever writes next tries again.
///
/// [`Output::replace`]: crate::Output::replace
pub fn clean(folder: impl AsRef<Path>) {
    let folder = folder.as_ref();
    // Most folders have nothing of the kind, and are not written to.
    if (leftovers(folder).next().is_some() || folder.join(MOVING).exists())
        && let Ok(moving) = Moving::lock(folder)
    {
        moving.clean();
    }
}

fn leftovers(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| is_ours(entry)).map(|entry| entry.path())
}

fn is_ours(entry: &std::fs::DirEntry) -> bool {
    let name = entry.file_name();
    let numbers = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    numbers.is_some_and(|numbers| numbers.starts_with(|c: char| c.is_ascii_digit()))
        && entry.file_type().is_ok_and(|kind| kind.is_dir())
}

/// The right to move files to their places in a folder. Whoever has it waits for nobody.
pub(crate) struct Moving<'a> {
    folder: &'a Path,
    _lock: Option<FileLock>,
}

impl<'a> Moving<'a> {
    /// Waits for the right.
    pub fn lock(folder: &'a Path) -> io::Result<Self> {
        let lock = FileLock::acquire(&folder.join(MOVING), Wait::Yes)?;
        Ok(Self { folder, _lock: lock })
    }

    /// As [`clean`].
    pub fn clean(&self) {
        for path in leftovers(self.folder) {
            match FileLock::acquire(&path.join(LOCK), Wait::No) {
                // Nobody holds a lock where there are none.
                Ok(Some(lock)) if lock.is_real() => {
                    // What cannot be completed now may be later.
                    if set::complete(&path, self.folder).is_ok() {
                        let _ = std::fs::remove_dir_all(&path);
                        drop(lock);
                        let _ = std::fs::remove_dir_all(&path);
                    }
                }
                _ => {}
            }
        }
    }
}
