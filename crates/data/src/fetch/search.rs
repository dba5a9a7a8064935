//! Which folders exist around a process, and which of a data set's files they hold.

use std::path::{Path, PathBuf};

use crate::error::Repr;
use crate::published::{PublishedSet, SETS};
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
pub(crate) fn given_folder(
    origin: &'static str,
    folder: &Path,
    set: &PublishedSet,
) -> Result<Option<Vec<PathBuf>>, DataError> {
    if !folder.is_dir() {
        return Err(Repr::MissingFolder { origin, path: folder.to_owned() }.into());
    }
    let below = folder.join(set.folder);
    // Some data sets' files have the same names; the folder of one is not another.
    let of_another_set =
        SETS.iter().any(|other| other.folder != set.folder && folder.ends_with(other.folder));
    let candidates = [Some(below.as_path()), (!of_another_set).then_some(folder)];
    for candidate in candidates.into_iter().flatten() {
        match all_files(candidate, set) {
            Ok(files) => return Ok(Some(files)),
            Err(missing) if set.files().iter().any(|f| file(candidate, f.name).is_some()) => {
                let name = set.display_name.to_owned();
                return Err(Repr::MissingFile { name, path: missing }.into());
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// All of the set's files, or the path of the first that is missing.
pub(crate) fn all_files(folder: &Path, set: &PublishedSet) -> Result<Vec<PathBuf>, PathBuf> {
    let path = |name| file(folder, name).ok_or_else(|| folder.join(name));
    set.files().iter().map(|published| path(published.name)).collect()
}

/// The file of this name, raw or compressed.
pub(crate) fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}
