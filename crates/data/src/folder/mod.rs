//! Images in a folder for each class, or in a table of paths and labels.

mod files;
mod layout;
mod load;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::DataError;
use crate::error::printable;

pub use files::ImageFiles;
pub use load::FolderImages;

/// The images of classes, found by their names; [`load`](Self::load) reads them.
///
/// A folder is in one of two forms:
///
/// ```text
/// DIR/train/CLASS/…/image.png      DIR/CLASS/…/image.png
/// DIR/val/CLASS/…/image.png
/// DIR/test/CLASS/…/image.png
/// ```
///
/// The first has a folder `train` (or `training`), with or without `val` (`valid`, `validation`) and
/// `test` (`testing`) beside it, in small or capital letters. The second has images that are to be
/// [split](FolderImages::split). Classes are the sorted names of the folders, as in torchvision's
/// `ImageFolder`; images in folders within them belong to the class. A file with a name in `.csv` is a
/// table instead:
///
/// ```text
/// path,label,split
/// a/1.png,cat,train
/// a/2.png,dog,test
/// ```
///
/// The columns are found by their names, in any order and among others: `path` (or `filepath`, `file_path`,
/// `image_path`, `filename`, `file_name`, `file`, `image`), `label` (`class`, `category`, `target`, `label_name`,
/// `class_name`, `labels`, `classes`) and, if there is one, `split` (`set`, `subset`, `partition`), whose values are those
/// of the folders. They may be divided by `,`, `;` or a tab. Paths are those from the table's folder.
/// Classes that are all numbers are in the order of the numbers.
///
/// Nothing goes wrong in silence: what is left out is in [`notes`](Self::notes), and what cannot be
/// meant is an error.
///
/// | | |
/// |---|---|
/// | hidden files, files that are no images, images beside the classes, folders beside `train` | left out, noted |
/// | a class without images to validate or to test on | noted |
/// | a folder without an image to validate or to test on | noted |
/// | a file that comes twice in a table, with the same label and split, however its path is spelled | once, noted |
/// | a file that comes twice in a table, with another label or split | error |
/// | several columns that could be those of paths, labels or splits | the first of those above, noted |
/// | two columns of the same such name | error |
/// | a class without images to learn from, fewer than two classes | error |
/// | a name of a class that is not UTF-8, or has control characters | error |
/// | links in a circle | error |
/// | a damaged image | error, unless [`Damaged::Skip`] |
///
/// ```no_run
/// use selvedge_data::{ImageFolder, ImageReader};
///
/// let folder = ImageFolder::open("birds")?;
/// folder.notes().iter().for_each(|note| eprintln!("{note}"));
/// let images = folder.load(&ImageReader::new([3, 224, 224])?)?;
/// let split = images.split(0.2, 1)?;
/// println!("{} of {:?}", split.train.len(), split.classes());
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    path: PathBuf,
    classes: Vec<String>,
    /// The paths are those from here.
    root: PathBuf,
    /// Those to train, to validate and to test on; `None` without a folder or value of that name.
    parts: [Option<Vec<Entry>>; 3],
    notes: Vec<String>,
    damaged: Damaged,
    memory_limit: u64,
    scratch: Option<PathBuf>,
    watch: Watch,
}

/// An image before it is read.
#[derive(Clone, Debug)]
struct Entry {
    path: PathBuf,
    label: u16,
    /// The line of the table that names it; 0 in a folder.
    line: u32,
}

/// What to do with an image that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Damaged {
    /// It is an error, which names it.
    #[default]
    Fail,
    /// It is left out, and listed in [`FolderImages::skipped`].
    Skip,
}

/// Told how many images of how many are read; whether to go on.
#[derive(Clone)]
struct Watch(Arc<dyn Fn(usize, usize) -> bool + Send + Sync>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch(..)")
    }
}

/// A part of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Test,
}

impl Part {
    const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The part that a folder or a value of a table names.
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        ["train", "validation", "test"][self as usize]
    }
}

