//! Files that are written whole or not at all.
//!
//! | to | use |
//! |---|---|
//! | replace one file | [`write()`], [`replace()`] |
//! | keep the results of a run in a folder | [`Output`] |
//! | keep other processes out of a folder | [`FolderLock`] |
//! | know a content by its SHA-256 | [`sha256()`], [`Hasher`] |
//! | number the folders of runs | [`next_free()`] |
//! | bring the names in a folder to the disk | [`sync_folder`] |
//! | fill a file under a temporary name | [`NewFile`] |
//! | put in order what killed processes left | [`clean()`] |
//!
//! A new file is written beside the old one, put on the disk and renamed: whatever happens meanwhile, a
//! crash of the machine included, there is the old file or the new one, and never a part of either.
//!
//! Files that belong together are replaced together by [`Output::replace`]: all are new or all are old after
//! an error; after a SIGKILL or a crash too, once somebody writes to the folder again or calls [`clean()`].
//!
//! Until a file is whole, it is in a folder `.selvedge-PROCESS-NUMBER` beside its place. Such a folder holds a
//! lock, which the operating system takes back when the process ends: by that the next one to write there
//! knows what is dead, and removes it.

mod folder;
mod hash;
mod lock;
mod output;
mod replace;
mod scratch;
mod set;

pub use folder::{last_taken, next_free};
pub use hash::{Hasher, sha256};
pub use lock::FolderLock;
pub use output::{Output, OutputError};
pub use replace::{NewFile, replace, sync_folder, write};
pub use scratch::clean;
