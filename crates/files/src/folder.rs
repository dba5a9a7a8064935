//! Folders that are made for something and removed again if nothing comes of it.

use std::io;
use std::path::{Path, PathBuf};

/// Folders that did not exist before. Those that are still empty are removed again when this is
/// dropped.
#[derive(Debug, Default)]
pub(crate) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Makes the folder and those above it that are not there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let mut missing = Vec::new();
        for above in folder.ancestors() {
            match above.metadata() {
                Ok(found) if found.is_dir() => break,
                Ok(_) => return Err(not_a_folder(above, folder)),
                Err(_) if above == Path::new("") => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(above),
                // A file above is what the next round finds.
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
                Err(error) => return Err(error),
            }
        }
        let mut made = Self::default();
        for folder in missing.iter().rev() {
            match std::fs::create_dir(folder) {
                // `a/../b` has parts that are there once others are made; and others make folders too.
                Err(_) if folder.is_dir() => {}
                other => {
                    other?;
                    made.0.push(folder.to_path_buf());
                }
            }
        }
        Ok(made)
    }

    /// Lets them stay, even if they are empty.
    pub fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // Fails, as it should, where anything was written.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn not_a_folder(file: &Path, folder: &Path) -> io::Error {
    let reason = match file == folder {
        true => "it is a file, not a folder".into(),
        false => format!("{} is a file, not a folder", file.display()),
    };
    io::Error::new(io::ErrorKind::NotADirectory, reason)
}

/// The first of `path`, `path2`, `path3` … that is free: there is nothing of that name, or an empty
/// folder. A name that cannot be had, such as one below a file, counts as free.
///
/// Nothing is made: where several processes ask at the same time, each takes its folder with
/// [`FolderLock::acquire`](crate::FolderLock::acquire) and asks again if that is refused.
///
/// ```
/// let runs = tempfile::tempdir()?;
/// let run = runs.path().join("train");
/// assert_eq!(selvedge_files::next_free(&run), run);
/// std::fs::create_dir(&run)?;
/// assert_eq!(selvedge_files::next_free(&run), run);
/// std::fs::write(run.join("results.csv"), "")?;
/// assert_eq!(selvedge_files::next_free(&run), runs.path().join("train2"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn next_free(path: impl AsRef<Path>) -> PathBuf {
    numbered(path.as_ref()).find(|path| is_free(path)).unwrap()
}

/// The last of `path`, `path2`, `path3` … before [`next_free`]: the run that was begun last. If there is
/// none, `path`.
pub fn last_taken(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    numbered(path).take_while(|path| !is_free(path)).last().unwrap_or(path.into())
}

/// `path`, `path2`, `path3` …
fn numbered(path: &Path) -> impl Iterator<Item = PathBuf> {
    // `.` and `..` have no name to which a number could be added; and `runs/train/`, as shells complete it,
    // is `runs/train`, not a place for folders.
    let named = match path.file_name() {
        Some(_) => path.to_path_buf(),
        None => path.canonicalize().unwrap_or(path.into()),
    };
    let numbered = (2_u64..).map(move |number| {
        let mut name = named.file_name().unwrap_or_default().to_owned();
        name.push(number.to_string());
        named.with_file_name(name)
    });
    std::iter::once(path.to_path_buf()).chain(numbered)
}

fn is_free(path: &Path) -> bool {
    // Of the link itself: one that leads nowhere is in the way too. What cannot be asked about, such as a name
    // below a file, is refused with its reason by whoever takes it.
    path.symlink_metadata().is_err()
        || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_to_the_name_however_the_path_is_written() {
        let runs = tempfile::tempdir().unwrap();
        let train = runs.path().join("train");
        std::fs::create_dir_all(train.join("weights")).unwrap();
        let next = runs.path().join("train2");
        for end in ["", "/", "//", "/."] {
            let mut path = train.as_os_str().to_owned();
            path.push(end);
            assert_eq!(next_free(&path), next, "{path:?}");
        }
        let canonical = next_free(train.join("weights/.."));
        assert_eq!(canonical, next.parent().unwrap().canonicalize().unwrap().join("train2"));
    }
}
