//! Published data sets, as a table of data: a new one is an entry of [`SETS`], or a [`PublishedSet`] of
//! a program's own.
//!
//! ```no_run
//! use selvedge_data::published::{FASHION_MNIST, PublishedSet};
//! use selvedge_data::Source;
//!
//! let data = FASHION_MNIST.load(&Source::default())?;
//! assert_eq!(data.train.len(), 60_000);
//! assert_eq!(data.classes()[9], "Ankle boot");
//!
//! // By its name, as in a file of settings. Files of another content are refused.
//! let digits = PublishedSet::named("mnist")?.load(&Source::folder("my-data"))?;
//! # Ok::<(), selvedge_data::DataError>(())
//! ```
//!
//! A data set of a program's own, which is found, downloaded and checked as those of the table:
//!
//! ```
//! use selvedge_data::published::{Checksum, PublishedFile, PublishedPart, PublishedSet};
//!
//! const SHAPES: PublishedSet = PublishedSet {
//!     name: "shapes",
//!     display_name: "Shapes",
//!     folder: "shapes",
//!     places: &[],
//!     shape: [1, 16, 16],
//!     classes: &["circle", "square", "triangle"],
//!     train: PublishedPart::Idx {
//!         images: PublishedFile {
//!             name: "images-idx3-ubyte",
//!             bytes: 16 + 900 * 16 * 16,
//!             checksum: Some(Checksum::Content(
//!                 "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
//!             )),
//!         },
//!         labels: PublishedFile {
//!             name: "labels-idx1-ubyte",
//!             bytes: 8 + 900,
//!             checksum: Some(Checksum::Content(
//!                 "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
//!             )),
//!         },
//!     },
//!     test: None,
//!     official: None,
//!     archive: None,
//!     hosts: &["http://data.example.org/shapes"],
//!     debian: None,
//!     homepage: "http://data.example.org/shapes.html",
//!     license: "CC0-1.0",
//! };
//! assert_eq!(SHAPES.files().len(), 2);
//! ```

mod content;
mod sets;

use selvedge_fetch::FetchError;

use crate::error::Repr;
use crate::formats::cifar::CifarLabels;
use crate::{DataError, Dataset, OfficialSplit};
use content::{Changed, first_changed};

pub(crate) use content::idx_shape;
pub use selvedge_fetch::Checksum;
pub use sets::{
    CIFAR10, CIFAR100, CIFAR100_COARSE, EMNIST_BALANCED, EMNIST_BYCLASS, EMNIST_BYMERGE,
    EMNIST_DIGITS, EMNIST_LETTERS, EMNIST_MNIST, FASHION_MNIST, KMNIST, MNIST, QMNIST,
    QMNIST_TEST10K, QMNIST_TEST50K, SETS,
};

/// A data set that is published: its form, and where its files are found.
#[derive(Debug, Clone, Copy)]
pub struct PublishedSet {
    /// The name in settings, such as `fashion_mnist`.
    pub name: &'static str,
    /// The name in reports, such as `Fashion-MNIST`.
    pub display_name: &'static str,
    /// The folder that holds the files, wherever data sets are kept, such as `fashion-mnist`. Sets whose files
    /// are in one archive share it.
    pub folder: &'static str,
    /// Other folders in which people have the files, such as torchvision's `FashionMNIST/raw`; `""` is the place
    /// itself, for files whose names are those of no other set.
    pub places: &'static [&'static str],
    /// The shape of an image: `[channels, height, width]`.
    pub shape: [usize; 3],
    /// The classes' names, by label.
    pub classes: &'static [&'static str],
    /// The files of the training images.
    pub train: PublishedPart,
    /// The files of the test images, if there are any.
    pub test: Option<PublishedPart>,
    /// The split by which results are compared, if there is one.
    pub official: Option<OfficialSplit>,
    /// The archive in which the files are published, if they are in one. It is read where it lies.
    pub archive: Option<PublishedArchive>,
    /// Addresses to which `/<file>.gz` is appended, or `/` and the archive's name, tried in order.
    pub hosts: &'static [&'static str],
    /// Where the data set's Debian package installs it.
    pub debian: Option<&'static str>,
    /// The page that describes the data set.
    pub homepage: &'static str,
    /// Its license, as an SPDX identifier where there is one, or what its authors say.
    pub license: &'static str,
}

/// An archive (zip, or tar compressed by gzip) that holds all files of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedArchive {
    /// The name under which it is published.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: u64,
    /// By what it is known: not [`Checksum::Content`].
    pub checksum: Checksum,
    /// The folder within it that holds the files.
    pub folder: &'static str,
    /// What follows a file's name within it, such as `.gz`.
    pub suffix: &'static str,
}

