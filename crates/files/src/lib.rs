//! Files that are written whole or not at all.
//!
//! | to | use |
//! |---|---|
//! | replace one file | [`write()`], [`replace()`] |
//! | keep the results of a run in a folder | [`Output`] |
//! | keep other processes out of a folder | [`FolderLock`] |
//! | number the folders of runs | [`next_free()`] |
//! | fill a file under a temporary name | [`NewFile`] |
//! | put in order what killed processes left | [`clean()`] |
//!
//! A new file is written beside the old one, put on the disk and renamed: whatever happens meanwhile, a
//! crash of the machine included, there is the old file or the new one, and never a part of either.

mod folder;
mod lock;
mod output;
mod replace;
mod scratch;
mod set;

pub use folder::{last_taken, next_free};
pub use lock::FolderLock;
pub use output::{Output, OutputError};
pub use replace::{NewFile, replace, write};
pub use scratch::clean;
