//! Where trials are kept: a few operations that a folder has, and a bucket.
//!
//! | operation | what it promises |
//! |---|---|
//! | [`put`](Store::put) | puts bytes where nothing is; of two that put at once one succeeds |
//! | [`get`](Store::get) | what is there, whole, with its version |
//! | [`replace`](Store::replace) | puts other bytes where those of a version are |
//! | [`remove`](Store::remove) | takes away those of a version |
//! | [`list`](Store::list) | the names that begin so, directly in a folder |
//!
//! [`FolderStore`] is the one over a local folder, `BucketStore` (feature `bucket`) the one in a bucket.

#[cfg(feature = "bucket")]
mod bucket;
#[cfg(test)]
mod contract;
mod folder;
mod lease;

use std::any::Any;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "bucket")]
pub use bucket::BucketStore;
pub use folder::FolderStore;
pub use lease::{Claim, Lease, Leases};
pub(crate) use lease::{clear, lease_name};

/// A place for named bytes, shared by the processes that work on a study.
///
/// Names are parts of letters, digits, `-`, `_` and `.` with `/` between them. There is something under each name: bytes
/// are never none.
pub trait Store: Send + Sync {
    /// Puts `bytes` under a name; `false` if something is there, which stays.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<bool>;

    /// What is under a name, whole.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn get(&self, name: &str) -> io::Result<Option<Stored>>;

    /// What is under each of these names, in their order.
    ///
    /// # Errors
    ///
    /// If one cannot be read.
    fn get_many(&self, names: &[String]) -> io::Result<Vec<Option<Stored>>> {
        names.iter().map(|name| self.get(name)).collect()
    }

    /// Puts `bytes` under a name if what is there is of `version`; `false` if it is not.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn replace(&self, name: &str, version: &Version, bytes: &[u8]) -> io::Result<bool>;

    /// Takes away what is under a name if it is of `version`; `false` if it is not.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    fn remove(&self, name: &str, version: &Version) -> io::Result<bool>;

    /// The names that begin with `prefix`, sorted: those in the folder of its last `/`, and none below that.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn list(&self, prefix: &str) -> io::Result<Vec<String>>;

    /// The names that begin with `prefix`, sorted, each with what is another after the bytes were written again.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn list_stamped(&self, prefix: &str) -> io::Result<Vec<(String, Stamp)>> {
        let mut names = Vec::new();
        for name in self.list(prefix)? {
            if let Some(Stored { version: Version(stamp), .. }) = self.get(&name)? {
                names.push((name, stamp));
            }
        }
        Ok(names)
    }

    /// Whether every answer takes its time, so that questions are saved: workers then look at the names that are there
    /// before they ask for a trial, and wait longer before they look again.
    fn is_far(&self) -> bool {
        false
    }

    /// A folder on this machine for what is under way, such as the checkpoints of a trial; `None` if there is none.
    fn scratch(&self, name: &str) -> Option<PathBuf> {
        let _ = name;
        None
    }

    /// Brings what was [sent](Self::send_scratch) of a scratch folder, from whichever machine, if there is no such folder
    /// here. Nothing, where all machines see the same folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn fetch_scratch(&self, name: &str) -> io::Result<()> {
        let _ = name;
        Ok(())
    }

    /// Keeps what is in a scratch folder where other machines find it. Nothing, where they see the folder itself.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn send_scratch(&self, name: &str) -> io::Result<()> {
        let _ = name;
        Ok(())
    }

    /// Takes away what a finished trial needs no more: its scratch folder, and what else is not taken away by itself.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    fn finish(&self, name: &str) -> io::Result<()> {
        self.scratch(name).map_or(Ok(()), |folder| drop_folder(&folder))
    }

    /// The same store, which gives up at once instead of waiting for what does not answer; `None` if it never waits.
    fn hasty(&self) -> Option<Arc<dyn Store>> {
        None
    }

    /// Shows others that the owner of that name lives, until what is returned is dropped; `None` where that cannot be
    /// shown.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn show_life(&self, owner: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let _ = owner;
        Ok(None)
    }

    /// Whether an owner that [showed its life](Self::show_life) still does; `None` where that is not known.
    fn lives(&self, owner: &str) -> Option<bool> {
        let _ = owner;
        None
    }

    /// How the store is called in messages.
    fn display(&self) -> String;
}

/// What a list tells of the bytes under a name: another text after they were written again.
pub type Stamp = String;

/// What tells bytes under a name from others: their SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(selvedge_files::sha256(bytes))
    }
}

/// What is under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their version.
    pub version: Version,
}

/// The store for what is tried again soon anyway, or is not worth waiting for.
pub(crate) fn hasty(store: &Arc<dyn Store>) -> Arc<dyn Store> {
    store.hasty().unwrap_or_else(|| store.clone())
}

/// A name as it is, if it is one of a store.
fn checked(name: &str) -> io::Result<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed);
    match name.split('/').all(is_part) {
        true => Ok(name),
        false => {
            Err(io::Error::new(ErrorKind::InvalidInput, format!("no name of a store: {name:?}")))
        }
    }
}

/// Removes a folder, if there is one.
fn drop_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