/// The files of one part of a data set.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum PublishedPart {
    /// One [IDX](crate::formats::idx) file of images and one of labels, both `u8`.
    Idx {
        /// `[images, height, width]`, or `[images, channels, height, width]`.
        images: PublishedFile,
        /// `[images]`
        labels: PublishedFile,
    },
    /// The same as EMNIST has it: each image is column by column in its file, and turned when it is read.
    Transposed {
        /// `[images, width, height]`
        images: PublishedFile,
        /// `[images]`
        labels: PublishedFile,
        /// The label of the first class, 1 for EMNIST's letters. In memory it is 0.
        first_label: u8,
    },
    /// The same as QMNIST has it: for each image eight numbers, of which the first is its class.
    WithOrigin {
        /// `[images, height, width]`
        images: PublishedFile,
        /// `i32` `[images, 8]`
        labels: PublishedFile,
        /// The first image of the part in the file.
        from: usize,
        /// The end of the part in the file.
        to: usize,
    },
    /// Files of CIFAR's [binary version](crate::formats::cifar), one after the other.
    Cifar {
        /// In the order of the images.
        files: &'static [PublishedFile],
        /// Which of the labels is the class.
        labels: CifarLabels,
    },
}

/// A file of a published data set, raw or compressed by gzip; then its name ends in `.gz` as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedFile {
    /// The name without `.gz`.
    pub name: &'static str,
    /// Bytes of the decompressed content.
    pub bytes: u64,
    /// By what it is known. That of the content is checked wherever the file is found; that of the compressed
    /// file, where nothing else is published, when it is downloaded and where it is found compressed. None if it
    /// is known by its archive alone.
    pub checksum: Option<Checksum>,
}

impl PublishedFile {
    /// SHA-256 of the decompressed content, if it is known.
    pub fn content(&self) -> Option<&'static str> {
        match self.checksum {
            Some(Checksum::Content(digits)) => Some(digits),
            _ => None,
        }
    }

    /// Which digest of what it is known by, and the digest, for messages.
    fn known_by(&self) -> (&'static str, String) {
        let digest = self.checksum.map_or("content", Checksum::what);
        (digest, self.checksum.map_or("another", Checksum::digits).to_owned())
    }
}

impl PublishedPart {
    /// All files of the part.
    pub fn files(&self) -> Vec<PublishedFile> {
        match *self {
            Self::Idx { images, labels }
            | Self::Transposed { images, labels, .. }
            | Self::WithOrigin { images, labels, .. } => vec![images, labels],
            Self::Cifar { files, .. } => files.to_vec(),
        }
    }
}

