//! Which files of a folder are images.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::shown;
use crate::{DataError, ImageReader};

/// Folders within folders beyond which something is wrong.
const MOST_DEPTH: usize = 64;

/// The image files of a folder and of all folders in it, by their [endings](ImageReader::EXTENSIONS).
///
/// ```no_run
/// use selvedge_data::ImageFiles;
///
/// let files = ImageFiles::of("photos")?;
/// println!("{} images", files.paths.len());
/// files.notes().iter().for_each(|note| eprintln!("{note}"));
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImageFiles {
    /// The files: of each folder in the order of their names, then those of the folders in it.
    pub paths: Vec<PathBuf>,
    hidden: usize,
    /// By their endings.
    others: BTreeMap<String, usize>,
}

impl ImageFiles {
    /// Looks into the folder. Links are followed.
    ///
    /// # Errors
    ///
    /// If a folder cannot be looked into, links lead round in a circle, or folders are more than 64 deep.
    pub fn of(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let mut files = Self::default();
        files.walk(folder.as_ref(), &mut Vec::new())?;
        Ok(files)
    }

    /// What was left out, in one line for each kind: hidden files, and files that are no images.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.hidden > 0 {
            notes.push(format!(
                "{} left out",
                count(self.hidden, "hidden file or folder", "hidden files and folders")
            ));
        }
        let others: usize = self.others.values().sum();
        if others > 0 {
            let mut kinds: Vec<_> = self.others.iter().collect();
            kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let more = if kinds.len() > 5 { ", …" } else { "" };
            let kinds: Vec<String> =
                kinds.iter().take(5).map(|(kind, count)| format!("{count} {kind}")).collect();
            let others = count(others, "file that is no image", "files that are no images");
            notes.push(format!("{others} left out: {}{more}", kinds.join(", ")));
        }
        notes
    }

    /// Adds what another folder left out.
    pub(super) fn add_left_out(&mut self, other: &Self) {
        self.hidden += other.hidden;
        for (kind, count) in &other.others {
            *self.others.entry(kind.clone()).or_default() += count;
        }
    }

    fn walk(&mut self, folder: &Path, above: &mut Vec<PathBuf>) -> Result<(), DataError> {
        let look = |error| DataError::io("look into", folder, error);
        // By its one name, so that a link back to a folder above is known.
        let here = fs::canonicalize(folder).map_err(look)?;
        if above.contains(&here) {
            return Err(DataError::in_file(folder, "a link to a folder that it is in"));
        }
        if above.len() > MOST_DEPTH {
            return Err(DataError::in_file(folder, format!("more than {MOST_DEPTH} folders deep")));
        }
        above.push(here);
        let Listing { files, folders, hidden } = Listing::of(folder)?;
        self.hidden += hidden;
        for file in files {
            match ImageReader::takes(&file) {
                true => self.paths.push(file),
                false => *self.others.entry(ending(&file)).or_default() += 1,
            }
        }
        for folder in folders {
            self.walk(&folder, above)?;
        }
        above.pop();
        Ok(())
    }
}

/// What is in one folder, each kind in the order of the names.
pub(super) struct Listing {
    pub files: Vec<PathBuf>,
    pub folders: Vec<PathBuf>,
    /// How much is hidden, and not listed.
    pub hidden: usize,
}

impl Listing {
    pub fn of(folder: &Path) -> Result<Self, DataError> {
        let look = |error| DataError::io("look into", folder, error);
        let entries = fs::read_dir(folder).map_err(look)?;
        let mut names =
            entries.map(|e| Ok(e?.file_name())).collect::<io::Result<Vec<_>>>().map_err(look)?;
        names.sort_unstable();
        let mut listing = Self { files: Vec::new(), folders: Vec::new(), hidden: 0 };
        for name in names {
            let bytes = name.as_encoded_bytes();
            // What macOS puts into archives holds a hidden file for every image.
            if bytes.starts_with(b".") || bytes == b"__MACOSX" {
                listing.hidden += 1;
                continue;
            }
            let path = folder.join(name);
            // A link to nothing is a file that cannot be read, of which the reader will say so.
            match fs::metadata(&path).is_ok_and(|about| about.is_dir()) {
                true => listing.folders.push(path),
                false => listing.files.push(path),
            }
        }
        Ok(listing)
    }
}

/// The ending of a file's name, for a note.
fn ending(file: &Path) -> String {
    match file.extension() {
        Some(ending) => shown(&format!(".{}", ending.to_string_lossy().to_lowercase())),
        None => "without an ending".into(),
    }
}

/// A number of things.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
