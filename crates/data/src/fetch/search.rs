//! Which folders exist around a process, and which of a data set's files they hold.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::error::FileRepr;
use crate::published::PublishedSet;
use crate::{DataError, Source};

/// What the process's surroundings say about folders; read at each search, never kept.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) variable: Option<PathBuf>,
    pub(crate) current: Option<PathBuf>,
    /// Set by cargo for what it runs.
    pub(crate) package: Option<PathBuf>,
    pub(crate) cache: Option<PathBuf>,
}

impl Environment {
    pub(crate) fn of_this_process() -> Self {
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            variable: path(Source::VARIABLE),
            current: std::env::current_dir().ok(),
            package: path("CARGO_MANIFEST_DIR"),
            cache: dirs::cache_dir(),
        }
    }

    pub(crate) fn workspace_folders(&self) -> impl Iterator<Item = PathBuf> {
        [&self.current, &self.package]
            .into_iter()
            .flatten()
            .flat_map(|folder| folder.ancestors())
            .map(|folder| folder.join("datasets"))
    }
}

/// The files in a folder that the user named: a data set's own folder or the one above it.
///
/// Data sets' files have the same names. Whose they are is told by their content, not by the folder's
/// name, which people choose as they like.
pub(crate) fn given_folder(
    origin: &'static str,
    folder: &Path,
    set: &PublishedSet,
) -> Result<Option<Vec<PathBuf>>, DataError> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Err(error) if !is_absent(&error) => {
            let path = folder.to_owned();
            return Err(FileRepr::UnreadableFolder { origin, path, error }.into());
        }
        _ => return Err(FileRepr::MissingFolder { origin, path: folder.to_owned() }.into()),
    }
    for candidate in [&folder.join(set.folder), folder] {
        let Files { found, missing } = files(candidate, set)?;
        match missing {
            None => return Ok(Some(found)),
            Some(path) if !found.is_empty() => {
                let name = set.display_name.to_owned();
                return Err(FileRepr::MissingFile { name, path }.into());
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// What a folder holds of a data set.
pub(crate) struct Files {
    /// Those that are there, in the order of [`PublishedSet::files`].
    found: Vec<PathBuf>,
    /// Where the first of the others should be, without `.gz`.
    missing: Option<PathBuf>,
}

impl Files {
    /// All of them, or where the first missing one should be.
    pub(crate) fn complete(self) -> Result<Vec<PathBuf>, PathBuf> {
        self.missing.map_or(Ok(self.found), Err)
    }
}

pub(crate) fn files(folder: &Path, set: &PublishedSet) -> Result<Files, DataError> {
    let mut files = Files { found: Vec::new(), missing: None };
    for published in set.files() {
        match file(folder, published.name)? {
            Some(path) => files.found.push(path),
            None => {
                files.missing.get_or_insert_with(|| folder.join(published.name));
            }
        }
    }
    Ok(files)
}

/// All of the set's files; none if one is missing, or the folder may not be read.
pub(crate) fn all_files(folder: &Path, set: &PublishedSet) -> Option<Vec<PathBuf>> {
    files(folder, set).ok()?.complete().ok()
}

/// The file of this name, raw or compressed, if there is one.
///
/// # Errors
///
/// If that cannot be told, or if it is a link to nowhere.
pub(crate) fn file(folder: &Path, name: &str) -> Result<Option<PathBuf>, DataError> {
    for path in [folder.join(name), folder.join(format!("{name}.gz"))] {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => return Ok(Some(path)),
            Ok(_) => {}
            Err(error) if !is_absent(&error) => return Err(DataError::io("open", &path, error)),
            Err(error) if path.is_symlink() => {
                let error =
                    io::Error::new(error.kind(), "it is a link to a file that is not there");
                return Err(DataError::io("open", &path, error));
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Whether there is nothing, rather than something that may not be looked at.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
