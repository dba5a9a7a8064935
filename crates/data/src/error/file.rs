//! What is wrong with files and folders, and with getting them.

use std::io;
use std::path::{Path, PathBuf};

use selvedge_fetch::FetchError;

use super::DataErrorKind;
use crate::IdxError;

/// Each defect with the parts of its message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileRepr {
    /// One of finding, reading or downloading files.
    #[error(transparent)]
    Fetch(FetchError),
    /// A file is not the IDX array it should be.
    #[error("{path}: {error}")]
    Idx {
        /// The file.
        path: PathBuf,
        /// The defect, with its byte offset.
        error: IdxError,
    },
    /// An IDX file holds elements of another type.
    #[error("{path}: element type at byte {offset}: expected {expected}, found {found}")]
    ElementType {
        /// The file.
        path: PathBuf,
        /// Where the type is written: 2.
        offset: u64,
        /// The type needed.
        expected: &'static str,
        /// The file's type.
        found: &'static str,
    },
    /// An IDX file holds an array of another shape.
    #[error("{path}: dimensions at byte {offset}: expected {expected}, found {found:?}")]
    FileShape {
        /// The file.
        path: PathBuf,
        /// Where the dimensions are written: 3 if the rank is wrong, else 4 or above.
        offset: u64,
        /// The shape needed, in words.
        expected: String,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// An IDX file of images whose channels seem to come last.
    #[error(
        "{path}: dimensions at byte 4: expected [images, channels, height, width], found {found:?}, which looks like channels last (transpose the array, or name its layout by ImageDataset::from_idx_files_with_layout)"
    )]
    ChannelsLast {
        /// The file.
        path: PathBuf,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// An image file and its label file disagree about their number.
    #[error(
        "{labels_path}: count at byte {offset}: expected {images} labels for the images of {images_path}, found {labels}"
    )]
    CountMismatch {
        /// The image file.
        images_path: PathBuf,
        /// Its images.
        images: usize,
        /// The label file.
        labels_path: PathBuf,
        /// Its labels.
        labels: usize,
        /// Where the label file states its count: 4.
        offset: u64,
    },
    /// A file of CIFAR's binary version does not end with a record.
    #[error(
        "{path}: ends at byte {offset}, within a record: expected a multiple of {record} bytes"
    )]
    CifarLength {
        /// The file.
        path: PathBuf,
        /// Its length.
        offset: u64,
        /// Bytes of an image and its labels.
        record: usize,
    },
    /// A label in a file is not one of the data set's classes.
    #[error("{path}: label at byte {offset}: expected {expected}, found {found}")]
    FileLabel {
        /// The label file.
        path: PathBuf,
        /// Where the label is written.
        offset: u64,
        /// Which labels there may be.
        expected: String,
        /// The label.
        found: i64,
    },
    /// A file on disk is another one of a known data set than the one that it should be.
    #[error("{path}: {found}, not {expected}")]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// Whose or which it is.
        found: String,
        /// Whose or which it should be.
        expected: String,
    },
    /// A file on disk has not the published content.
    #[error(
        "{path}: damaged or changed, not the published file of {name}: {digest}: expected {expected}, found {found}"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The data set.
        name: String,
        /// Which digest of what.
        digest: &'static str,
        /// The published content's digest, in hexadecimal.
        expected: String,
        /// The digest found.
        found: String,
    },
}

impl FileRepr {
    /// A label that is not one of `classes` from `first` on.
    pub fn file_label(path: &Path, offset: u64, first: usize, classes: usize, found: i64) -> Self {
        let expected = match first {
            0 => format!("less than {classes}"),
            _ => format!("{first} to {}", first + classes - 1),
        };
        Self::FileLabel { path: path.to_owned(), offset, expected, found }
    }

    /// What can be done about it.
    pub fn kind(&self) -> DataErrorKind {
        match self {
            Self::Fetch(error) => fetch_kind(error),
            Self::Idx { error: IdxError::Io { .. }, .. } => DataErrorKind::Io,
            Self::Idx { .. }
            | Self::ElementType { .. }
            | Self::FileShape { .. }
            | Self::ChannelsLast { .. }
            | Self::CountMismatch { .. }
            | Self::CifarLength { .. }
            | Self::FileLabel { .. } => DataErrorKind::Format,
            Self::Changed { .. } | Self::OtherFile { .. } => DataErrorKind::Checksum,
        }
    }

    /// The file or folder that it is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Fetch(error) => error.path(),
            Self::Idx { path, .. }
            | Self::CifarLength { path, .. }
            | Self::ChannelsLast { path, .. }
            | Self::Changed { path, .. }
            | Self::OtherFile { path, .. }
            | Self::ElementType { path, .. }
            | Self::FileShape { path, .. }
            | Self::CountMismatch { labels_path: path, .. }
            | Self::FileLabel { path, .. } => Some(path),
        }
    }

    /// The byte of the file's (decompressed) content at which the defect is, if it is in one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Idx { error, .. } => error.offset(),
            Self::ElementType { offset, .. }
            | Self::FileShape { offset, .. }
            | Self::CountMismatch { offset, .. }
            | Self::CifarLength { offset, .. }
            | Self::FileLabel { offset, .. } => Some(*offset),
            Self::ChannelsLast { .. } => Some(4),
            _ => None,
        }
    }
}

/// What can be done about a file that was not had.
fn fetch_kind(error: &FetchError) -> DataErrorKind {
    match error {
        FetchError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
            DataErrorKind::NotFound
        }
        FetchError::MissingFolder { .. }
        | FetchError::MissingFile { .. }
        | FetchError::NotFound { .. } => DataErrorKind::NotFound,
        FetchError::Archive { .. } => DataErrorKind::Format,
        FetchError::Checksum { .. } => DataErrorKind::Checksum,
        FetchError::Download { .. } => DataErrorKind::Download,
        FetchError::Interrupted { .. } => DataErrorKind::Interrupted,
        _ => DataErrorKind::Io,
    }
}
