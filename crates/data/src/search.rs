//! Which folders exist around a process, and which of a data set's files they hold.

use std::path::{Path, PathBuf};

use crate::DataError;
use crate::fashion_mnist::FASHION_MNIST;
use crate::mnist::MNIST;
use crate::published::Published;

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
            variable: path(crate::Source::VARIABLE),
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
    set: &Published,
) -> Result<Option<[PathBuf; 4]>, DataError> {
    if !folder.is_dir() {
        return Err(DataError::MissingFolder { origin, path: folder.to_owned() });
    }
    let below = folder.join(set.folder);
    // The data sets' files have the same names; a folder called `mnist` is not Fashion-MNIST.
    let of_another_set = [FASHION_MNIST.folder, MNIST.folder]
        .into_iter()
        .any(|name| name != set.folder && folder.ends_with(name));
    let candidates = [Some(below.as_path()), (!of_another_set).then_some(folder)];
    for candidate in candidates.into_iter().flatten() {
        match all_files(candidate, set) {
            Ok(files) => return Ok(Some(files)),
            Err(missing) if set.files.iter().any(|f| file(candidate, f.name).is_some()) => {
                return Err(DataError::MissingFile { name: set.name, path: missing });
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// All four files, or the path of the first that is missing.
pub(crate) fn all_files(folder: &Path, set: &Published) -> Result<[PathBuf; 4], PathBuf> {
    let mut paths = [const { PathBuf::new() }; 4];
    for (path, published) in paths.iter_mut().zip(&set.files) {
        *path = file(folder, published.name).ok_or_else(|| folder.join(published.name))?;
    }
    Ok(paths)
}

/// The file of this name, raw or compressed.
pub(crate) fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}
