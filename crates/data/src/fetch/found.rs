//! A file of a data set, wherever it is.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file on the disk, or a member of an archive.
#[derive(Debug)]
pub(crate) struct FoundFile {
    path: PathBuf,
    member: Option<Vec<u8>>,
}

impl FoundFile {
    pub fn on_disk(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), member: None }
    }

    /// A member of an archive, with its bytes. It is called as if the archive were a folder.
    pub fn in_archive(archive: &Path, name: &str, bytes: Vec<u8>) -> Self {
        Self { path: archive.join(name), member: Some(bytes) }
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is on the disk under the path.
    pub fn is_on_disk(&self) -> bool {
        self.member.is_none()
    }

    /// Its bytes, compressed as they are.
    pub fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.member {
            Some(bytes) => Box::new(bytes.as_slice()),
            None => Box::new(File::open(&self.path)?),
        })
    }
}
