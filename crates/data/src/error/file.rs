//! What is wrong with files and folders, and with getting them.

use std::io;
use std::path::{Path, PathBuf};

use super::DataErrorKind;
use crate::IdxError;

/// Each defect with the parts of its message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileRepr {
    /// A file is not the IDX array it should be.
    #[error("{path}: {error}")]
    Idx {
        /// The file.
        path: PathBuf,
        /// The defect, with its byte offset.
        error: IdxError,
    },
    /// The operating system refused to open, read, create, lock or rename something.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// A folder that was asked for does not exist (or is not a folder).
    #[error("{origin} {path} is not a folder")]
    MissingFolder {
        /// Who asked for it: "data folder" or the environment variable's name.
        origin: &'static str,
        /// The folder.
        path: PathBuf,
    },
    /// A folder that was asked for holds some or none of a data set's files.
    #[error("{name}: no file {path} (raw or .gz)")]
    MissingFile {
        /// The data set.
        name: String,
        /// Where the first missing file was expected, without `.gz`.
        path: PathBuf,
    },
    /// The folder that the environment variable names does not hold the data set.
    #[error(
        "{name}: no file {path} (raw or .gz), and it is looked for nowhere else while {variable} is set"
    )]
    MissingInVariable {
        /// The data set.
        name: String,
        /// Where the first missing file was expected, without `.gz`.
        path: PathBuf,
        /// The variable.
        variable: &'static str,
    },
    /// A folder that was asked for cannot be looked into.
    #[error("{origin}: cannot look into {path}: {error}")]
    UnreadableFolder {
        /// Who asked for it: "data folder" or the environment variable's name.
        origin: &'static str,
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// A data set is nowhere on this machine and was not downloaded.
    #[error("{name} not found in {}; {hint}", list(searched))]
    NotFound {
        /// The data set.
        name: String,
        /// The folders looked into, in order.
        searched: Vec<PathBuf>,
        /// What the user can do.
        hint: &'static str,
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
    /// A label in a file is not one of the data set's classes.
    #[error("{path}: label at byte {offset}: expected less than {classes}, found {found}")]
    FileLabel {
        /// The label file.
        path: PathBuf,
        /// Where the label is written.
        offset: u64,
        /// Number of classes.
        classes: usize,
        /// The label.
        found: u16,
    },
    /// The content of a data set is not the published one.
    #[error("{origin}: SHA-256 of the content: expected {expected}, found {found}")]
    Checksum {
        /// The file or address.
        origin: String,
        /// The published content's digest, in hexadecimal.
        expected: String,
        /// The digest found.
        found: String,
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
        "{path}: damaged or changed, not the published file of {name}: SHA-256 of the content: expected {expected}, found {found}"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The data set.
        name: String,
        /// The published content's digest, in hexadecimal.
        expected: String,
        /// The digest found.
        found: String,
    },
    /// A file could not be downloaded from any host.
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "nothing is downloaded"))]
    #[error(
        "cannot download {url}: {reason} (a folder that holds the files can be named by SELVEDGE_DATA)"
    )]
    Download {
        /// The address tried last.
        url: String,
        /// Why it failed, after all attempts.
        reason: String,
    },
    /// Something was ended before it was done.
    #[cfg_attr(
        not(any(feature = "download", feature = "images")),
        expect(dead_code, reason = "nothing takes long")
    )]
    #[error("stopped while {doing}")]
    Interrupted {
        /// What.
        doing: String,
    },
}

fn list(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "any folder".to_owned();
    }
    let names: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
    names.join(", ")
}

impl FileRepr {
    /// What can be done about it.
    pub fn kind(&self) -> DataErrorKind {
        match self {
            Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                DataErrorKind::NotFound
            }
            Self::Io { .. }
            | Self::UnreadableFolder { .. }
            | Self::Idx { error: IdxError::Io { .. }, .. } => DataErrorKind::Io,
            Self::MissingFolder { .. }
            | Self::MissingFile { .. }
            | Self::MissingInVariable { .. }
            | Self::NotFound { .. } => DataErrorKind::NotFound,
            Self::Idx { .. }
            | Self::ElementType { .. }
            | Self::FileShape { .. }
            | Self::ChannelsLast { .. }
            | Self::CountMismatch { .. }
            | Self::FileLabel { .. } => DataErrorKind::Format,
            Self::Checksum { .. } | Self::Changed { .. } | Self::OtherFile { .. } => {
                DataErrorKind::Checksum
            }
            Self::Download { .. } => DataErrorKind::Download,
            Self::Interrupted { .. } => DataErrorKind::Interrupted,
        }
    }

    /// The file or folder that it is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Idx { path, .. }
            | Self::Io { path, .. }
            | Self::MissingFolder { path, .. }
            | Self::MissingFile { path, .. }
            | Self::MissingInVariable { path, .. }
            | Self::UnreadableFolder { path, .. }
            | Self::ChannelsLast { path, .. }
            | Self::Changed { path, .. }
            | Self::OtherFile { path, .. }
            | Self::ElementType { path, .. }
            | Self::FileShape { path, .. }
            | Self::CountMismatch { labels_path: path, .. }
            | Self::FileLabel { path, .. } => Some(path),
            Self::NotFound { .. }
            | Self::Checksum { .. }
            | Self::Download { .. }
            | Self::Interrupted { .. } => None,
        }
    }

    /// The byte of the file's (decompressed) content at which the defect is, if it is in one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Idx { error, .. } => error.offset(),
            Self::ElementType { offset, .. }
            | Self::FileShape { offset, .. }
            | Self::CountMismatch { offset, .. }
            | Self::FileLabel { offset, .. } => Some(*offset),
            Self::ChannelsLast { .. } => Some(4),
            _ => None,
        }
    }
}
