//! Which folders exist around a process, and what they hold of what is looked for.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::FetchError;

/// What is looked for, and where in each place of a [`Source`](crate::Source) it may be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name in messages, such as `MNIST`.
    pub name: &'a str,
    /// The folders that it has of its own wherever such things are kept, such as `mnist` and `MNIST/raw`, in the
    /// order in which they are tried. The first is the one into which it is downloaded.
    pub folders: &'a [&'a str],
    /// Where it may be besides, within a folder that the user named for it: `""` is that folder itself.
    pub loose: &'a [&'a str],
    /// The environment variable that names the only place to look into.
    pub variable: &'static str,
    /// The folder in the current one, or in one above it, in which such things are kept, such as `datasets`.
    pub workspace: &'a str,
    /// Where other programs keep it, looked into after all others.
    pub others: &'a [PathBuf],
    /// In which other forms its files may be there, for messages; may be empty.
    pub spellings: &'a str,
}

impl Wanted<'_> {
    /// The error of the only folder to look into, named by `variable` if it was one: it lacks the file at `path`.
    pub(crate) fn missing(&self, path: PathBuf, variable: Option<&'static str>) -> FetchError {
        let (name, spellings) = (self.name.to_owned(), self.spellings.to_owned());
        FetchError::MissingFile { name, path, spellings, variable }
    }
}

/// What a folder holds of what is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held<T> {
    /// All of it.
    All(T),
    /// Some of it.
    Some {
        /// Where the first of what is missing should be.
        missing: PathBuf,
    },
    /// Nothing of it.
    Nothing {
        /// Where the first file should be.
        first: PathBuf,
    },
}

/// Looks into one folder.
pub(crate) type Look<'a, T> = &'a dyn Fn(&Path) -> Result<Held<T>, FetchError>;

/// What the process's surroundings say about folders; read at each search, never kept.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The value of the environment variable that names the only place.
    pub variable: Option<PathBuf>,
    /// The current folder.
    pub current: Option<PathBuf>,
    /// The folder of the package, set by cargo for what it runs.
    pub package: Option<PathBuf>,
    /// The user's cache folder.
    pub cache: Option<PathBuf>,
    /// Whether nothing may be downloaded, whatever programs ask for.
    pub offline: bool,
}

impl Environment {
    /// The environment variable that forbids all downloads, unless it is empty or `0`.
    pub const OFFLINE: &str = "SELVEDGE_OFFLINE";

    /// That of this process, with the value of this variable. One that is empty counts as not set.
    pub fn of_this_process(variable: &str) -> Self {
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            variable: path(variable),
            current: std::env::current_dir().ok(),
            package: path("CARGO_MANIFEST_DIR"),
            cache: dirs::cache_dir(),
            offline: std::env::var_os(Self::OFFLINE)
                .is_some_and(|value| !value.is_empty() && value != "0"),
        }
    }

    pub(crate) fn workspace_folders(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        [&self.current, &self.package]
            .into_iter()
            .flatten()
            .flat_map(|folder| folder.ancestors())
            .map(move |folder| folder.join(name))
    }
}

/// What is in a folder that the user named: in one of its own folders there, or in the folder itself. `Err` within
/// is where the first file should be.
///
/// Data sets' files have the same names. Whose they are is told by their content, not by the folder's
/// name, which people choose as they like.
pub(crate) fn given_folder<T>(
    origin: &'static str,
    folder: &Path,
    wanted: &Wanted<'_>,
    look: Look<'_, T>,
) -> Result<Result<T, PathBuf>, FetchError> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Err(error) if !is_absent(&error) => {
            return Err(FetchError::UnreadableFolder { origin, path: folder.to_owned(), error });
        }
        _ => return Err(FetchError::MissingFolder { origin, path: folder.to_owned() }),
    }
    let (mut partly, mut last) = (None, folder.to_owned());
    for inner in wanted.folders.iter().chain(wanted.loose) {
        match look(&join(folder, inner))? {
            Held::All(found) => return Ok(Ok(found)),
            Held::Some { missing } => {
                partly.get_or_insert(missing);
            }
            Held::Nothing { first } => last = first,
        }
    }
    match partly {
        Some(path) => Err(wanted.missing(path, None)),
        None => Ok(Err(last)),
    }
}

/// All of it in one of its own folders in a place that nobody named; none if something is missing, or may not be
/// read.
pub(crate) fn in_place<T>(place: &Path, wanted: &Wanted<'_>, look: Look<'_, T>) -> Option<T> {
    wanted.folders.iter().find_map(|inner| all(&join(place, inner), look))
}

/// All of it in this folder.
pub(crate) fn all<T>(folder: &Path, look: Look<'_, T>) -> Option<T> {
    match look(folder) {
        Ok(Held::All(found)) => Some(found),
        _ => None,
    }
}

/// Without the separator at the end that joining nothing leaves.
fn join(folder: &Path, inner: &str) -> PathBuf {
    if inner.is_empty() { folder.to_owned() } else { folder.join(inner) }
}

/// The regular file of this name in the folder, if there is one.
///
/// # Errors
///
/// If that cannot be told, or if it is a link to nowhere.
pub fn file_in(folder: &Path, name: &str) -> Result<Option<PathBuf>, FetchError> {
    let path = folder.join(name);
    match fs::metadata(&path) {
        Ok(found) if found.is_file() => Ok(Some(path)),
        Ok(_) => Ok(None),
        Err(error) if !is_absent(&error) => Err(FetchError::io("open", &path, error)),
        Err(error) if path.is_symlink() => {
            let error = io::Error::new(error.kind(), "it is a link to a file that is not there");
            Err(FetchError::io("open", &path, error))
        }
        Err(_) => Ok(None),
    }
}

/// Whether there is nothing, rather than something that may not be looked at.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