impl PublishedSet {
    /// The data set of this name in the table.
    ///
    /// # Errors
    ///
    /// If there is none; the error names those that there are.
    ///
    /// ```
    /// use selvedge_data::PublishedSet;
    ///
    /// assert_eq!(PublishedSet::named("mnist")?.display_name, "MNIST");
    /// let error = PublishedSet::named("minst").unwrap_err().to_string();
    /// assert!(error.starts_with("data set: expected one of fashion_mnist, mnist, kmnist, "));
    /// assert!(error.ends_with(", found minst"));
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    pub fn named(name: &str) -> Result<&'static Self, DataError> {
        SETS.iter().find(|set| set.name == name).ok_or_else(|| {
            let known: Vec<_> = SETS.iter().map(|set| set.name).collect();
            Repr::UnknownSet { known: known.join(", "), found: name.to_owned() }.into()
        })
    }

    /// All files, those of the training images first.
    pub fn files(&self) -> Vec<PublishedFile> {
        [Some(self.train), self.test].into_iter().flatten().flat_map(|part| part.files()).collect()
    }

    /// Checks that images and labels in memory are those published, by the SHA-256 of the files that they would
    /// make. (What [`load`](Self::load) gives is.) Not compared are files of which no SHA-256 of the content is
    /// known (KMNIST, EMNIST, QMNIST), and those of CIFAR-100, which hold labels that are not in memory.
    ///
    /// # Errors
    ///
    /// Of the kind [`Checksum`](crate::DataErrorKind::Checksum) for the first file whose content
    /// differs.
    pub fn verify(&self, data: &Dataset) -> Result<(), DataError> {
        let test = self.test.as_ref().map(|part| (part, data.test.as_ref()));
        for (part, data) in [Some((&self.train, Some(&data.train))), test].into_iter().flatten() {
            if let Some(Changed { file, found, .. }) = first_changed(part, data) {
                let origin = file.name.to_owned();
                let (digest, expected) = file.known_by();
                return Err(FetchError::Checksum { origin, digest, expected, found }.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_entry_is_complete_and_agrees_with_itself() {
        let (mut names, mut shown) = (HashSet::new(), HashSet::new());
        for set in SETS {
            assert!(names.insert(set.name) && shown.insert(set.display_name), "{}", set.name);
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(set.name.bytes().all(allowed), "{}", set.name);
            assert!(set.classes.len() > 1 && set.shape.iter().all(|&side| side > 0));
            assert!(set.hosts.len() > 1, "{}", set.name);
            for url in set.hosts.iter().chain([&set.homepage]) {
                assert!(url.starts_with("http") && !url.ends_with('/'), "{url}");
            }
            assert!(!set.license.is_empty());
            let classes: HashSet<_> = set.classes.iter().collect();
            assert_eq!(classes.len(), set.classes.len(), "{}", set.name);
            let official = set.official.unwrap();
            let counts = [Some((&set.train, official.train + official.validation))]
                .into_iter()
                .chain([set.test.as_ref().map(|part| (part, official.test))]);
            for (part, count) in counts.flatten() {
                assert_sizes(part, count, set.shape.iter().product());
            }
            for checksum in set.files().iter().filter_map(|file| file.checksum) {
                assert!(checksum.is_well_formed(), "{checksum:?}");
            }
            let is_known = |file: &PublishedFile| file.checksum.is_some() || set.archive.is_some();
            assert!(set.files().iter().all(is_known), "{}", set.name);
            if let Some(archive) = set.archive {
                assert!(archive.checksum.is_well_formed());
                assert!(!matches!(archive.checksum, Checksum::Content(_)));
            }
        }
        // No two files have one content, but where two entries are of one file.
        let mut files: Vec<_> = SETS.iter().flat_map(PublishedSet::files).collect();
        files.sort_by_key(|file| (file.name, file.checksum.map(Checksum::digits)));
        files.dedup();
        let contents: HashSet<_> = files.iter().filter_map(PublishedFile::content).collect();
        assert_eq!(contents.len(), files.iter().filter_map(PublishedFile::content).count());
    }

    /// The sizes of the part's files are those of so many images of so many bytes.
    fn assert_sizes(part: &PublishedPart, count: usize, size: usize) {
        match *part {
            // A header of 16 or 8 bytes before the elements.
            PublishedPart::Idx { images, labels }
            | PublishedPart::Transposed { images, labels, .. } => {
                assert_eq!(images.bytes, 16 + (count * size) as u64);
                assert_eq!(labels.bytes, 8 + count as u64);
            }
            PublishedPart::WithOrigin { images, labels, from, to } => {
                assert_eq!(to - from, count);
                assert_eq!(images.bytes, 16 + (60_000 * size) as u64);
                assert_eq!(labels.bytes, 12 + 60_000 * 8 * 4);
            }
            PublishedPart::Cifar { files, labels } => {
                let record = size + if labels == CifarLabels::Cifar10 { 1 } else { 2 };
                let bytes: u64 = files.iter().map(|file| file.bytes).sum();
                assert_eq!(bytes, (count * record) as u64);
            }
        }
    }

    /// The table of `docs/data.md`.
    const TABLE: &str = include_str!("../../../../docs/data.md");

    #[test]
    fn the_documented_table_is_that_of_the_code() {
        let rows: Vec<&str> =
            TABLE.lines().filter(|line| line.ends_with(" |") && line.starts_with("| `")).collect();
        let expected: Vec<String> = SETS.iter().map(row).collect();
        assert_eq!(rows, expected);
    }

    fn row(set: &PublishedSet) -> String {
        let official = set.official.unwrap();
        let (train, test) = (official.train + official.validation, official.test);
        let [channels, height, width] = set.shape;
        let known_by = match set.files()[0].checksum {
            Some(Checksum::Content(_)) => "content",
            Some(Checksum::Md5(_)) => "MD5 of compressed files",
            Some(_) => "compressed files",
            None => "archive",
        };
        format!(
            "| `{}` | {} + {} | {} | {channels} × {height} × {width} | {known_by} | {} |",
            set.name,
            thousands(train),
            thousands(test),
            set.classes.len(),
            set.license.split(" (").next().unwrap(),
        )
    }

    fn thousands(number: usize) -> String {
        match number / 1000 {
            0 => number.to_string(),
            thousands => format!("{thousands},{:03}", number % 1000),
        }
    }
}
