//! Where trials are kept: a few operations that a folder has, and a bucket could.
//!
//! | operation | what it promises |
//! |---|---|
//! | [`put`](Store::put) | puts bytes where nothing is; of two that put at once one succeeds |
//! | [`get`](Store::get) | what is there, whole, with its version |
//! | [`replace`](Store::replace) | puts other bytes where those of a version are |
//! | [`remove`](Store::remove) | takes away those of a version |
//! | [`list`](Store::list) | the names that begin so |
//!
//! [`FolderStore`] is the one over a local folder.

mod folder;
mod lease;

use std::any::Any;
use std::io;
use std::path::PathBuf;

pub use folder::FolderStore;
pub(crate) use lease::clear;
pub use lease::{Claim, Lease, Leases};

/// A place for named bytes, shared by the processes that work on a study.
///
/// Names are parts of letters, digits, `-`, `_` and `.` with `/` between them.
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

    /// The names that begin with `prefix`, sorted.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn list(&self, prefix: &str) -> io::Result<Vec<String>>;

    /// A folder on this machine for what is under way, such as the checkpoints of a trial; `None` if there is none.
    fn scratch(&self, name: &str) -> Option<PathBuf> {
        let _ = name;
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
