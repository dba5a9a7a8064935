//! What can go wrong between wanting a file and having it.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong between wanting a file and having it. Its text is one line that says everything, the
/// system's answer included.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The operating system refused to open, read, create, lock or rename something.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// A folder that was asked for does not exist (or is not a folder).
    #[error("{origin} {} is not a folder", path.display())]
    MissingFolder {
        /// Who asked for it: "data folder" or the environment variable's name.
        origin: &'static str,
        /// The folder.
        path: PathBuf,
    },
    /// A folder that was asked for cannot be looked into.
    #[error("{origin}: cannot look into {}: {error}", path.display())]
    UnreadableFolder {
        /// Who asked for it: "data folder" or the environment variable's name.
        origin: &'static str,
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// A folder that was asked for holds some or none of what is looked for.
    #[error("{name}: no file {}{}{}", path.display(), in_brackets(spellings), only(variable))]
    MissingFile {
        /// What is looked for.
        name: String,
        /// Where the first missing file was expected.
        path: PathBuf,
        /// In which other forms the file may be there.
        spellings: String,
        /// The environment variable that named the only folder to look into, if it was one.
        variable: Option<&'static str>,
    },
    /// It is nowhere on this machine and was not downloaded.
    #[error("{name} not found in {}; {hint}", list(searched))]
    NotFound {
        /// What is looked for.
        name: String,
        /// The folders looked into, in order.
        searched: Vec<PathBuf>,
        /// What the user can do.
        hint: &'static str,
    },
    /// The bytes are not those published.
    #[error("{origin}: {digest}: expected {expected}, found {found}")]
    Checksum {
        /// The file or address.
        origin: String,
        /// Which digest of what.
        digest: &'static str,
        /// The published digest, in hexadecimal.
        expected: String,
        /// The digest found, or what keeps it from having one.
        found: String,
    },
    /// An archive is damaged, or lacks what is looked for.
    #[error("{}: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file could not be downloaded from any host.
    #[error(
        "cannot download {url}: {reason} (a folder that holds the files can be named by {variable})"
    )]
    Download {
        /// The address tried last.
        url: String,
        /// Why it failed, after all attempts.
        reason: String,
        /// The environment variable that names a folder.
        variable: &'static str,
    },
    /// Something was ended before it was done.
    #[error("stopped while {doing}")]
    Interrupted {
        /// What.
        doing: String,
    },
}

fn list(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "any folder".to_owned();
    }
    let names: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
    names.join(", ")
}

fn in_brackets(spellings: &str) -> String {
    if spellings.is_empty() { String::new() } else { format!(" ({spellings})") }
}

fn only(variable: &Option<&str>) -> String {
    variable.map_or_else(String::new, |variable| {
        format!(", and it is looked for nowhere else while {variable} is set")
    })
}

impl FetchError {
    /// The file or folder that it is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::MissingFolder { path, .. }
            | Self::UnreadableFolder { path, .. }
            | Self::Archive { path, .. }
            | Self::MissingFile { path, .. } => Some(path),
            Self::NotFound { .. }
            | Self::Checksum { .. }
            | Self::Download { .. }
            | Self::Interrupted { .. } => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), error }
    }
}