impl ImageFolder {
    /// Finds the images of a folder, or those that a table (`.csv`) names. No image is read yet.
    ///
    /// # Errors
    ///
    /// If it is not there, is in none of the forms above, or one of the errors listed above; the error
    /// names the folder, or the line of the table.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let is_table = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let found = match is_table && !path.is_dir() {
            true => table::read(path)?,
            false => layout::find(path)?,
        };
        found.into_folder(path)
    }

    /// The names of the classes; a label is a position in this list.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The number of images to train, to validate and to test on; `None` for a part that is not there.
    pub fn counts(&self) -> [Option<usize>; 3] {
        self.parts.each_ref().map(|part| part.as_ref().map(Vec::len))
    }

    /// What was left out and what is to be known, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The same, with damaged images treated so.
    #[must_use]
    pub fn with_damaged(self, damaged: Damaged) -> Self {
        Self { damaged, ..self }
    }

    /// The same, with at most so many bytes of pixels in memory, of all parts together: 1 GiB unless it
    /// is set. Parts that would be beyond it go to files without a name, of which the system keeps in
    /// memory what there is room for.
    #[must_use]
    pub fn with_memory_limit(self, bytes: u64) -> Self {
        Self { memory_limit: bytes, ..self }
    }

    /// The same, with the files for pixels in this folder. Else they are in the one that `TMPDIR`
    /// names, or in `/var/tmp`, which is on a disk where `/tmp` is in memory, or the system's.
    #[must_use]
    pub fn with_scratch_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { scratch: Some(folder.into()), ..self }
    }

    /// The same, with `watch` called now and then with the number of images that are read and of all of
    /// them. Once it says `false`, loading ends with an error of the kind
    /// [`Interrupted`](crate::DataErrorKind::Interrupted).
    #[must_use]
    pub fn with_watch(self, watch: impl Fn(usize, usize) -> bool + Send + Sync + 'static) -> Self {
        Self { watch: Watch(Arc::new(watch)), ..self }
    }
}

/// What is found, before it is known whether it can be meant.
struct Found {
    root: PathBuf,
    classes: Vec<String>,
    parts: [Option<Vec<Entry>>; 3],
    notes: Vec<String>,
}

impl Found {
    fn into_folder(mut self, path: &Path) -> Result<ImageFolder, DataError> {
        let refuse = |reason: String| Err(DataError::in_file(path, reason));
        if let Some(name) = self.classes.iter().find(|name| printable(name) != **name) {
            return refuse(format!("class `{}`: its name has control characters", printable(name)));
        }
        if self.classes.len() > usize::from(u16::MAX) + 1 {
            return refuse(format!("{} classes, more than 65,536", self.classes.len()));
        }
        let counts = |part: &[Entry]| {
            let mut counts = vec![0usize; self.classes.len()];
            part.iter().for_each(|entry| counts[usize::from(entry.label)] += 1);
            counts
        };
        let [train, others @ ..] = self.parts.each_ref();
        let train = counts(train.as_deref().unwrap_or_default());
        if let Some(empty) = train.iter().position(|&count| count == 0) {
            let name = &self.classes[empty];
            let elsewhere = Part::ALL[1..].iter().zip(others).find(|(_, entries)| {
                entries.iter().flat_map(|e| e.iter()).any(|e| usize::from(e.label) == empty)
            });
            return refuse(match elsewhere {
                Some((part, _)) => {
                    format!("class `{name}`: images for {} alone, none to learn from", part.name())
                }
                None => format!("class `{name}`: no image to learn from"),
            });
        }
        if self.classes.len() < 2 {
            let found = match &self.classes[..] {
                [one] => format!("`{one}` alone"),
                _ => "none".into(),
            };
            return refuse(format!("expected images of at least 2 classes, found {found}"));
        }
        for (part, entries) in Part::ALL[1..].iter().zip(others) {
            let Some(entries) = entries else { continue };
            if entries.is_empty() {
                let instead = match part {
                    Part::Validation => ": a share of the images to learn from validates",
                    _ => "",
                };
                self.notes.push(format!("{}: a folder without images{instead}", part.name()));
                continue;
            }
            let counts = counts(entries);
            let empty = self.classes.iter().zip(counts).filter(|(_, count)| *count == 0);
            let empty: Vec<_> = empty.map(|(name, _)| format!("`{name}`")).collect();
            if !empty.is_empty() {
                let more = if empty.len() > 5 { ", …" } else { "" };
                let names = empty[..empty.len().min(5)].join(", ");
                let of = files::count(empty.len(), "class", "classes");
                self.notes.push(format!("{}: no image of {of}: {names}{more}", part.name()));
            }
        }
        // A folder without an image in it is none to validate on.
        for part in &mut self.parts {
            part.take_if(|entries| entries.is_empty());
        }
        let Self { root, classes, parts, notes } = self;
        Ok(ImageFolder {
            path: path.to_owned(),
            classes,
            root,
            parts,
            notes,
            damaged: Damaged::default(),
            memory_limit: 1 << 30,
            scratch: None,
            watch: Watch(Arc::new(|_, _| true)),
        })
    }
}
