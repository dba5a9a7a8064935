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
//! use selvedge_data::published::{PublishedFile, PublishedPart, PublishedSet};
//!
//! const SHAPES: PublishedSet = PublishedSet {
//!     name: "shapes",
//!     display_name: "Shapes",
//!     folder: "shapes",
//!     shape: [1, 16, 16],
//!     classes: &["circle", "square", "triangle"],
//!     train: PublishedPart::Idx {
//!         images: PublishedFile {
//!             name: "images-idx3-ubyte",
//!             bytes: 16 + 900 * 16 * 16,
//!             sha256: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
//!         },
//!         labels: PublishedFile {
//!             name: "labels-idx1-ubyte",
//!             bytes: 8 + 900,
//!             sha256: "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
//!         },
//!     },
//!     test: None,
//!     official: None,
//!     hosts: &["http://data.example.org/shapes"],
//!     debian: None,
//!     homepage: "http://data.example.org/shapes.html",
//!     license: "CC0-1.0",
//! };
//! assert_eq!(SHAPES.files().len(), 2);
//! ```

mod content;
mod sets;

use crate::error::{FileRepr, Repr};
use crate::{DataError, Dataset, OfficialSplit};
use content::{Changed, first_changed};

pub use sets::{FASHION_MNIST, MNIST, SETS};

/// A data set that is published: its form, and where its files are found.
#[derive(Debug, Clone, Copy)]
pub struct PublishedSet {
    /// The name in settings, such as `fashion_mnist`.
    pub name: &'static str,
    /// The name in reports, such as `Fashion-MNIST`.
    pub display_name: &'static str,
    /// The folder that holds the files, wherever data sets are kept, such as `fashion-mnist`.
    pub folder: &'static str,
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
    /// Addresses to which `/<file>.gz` is appended, tried in order.
    pub hosts: &'static [&'static str],
    /// Where the data set's Debian package installs it.
    pub debian: Option<&'static str>,
    /// The page that describes the data set.
    pub homepage: &'static str,
    /// Its license, as an SPDX identifier where there is one, or what its authors say.
    pub license: &'static str,
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
}

/// A file of a published data set, raw or compressed by gzip; then its name ends in `.gz` as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedFile {
    /// The name without `.gz`.
    pub name: &'static str,
    /// Bytes of the decompressed content.
    pub bytes: u64,
    /// SHA-256 of the decompressed content, in lower-case hexadecimal. (Compressed files of the same
    /// content differ.)
    pub sha256: &'static str,
}

impl PublishedPart {
    /// All files of the part.
    pub fn files(&self) -> Vec<PublishedFile> {
        match *self {
            Self::Idx { images, labels } => vec![images, labels],
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
    /// assert_eq!(error, "data set: expected one of fashion_mnist, mnist, found minst");
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

    /// Checks that images and labels in memory are those published, by their SHA-256. (What
    /// [`load`](Self::load) gives is.)
    ///
    /// # Errors
    ///
    /// Of the kind [`Checksum`](crate::DataErrorKind::Checksum) for the first file whose content
    /// differs.
    pub fn verify(&self, data: &Dataset) -> Result<(), DataError> {
        let test = self.test.as_ref().map(|part| (part, data.test.as_ref()));
        for (part, data) in [Some((&self.train, Some(&data.train))), test].into_iter().flatten() {
            if let Some(Changed { file, found, .. }) = first_changed(part, data) {
                let (origin, expected) = (file.name.to_owned(), file.sha256.to_owned());
                return Err(FileRepr::Checksum { origin, expected, found }.into());
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
        let [mut names, mut folders, mut hashes] = [const { Vec::new() }; 3];
        for set in SETS {
            names.push(set.name);
            folders.push(set.folder);
            assert!(set.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", set.name);
            assert!(set.classes.len() > 1 && set.shape.iter().all(|&side| side > 0));
            for url in set.hosts.iter().chain([&set.homepage]) {
                assert!(url.starts_with("http") && !url.ends_with('/'), "{url}");
            }
            let official = set.official.unwrap();
            let counts = [Some((&set.train, official.train + official.validation))]
                .into_iter()
                .chain([set.test.as_ref().map(|part| (part, official.test))]);
            for (part, count) in counts.flatten() {
                let PublishedPart::Idx { images, labels } = part;
                // A header of 16 or 8 bytes before the elements.
                let size = count * set.shape.iter().product::<usize>();
                assert_eq!(images.bytes, 16 + size as u64);
                assert_eq!(labels.bytes, 8 + count as u64);
            }
            for file in set.files() {
                assert_eq!(file.sha256.len(), 64);
                assert!(
                    file.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                );
                hashes.push(file.sha256);
            }
        }
        for values in [names, folders, hashes] {
            let distinct: HashSet<_> = values.iter().collect();
            assert_eq!(distinct.len(), values.len(), "{values:?}");
        }
    }
}
